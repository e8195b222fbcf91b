"""Word and character error rates of a corpus, with intervals and paired comparisons.

Texts come normalised (hf_asr.text.normalise); words are what white space divides. Error rates are
fractions: 0.05 is 5 %, and insertions can take them above 1. What the intervals and tests are: significance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hf_asr.evaluation.significance import RESAMPLES, Counts, Unit, error_rates, paired_difference
from hf_asr.evaluation.significance import Paired as Paired

Kind = Literal["equal", "substitute", "delete", "insert"]


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
    resampled: Unit = "utterances"  # for the intervals


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
    speakers: Sequence[str | None] | None = None,
) -> Score:
    """Errors summed over the corpus by words, and by characters with the spaces between words, as jiwer has them.

    Intervals: see error_rates; over speakers when at least five are named. What is recognised where the reference is
    empty counts as insertions. Raises ValueError when no reference has a word.
    """
    edits, words = _word_edits(references, hypotheses)
    errors, characters = _character_errors(references, hypotheses)
    counts = [(edits.sum(axis=1), words), (errors, characters)]
    (wer, cer), unit = error_rates(counts, speakers, seed, resamples)
    substitutions, deletions, insertions = (int(total) for total in edits.sum(axis=0))
    return Score(
        wer=wer.rate,
        wer_low=wer.low,
        wer_high=wer.high,
        cer=cer.rate,
        cer_low=cer.low,
        cer_high=cer.high,
        words=int(words.sum()),
        characters=int(characters.sum()),
        substitutions=substitutions,
        deletions=deletions,
        insertions=insertions,
        utterances=len(words),
        empty_references=int((words == 0).sum()),
        resampled=unit,
    )


def per_utterance(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Counts, Counts]:
    """Word errors and reference words of each utterance, both of shape (utterances,)."""
    edits, words = _word_edits(references, hypotheses)
    return edits.sum(axis=1), words


def compare(
    references: Sequence[str],
    a: Sequence[str],
    b: Sequence[str],
    seed: int = 0,
    resamples: int = RESAMPLES,
    speakers: Sequence[str | None] | None = None,
) -> Paired:
    """Is b better than a? Their word errors on the same utterances; see paired_difference for the rule.

    Raises ValueError when no reference has a word.
    """
    errors_a, words = per_utterance(references, a)
    errors_b, _ = per_utterance(references, b)
    return paired_difference(errors_b - errors_a, words, speakers, seed, resamples)


def word_diff(reference: str, hypothesis: str) -> list[tuple[Kind, list[str], list[str]]]:
    """A shortest alignment, as stretches of (kind, words of the reference, words of the hypothesis).

    A substitution has as many words on both sides, first for first; a deletion none in the hypothesis, an insertion
    none in the reference. Where several alignments are as short, jiwer's.
    """
    from rapidfuzz.distance import Levenshtein

    said, heard = reference.split(), hypothesis.split()
    kinds: dict[str, Kind] = {"equal": "equal", "replace": "substitute", "delete": "delete", "insert": "insert"}
    return [
        (kinds[op.tag], said[op.src_start : op.src_end], heard[op.dest_start : op.dest_end])
        for op in Levenshtein.opcodes(said, heard)
    ]


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
    from rapidfuzz.distance import Levenshtein  # what jiwer itself counts with; 20 times faster without the rest of it

    _check(references, hypotheses)
    edits = np.zeros((len(references), 3), dtype=np.int64)
    words = np.zeros(len(references), dtype=np.int64)
    column = {"replace": 0, "delete": 1, "insert": 2}
    for number, (reference, hypothesis) in enumerate(zip(references, hypotheses, strict=True)):
        said, heard = reference.split(), hypothesis.split()
        words[number] = len(said)
        if said != heard:
            for edit in Levenshtein.editops(said, heard):
                edits[number, column[edit.tag]] += 1
    return edits, words


def _character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[Counts, Counts]:
    """Character errors and reference characters, both (utterances,); white space counts as one space."""
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cpdist

    said, heard = ([" ".join(text.split()) for text in side] for side in (references, hypotheses))
    errors = cpdist(said, heard, scorer=Levenshtein.distance, dtype=np.int64)
    return errors, np.array([len(text) for text in said], dtype=np.int64)


def _check(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    if isinstance(references, str) or isinstance(hypotheses, str):
        raise TypeError("references and hypotheses are lists of texts, one an utterance")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses")
