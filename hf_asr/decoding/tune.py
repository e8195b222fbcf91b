"""How much a language model should weigh: alpha, beta and the penalty of unknown words with the fewest word errors.

On validation, as in minimum error rate training (F. Och, ACL 2003): decode to lists of hypotheses, find in them the
weights whose first ones have the fewest errors, decode again with those, until they were tried already. A list knows
only what was found with the weights that made it, so the errors that count in the end are those that were decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from datasets import Dataset
from rapidfuzz.distance import Levenshtein

from hf_asr import recipe
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.decoding.beam import LN10
from hf_asr.decoding.ctc import log_posteriors, read_path
from hf_asr.decoding.decoder import Decoder, finder
from hf_asr.decoding.ngram import known_words, log10_probability
from hf_asr.decoding.transcribe import batches
from hf_asr.models.recogniser import Recogniser, frame_counter
from hf_asr.screen import say
from hf_asr.text.normalise import normalise

START = (0.5, 1.0)  # alpha and beta of the first round
ALPHAS, BETAS = np.linspace(0, 2, 21).round(1), np.linspace(-6, 10, 33)
UNKNOWN = np.array([0.0, -1.0, -2.0, -4.0, -8.0])  # log10, the mildest of equals is taken
ROUNDS, BEST = 6, 20  # texts of a clip in a round
SECONDS = 1800.0  # of clips; a round through half an hour takes some 20 s
BYTES = 256 * 2**20  # of log probabilities held meanwhile


@dataclass(frozen=True)
class Clip:
    """A validation clip: what the network heard, what was said, and the hypotheses that were found so far."""

    frames: np.ndarray  # log probabilities [frames, units]
    reference: list[str]
    greedy: int  # word errors of the best path
    # by text: log probabilities of CTC and hotwords, and of the language model, words, unknown ones, word errors
    hypotheses: dict[str, tuple[float, float, int, int, int]] = field(default_factory=dict)


def hear(
    recogniser: Recogniser, validation: Dataset, metric: recipe.Text, language: str | None, batch_seconds: float
) -> list[Clip]:
    """The clips that weights are chosen on: as many as SECONDS and BYTES allow, drawn with a fixed seed."""
    recogniser.model.eval()
    chosen = _some(recogniser, [float(seconds) for seconds in validation["seconds"][:]])
    clips: list[Clip] = []
    for _, batch in batches(recogniser, [validation[row]["seconds"] for row in chosen], True, batch_seconds):
        rows = [validation[chosen[number]] for number in batch]
        heard: list[tuple[dict[str, str], np.ndarray]] = []
        for row in rows:
            try:
                heard.append((row, decode(row["audio"])))
            except AudioError:
                continue  # evaluation lists it
        if not heard:
            continue
        for (row, _), frames in zip(heard, log_posteriors(recogniser, [samples for _, samples in heard]), strict=True):
            reference = normalise(row["raw"], metric, language).split()
            greedy = normalise(read_path(recogniser, frames.argmax(-1)).text, metric, language).split()
            clips.append(Clip(frames.numpy(), reference, int(Levenshtein.distance(reference, greedy))))
    return clips


def _some(recogniser: Recogniser, seconds: Sequence[float]) -> list[int]:
    frames = frame_counter(recogniser)
    assert frames is not None
    units = int(recogniser.model.config.vocab_size)
    order = np.random.default_rng(0).permutation(len(seconds))
    sizes = np.array([4 * units * frames(round(seconds[row] * RATE)) for row in order])
    fits = (np.cumsum(np.array(seconds)[order]) <= SECONDS) & (np.cumsum(sizes) <= BYTES)
    chosen: list[int] = sorted(order[: max(int(fits.sum()), 1)].tolist())
    if len(chosen) < len(seconds):
        say(f"  weights are chosen on {len(chosen)} of {len(seconds)} validation clips, drawn at random")
    return chosen


def tuned(
    recogniser: Recogniser,
    decoder: Decoder,
    clips: Sequence[Clip],
    free: tuple[bool, bool],
    metric: recipe.Text,
    language: str | None,
) -> Decoder:
    """The decoder with the best alpha and beta, as far as they are `free`, and penalty; what was found is told."""
    given = (decoder.weights.alpha, decoder.weights.beta, decoder.weights.unknown)
    open_ = zip((ALPHAS, BETAS, UNKNOWN), (*free, any(free)), given, strict=True)
    grids = [grid if own else np.array([value]) for grid, own, value in open_]
    tried: dict[tuple[float, ...], int] = {}
    here: tuple[float, ...] = given
    while here not in tried and len(tried) < ROUNDS:
        tried[here] = _decode(recogniser, _weighed(decoder, *here), clips, metric, language)
        table = smooth(errors(clips, *grids))
        place = np.unravel_index(table.argmin(), table.shape)
        here = tuple(float(grid[at]) for grid, at in zip(grids, place, strict=True))
    best = min(tried, key=lambda weights: tried[weights])
    words = max(sum(len(clip.reference) for clip in clips), 1)
    before, after = sum(clip.greedy for clip in clips) / words, tried[best] / words
    say(
        f"  alpha {best[0]:g}, beta {best[1]:g}, unknown words {best[2]:g}: validation WER {before:.1%} without,"
        f" {after:.1%} with it; {len(tried)} choices were decoded with"
    )
    return _weighed(decoder, *best)


def _weighed(decoder: Decoder, alpha: float, beta: float, unknown: float) -> Decoder:
    update = {"alpha": alpha, "beta": beta, "unknown": unknown}
    return replace(decoder, weights=decoder.weights.model_copy(update=update))


def _decode(
    recogniser: Recogniser, decoder: Decoder, clips: Sequence[Clip], metric: recipe.Text, language: str | None
) -> int:
    """Word errors with these weights; the hypotheses go to the clips' own."""
    find, weights, total = finder(recogniser, decoder), decoder.weights, 0
    known = known_words(decoder.lm, weights.hotwords)
    for clip in clips:
        found = find(clip.frames, BEST)
        log10 = log10_probability(decoder.lm, [one.text for one in found])
        for place, (one, language_model) in enumerate(zip(found, log10 * LN10, strict=True)):
            words = one.text.split()
            new = sum(word not in known for word in words) if known else 0
            wrong = Levenshtein.distance(clip.reference, normalise(one.text, metric, language).split())
            weighed = language_model + LN10 * weights.unknown * new
            rest = one.score - weights.alpha * weighed - weights.beta * len(words)
            clip.hypotheses[one.text] = (float(rest), float(language_model), len(words), new, int(wrong))
            total += int(wrong) if place == 0 else 0
    return total


def errors(clips: Sequence[Clip], alphas: np.ndarray, betas: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Word errors of the best known hypotheses under every choice of weights [alphas, betas, unknown]."""
    total = np.zeros((len(alphas), len(betas), len(unknown)))
    for clip in clips:
        rest, language_model, count, new, wrong = np.array(list(clip.hypotheses.values())).T
        weighed = language_model + LN10 * unknown[:, None] * new
        scores = rest + alphas[:, None, None, None] * weighed + betas[:, None, None] * count
        total += wrong[scores.argmax(axis=-1)]
    return total


def smooth(table: np.ndarray) -> np.ndarray:
    """Each number and its neighbours along the first two axes averaged: a valley is worth more than a hole."""
    padded = np.pad(table, [(1, 1), (1, 1)] + [(0, 0)] * (table.ndim - 2), mode="edge")
    rows, columns = table.shape[:2]
    return np.asarray(sum(padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)) / 9)
