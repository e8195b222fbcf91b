"""Word and character error rates of a corpus, with intervals and paired comparisons.

Texts come normalised (hf_asr.text.normalise); words are what white space divides. Error rates are
fractions: 0.05 is 5 %, and insertions can take them above 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jiwer
import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]

CHUNK = 4_000_000  # resampled utterances in memory at a time, 8 bytes each


@dataclass(frozen=True)
class Score:
    """Corpus error rates, the 95 % interval of each, and what they were counted from."""

    wer: float
    wer_low: float
    wer_high: float
    cer: float
    cer_low: float
    cer_high: float
    words: int
    characters: int
    substitutions: int
    deletions: int
    insertions: int
    utterances: int
    empty_references: int


@dataclass(frozen=True)
class Paired:
    """WER of b minus WER of a on the same utterances; the verdict is on b."""

    difference: float
    low: float
    high: float
    p_value: float
    verdict: Literal["better", "worse", "no evidence of a difference"]


def score(references: Sequence[str], hypotheses: Sequence[str], seed: int = 0, resamples: int = 1000) -> Score:
    """Errors summed over the corpus by words, and by characters with the spaces between words, as jiwer has them.

    Intervals: percentiles over resampled utterances (Bisani & Ney, ICASSP 2004). What is recognised
    where the reference is empty counts as insertions. Raises ValueError when no reference has a word.
    """
    edits, words = _word_edits(references, hypotheses)
    errors, characters = _character_errors(references, hypotheses)
    if words.sum() == 0:
        raise ValueError(f"no words in any of the {len(references)} references: an error rate has no meaning")
    columns = np.stack([edits.sum(axis=1), words, errors, characters], axis=1)
    sums = _resampled_sums(columns, seed, resamples)
    wer_low, wer_high = _interval(sums[:, 0], sums[:, 1])
    cer_low, cer_high = _interval(sums[:, 2], sums[:, 3])
    substitutions, deletions, insertions = (int(total) for total in edits.sum(axis=0))
    return Score(
        wer=float(edits.sum() / words.sum()),
        wer_low=wer_low,
        wer_high=wer_high,
        cer=float(errors.sum() / characters.sum()),
        cer_low=cer_low,
        cer_high=cer_high,
        words=int(words.sum()),
        characters=int(characters.sum()),
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
        utterances=len(words),
        empty_references=int((words == 0).sum()),
    )


def per_utterance(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Counts, Counts]:
    """Word errors and reference words of each utterance, both of shape (utterances,)."""
    edits, words = _word_edits(references, hypotheses)
    return edits.sum(axis=1), words


def compare(
    references: Sequence[str], a: Sequence[str], b: Sequence[str], seed: int = 0, resamples: int = 1000
) -> Paired:
    """Is b better than a? Both are resampled over the same utterances (Bisani & Ney, ICASSP 2004).

    p_value: two-sided, twice the share of resamples on the other side of zero; "better" and "worse"
    are said below 0.05. Raises ValueError when no reference has a word.
    """
    errors_a, words = per_utterance(references, a)
    errors_b, _ = per_utterance(references, b)
    if words.sum() == 0:
        raise ValueError(f"no words in any of the {len(references)} references: nothing to compare")
    more = errors_b - errors_a
    sums = _resampled_sums(np.stack([more, words], axis=1), seed, resamples)
    low, high = _interval(sums[:, 0], sums[:, 1])
    # one more on both sides of the fraction: chance alone never shows to be impossible
    tail = min((sums[:, 0] <= 0).sum(), (sums[:, 0] >= 0).sum())
    p_value = min(1.0, 2 * (float(tail) + 1) / (resamples + 1))
    difference = float(more.sum() / words.sum())
    if p_value >= 0.05 or low <= 0 <= high:
        return Paired(difference, low, high, p_value, "no evidence of a difference")
    return Paired(difference, low, high, p_value, "better" if difference < 0 else "worse")


def wer_metric() -> Any:
    """An `evaluate.Metric` that returns {"wer", "cer"} and downloads nothing.

    `evaluate.evaluator("automatic-speech-recognition")` takes it, with a model or its folder: given a
    ready pipeline, evaluate 0.4.6 fails under transformers 5. It needs scipy.
    """
    import datasets
    import evaluate

    class Wer(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
        def _info(self) -> Any:
            text = datasets.Value("string")
            return evaluate.MetricInfo(
                description="Word and character error rate of a corpus, as fractions.",
                citation="",
                inputs_description="predictions and references: lists of texts",
                features=datasets.Features({"predictions": text, "references": text}),
            )

        def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, float]:
            result = score(references, predictions, resamples=1)
            return {"wer": result.wer, "cer": result.cer}

    # in memory: evaluate otherwise writes, and locks, a file in the user's cache
    return Wer(keep_in_memory=True)


def _word_edits(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Counts, Counts]:
    """Substitutions, deletions and insertions (utterances, 3) and reference words (utterances,)."""
    _check(references, hypotheses)
    words = np.array([len(text.split()) for text in references], dtype=np.int64)
    edits = np.zeros((len(words), 3), dtype=np.int64)
    column = {"substitute": 0, "delete": 1, "insert": 2}
    if len(words):
        # jiwer divides at single spaces only
        said, heard = ([" ".join(text.split()) for text in side] for side in (references, hypotheses))
        output = jiwer.process_words(said, heard)
        for row, chunks in zip(edits, output.alignments, strict=True):
            for chunk in chunks:
                if chunk.type != "equal":
                    length = max(chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx)
                    row[column[chunk.type]] += length
    return edits, words


def _character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Counts, Counts]:
    """Character errors and reference characters, both (utterances,); white space counts as one space."""
    from rapidfuzz.distance import Levenshtein  # what jiwer itself counts with; its alignment is not needed here

    pairs = [(" ".join(r.split()), " ".join(h.split())) for r, h in zip(references, hypotheses, strict=True)]
    errors = np.array([Levenshtein.distance(r, h) for r, h in pairs], dtype=np.int64)
    return errors, np.array([len(r) for r, _ in pairs], dtype=np.int64)


def _check(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    if isinstance(references, str) or isinstance(hypotheses, str):
        raise TypeError("references and hypotheses are lists of texts, one an utterance")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses")


def _resampled_sums(columns: Counts, seed: int, resamples: int) -> Counts:
    """Column sums (resamples, columns) of as many utterances drawn with replacement; columns (utterances, columns)."""
    generator = np.random.default_rng(seed)
    utterances = len(columns)
    even = np.full(utterances, 1 / utterances)
    rows = max(1, CHUNK // utterances)
    parts = [
        generator.multinomial(utterances, even, size=min(rows, resamples - done)) @ columns
        for done in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _interval(errors: Counts, units: Counts) -> tuple[float, float]:
    """The middle 95 % of the ratios; a resample of empty references only says nothing and is left out."""
    said = units > 0
    if not said.any():
        return float("nan"), float("nan")
    low, high = np.quantile(errors[said] / units[said], [0.025, 0.975])
    return float(low), float(high)
