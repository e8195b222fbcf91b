"""What a decoder gives back."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    """A word, or with Whisper a segment, and where it lies: seconds from the start of the recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Hypothesis:
    text: str
    words: tuple[Word, ...] = ()
