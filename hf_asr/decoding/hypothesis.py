"""What a decoder gives back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word, or with Whisper a segment, and where it lies: seconds from the start of the recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class ScoredWord(Word):
    """A word, its seconds, and posteriors of its symbols (CTC: units, Whisper: tokens) between 0 and 1."""

    confidence: float  # their mean
    lowest: float  # the least of them: one doubtful letter shows here first


@dataclass(frozen=True)
class Hypothesis:
    text: str
    words: tuple[Word, ...] = ()
