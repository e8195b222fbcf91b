"""Where the units of a text lie in the frames: the best single path that reads so (Viterbi)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ngram import Floats

BAND = 2_000  # states: more than a minute of speech, half of it on either side


@dataclass(frozen=True)
class Span:
    """A word, its frames and the posteriors of its units on the path, each a mean over the unit's frames."""

    text: str
    start: int
    end: int  # exclusive
    confidence: float  # the mean of them
    lowest: float


def word_spans(frames: Floats, units: Sequence[int], alphabet: Alphabet) -> list[Span]:
    """The words that `units` spell, in log probabilities [frames, units] that have room for them."""
    spans, posteriors = align(frames, units, alphabet), np.exp(frames)
    words: list[list[int]] = [[]]
    for place, unit in enumerate(units):
        if unit == alphabet.delimiter:
            words.append([])
        else:
            words[-1].append(place)
    found = []
    for places in filter(None, words):
        own = [float(posteriors[slice(*spans[place]), units[place]].mean()) for place in places]
        text = alphabet.text([units[place] for place in places])
        found.append(Span(text, spans[places[0]][0], spans[places[-1]][1], sum(own) / len(own), min(own)))
    return found


def align(frames: Floats, units: Sequence[int], alphabet: Alphabet) -> list[tuple[int, int]]:
    """(first frame, last frame + 1) of each unit on the best path that reads as `units`.

    Raises ValueError when the frames are too few. Between words a path may hold any number of spaces and blanks. Of a
    long text only BAND states around the best one are followed: memory grows with the frames, not with their square.
    """
    frames, count = np.asarray(frames, dtype=np.float64), len(frames)
    states, beside = _states(units, alphabet)
    # a unit may follow the one before it without a blank between, unless it is the same
    skip = np.zeros(len(states), dtype=bool)
    skip[3::2] = states[3::2] != states[1:-2:2]
    width = min(len(states), BAND)
    total = np.full(len(states), -np.inf)
    total[:2] = _scores(frames[0], states[:2], beside[:2], alphabet)
    came = np.zeros((count, width), dtype=np.int8)  # states back
    begins = np.zeros(count, dtype=np.int64)  # of the band
    for at in range(1, count):
        before = int(begins[at - 1])
        best = before + int(total[before : before + width].argmax())
        # no later than the end can be reached from, two states a frame
        begin = max(before, best - width // 2, len(states) - width - 2 * (count - 1 - at))
        begins[at] = begin = min(begin, len(states) - width)
        total[before:begin] = -np.inf
        band = slice(begin, begin + width)
        shifted = np.concatenate([[-np.inf, -np.inf], total[band]])
        ways = np.stack([shifted[2:], shifted[1:-1], np.where(skip[band], shifted[:-2], -np.inf)])
        came[at] = ways.argmax(axis=0)
        total[band] = ways.max(axis=0) + _scores(frames[at], states[band], beside[band], alphabet)
    state = len(states) - 1 - int(len(states) > 1 and total[-2] > total[-1])
    if not np.isfinite(total[state]):
        raise ValueError(f"no path of {count} frames reads as these {len(units)} units")
    path = [state]
    for at in range(count - 1, 0, -1):
        path.append(path[-1] - int(came[at, path[-1] - begins[at]]))
    taken, own = np.array(path[::-1]), 2 * np.arange(len(units)) + 1  # from state to state it never goes back
    bounds = zip(np.searchsorted(taken, own), np.searchsorted(taken, own, side="right"), strict=True)
    return [(int(first), int(last)) for first, last in bounds]


def _states(units: Sequence[int], alphabet: Alphabet) -> tuple[np.ndarray, np.ndarray]:
    """Blank, unit, blank, unit, ..., blank, and beside which of them spaces may stand, [states] each."""
    states = np.full(2 * len(units) + 1, alphabet.blank)
    states[1::2] = units
    beside = np.zeros(len(states), dtype=bool)
    if alphabet.delimiter is not None:
        # at the ends and beside a space, more spaces read as none
        divided = np.ones(len(units) + 2, dtype=bool)
        divided[1:-1] = states[1::2] == alphabet.delimiter
        beside[::2] = divided[:-1] | divided[1:]
    return states, beside


def _scores(frame: Floats, states: np.ndarray, beside: np.ndarray, alphabet: Alphabet) -> Floats:
    """Of each state in a frame."""
    own: Floats = frame[states]
    return own if alphabet.delimiter is None else np.where(beside, np.maximum(own, frame[alphabet.delimiter]), own)
