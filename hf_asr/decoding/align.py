"""Where the units of a text lie in the frames: the best single path that reads so (Viterbi)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ngram import Floats


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

    Raises ValueError when the frames are too few. Between words a path may hold any number of spaces and blanks.
    """
    states, scores = _states(np.asarray(frames, dtype=np.float64), units, alphabet)
    # a unit may follow the one before it without a blank between, unless it is the same
    skip = np.zeros(len(states), dtype=bool)
    skip[3::2] = states[3::2] != states[1:-2:2]
    total = np.full(len(states), -np.inf)
    total[:2] = scores[0, :2]
    came = np.zeros(scores.shape, dtype=np.int8)  # states back
    for at in range(1, len(scores)):
        ways = np.full((3, len(states)), -np.inf)
        ways[0], ways[1, 1:], ways[2, 2:] = total, total[:-1], np.where(skip[2:], total[:-2], -np.inf)
        came[at] = ways.argmax(axis=0)
        total = ways.max(axis=0) + scores[at]
    state = len(states) - 1 - int(len(states) > 1 and total[-2] > total[-1])
    if not np.isfinite(total[state]):
        raise ValueError(f"no path of {len(scores)} frames reads as these {len(units)} units")
    path = [state]
    for at in range(len(scores) - 1, 0, -1):
        path.append(path[-1] - int(came[at, path[-1]]))
    taken = np.array(path[::-1])
    places = [np.flatnonzero(taken == 2 * place + 1) for place in range(len(units))]
    return [(int(own[0]), int(own[-1]) + 1) for own in places]


def _states(frames: Floats, units: Sequence[int], alphabet: Alphabet) -> tuple[np.ndarray, Floats]:
    """Blank, unit, blank, unit, ..., blank, and what each scores in each frame [frames, states]."""
    states = np.full(2 * len(units) + 1, alphabet.blank)
    states[1::2] = units
    scores = frames[:, states]
    if alphabet.delimiter is not None:
        # at the ends and beside a space, more spaces read as none
        divided = np.ones(len(units) + 2, dtype=bool)
        divided[1:-1] = states[1::2] == alphabet.delimiter
        beside = 2 * np.flatnonzero(divided[:-1] | divided[1:])
        scores[:, beside] = np.maximum(scores[:, beside], frames[:, [alphabet.delimiter]])
    return states, scores
