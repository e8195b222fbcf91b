"""Whisper while the sound arrives: a growing window is read anew with every piece (arXiv:2307.14743).

Words that two readings in a row agree on count as settled. At a pause the window is read a last time and closed; one
that grows too long is closed where it is quietest.
"""

from itertools import takewhile

import numpy as np

from hf_asr.decoding.ears import RATE
from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.decoding.streaming import MARGIN_SECONDS, PAUSE_SECONDS, Heard
from hf_asr.decoding.transcribe import transcribe
from hf_asr.decoding.words import read
from hf_asr.models.recogniser import Recogniser

WINDOW_SECONDS = 15.0  # a longer window is closed
STRETCH_SECONDS = 0.2  # whose loudness decides where
SILENCE = 1e-3  # loudness below which Whisper is not asked: it makes up words
QUIET = 0.1  # of the loudest stretch: below it nobody speaks


class WhisperStream:
    """Lines of a Whisper recogniser."""

    def __init__(self, recogniser: Recogniser, beams: int = 1, full_context: bool = True) -> None:
        recogniser.model.eval()
        self.recogniser, self.beams, self.full_context = recogniser, beams, full_context
        self.window, self.begun = np.zeros(0, np.float32), 0  # where it begins, in samples
        self.loudest = 0.0  # stretch of the window before
        self.heard: tuple[str, ...] = ()  # words of the reading before

    def push(self, samples: np.ndarray) -> Heard:
        self.window = np.concatenate([self.window, samples])
        levels = loudness(self.window)
        speech = levels >= max(SILENCE, QUIET * max(levels.max(initial=0.0), self.loudest))
        if not speech.any():
            self._forget(max(len(self.window) - round(MARGIN_SECONDS * RATE), 0))
            return Heard(())
        if not self.heard:
            silence = len(self.window) - (len(speech) - int(speech.argmax())) * round(STRETCH_SECONDS * RATE)
            self._forget(max(silence - round(MARGIN_SECONDS * RATE), 0))
        if not speech[-round(PAUSE_SECONDS / STRETCH_SECONDS) :].any():
            return Heard((self._close(len(self.window)),))
        lines: tuple[Hypothesis, ...] = ()
        while len(self.window) > WINDOW_SECONDS * RATE:  # more than one where much came at once
            lines += (self._close(quietest(self.window[: round(WINDOW_SECONDS * RATE)])),)
        now = self._words()
        pairs = takewhile(lambda pair: pair[0] == pair[1], zip(self.heard, now, strict=False))
        agreed, self.heard = sum(1 for _ in pairs), now
        return Heard(lines, now[:agreed], now[agreed:])

    def finish(self) -> Heard:
        if loudness(self.window).max(initial=0.0) < max(SILENCE, QUIET * self.loudest):
            return Heard(())
        return Heard((self._close(len(self.window)),))

    def _words(self) -> tuple[str, ...]:
        seconds = [len(self.window) / RATE]
        ((_, found),) = transcribe(self.recogniser, lambda _: self.window, seconds, self.full_context, beams=self.beams)
        return tuple(found.text.split())

    def _close(self, cut: int) -> Hypothesis:
        """The line of the window up to `cut`, which is read once more, as a file would be."""
        start, found = self.begun / RATE, read(self.recogniser, self.window[:cut], self.beams)
        self.loudest = float(loudness(self.window[:cut]).max(initial=0.0))
        self._forget(cut)
        words = (Word(word.text, start + word.start, start + word.end) for word in found.words)
        return Hypothesis(found.text, tuple(words))

    def _forget(self, samples: int) -> None:
        self.window, self.begun, self.heard = self.window[samples:], self.begun + samples, ()


def loudness(samples: np.ndarray) -> np.ndarray:
    """Root mean square of every whole stretch [stretches], counted from the end."""
    size = round(STRETCH_SECONDS * RATE)
    whole = samples[len(samples) % size :].reshape(-1, size)
    return np.asarray(np.sqrt(np.square(whole, dtype=np.float64).mean(axis=1)))


def quietest(samples: np.ndarray) -> int:
    """Where to cut [samples]: the middle of the stretch with the least energy in the second half."""
    size = round(STRETCH_SECONDS * RATE)
    energy = np.convolve(np.square(samples, dtype=np.float64), np.ones(size), mode="valid")
    half = len(samples) // 2
    return half + int(np.argmin(energy[half:])) + size // 2
