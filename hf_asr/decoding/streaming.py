"""CTC text while the sound arrives: words that stay as soon as they are known, lines that end at a pause."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hf_asr.decoding.beam import Found
from hf_asr.decoding.ctc import read_path
from hf_asr.decoding.decoder import Decoder, ctc_way, finder
from hf_asr.decoding.ears import RATE, Context, ear, frame_stride
from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.models.recogniser import Recogniser

PAUSE_SECONDS = 0.8  # without a letter, after which a line ends
MARGIN_SECONDS = 0.3  # of silence before the first letter, that belongs to the line
LINE_SECONDS = 30.0  # a longer line ends at the next space
CLOSE = 7.0  # nats below the best: a beam search follows worse texts, but they do not come back

Texts = tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """What another piece of sound brought."""

    lines: tuple[Hypothesis, ...]  # that ended, with the times of their words
    settled: Texts = ()  # words of the line that is open: these stay
    open: Texts = ()  # and these may change


class Stream(Protocol):
    """Sound in, float32 [samples] at 16 kHz in pieces of any length; lines out."""

    def push(self, samples: np.ndarray) -> Heard: ...

    def finish(self) -> Heard: ...


class Line(Protocol):
    """A line that is open, from logits [frames, units]."""

    def push(self, frames: Tensor) -> None: ...

    def words(self, ahead: Tensor) -> tuple[Texts, Texts]:
        """Those that stay and those that may change; `ahead` are frames that were heard too early."""

    def finish(self) -> Hypothesis: ...


class Greedy:
    """The words along the best path; one stays when the unit that divides words has come after it."""

    def __init__(self, recogniser: Recogniser, per_frame: float, begun: int) -> None:
        """per_frame: seconds. begun: the frame of the recording at which the line begins."""
        self.recogniser, self.per_frame, self.begun = recogniser, per_frame, begun
        self.settled, self.path = list[Word](), list[int]()
        self.divider = recogniser.processor.tokenizer.word_delimiter_token_id

    def push(self, frames: Tensor) -> None:
        self.path += frames.argmax(-1).tolist()
        # repeats merge within a word only, so what lies before a divider reads the same whatever follows
        divided = [at for at, unit in enumerate(self.path) if unit == self.divider]
        if divided:
            self.settled += self._read(self.path[: divided[-1]])
            self.path, self.begun = self.path[divided[-1] :], self.begun + divided[-1]

    def words(self, ahead: Tensor) -> tuple[Texts, Texts]:
        open_words = self._read(self.path + ahead.argmax(-1).tolist())
        return tuple(word.text for word in self.settled), tuple(word.text for word in open_words)

    def finish(self) -> Hypothesis:
        words = (*self.settled, *self._read(self.path))
        return Hypothesis(" ".join(word.text for word in words), words)

    def _read(self, path: list[int]) -> list[Word]:
        found = read_path(self.recogniser, torch.tensor(path, dtype=torch.long), self.per_frame)
        return list(_later(found, self.begun * self.per_frame).words)


class Searched:
    """The words of a beam search; one stays when every text that may still become the best agrees on it.

    The search goes through the line anew each time: it is much faster than speech, and lines are short.
    """

    def __init__(
        self,
        find: Callable[[np.ndarray], list[Found]],
        write: Callable[[Tensor, float | None], Hypothesis],
        per_frame: float,
        begun: int,
    ) -> None:
        self.find, self.write, self.per_frame, self.begun = find, write, per_frame, begun
        self.frames: list[Tensor] = []  # log probabilities
        self.settled: Texts = ()

    def push(self, frames: Tensor) -> None:
        self.frames.append(frames.float().log_softmax(-1))

    def words(self, ahead: Tensor) -> tuple[Texts, Texts]:
        found = self.find(torch.cat(self.frames).numpy())
        texts = [one.text.split() for one in found if one.score >= found[0].score - CLOSE]
        # the last word of each may still grow
        places = zip(*(words[:-1] for words in texts), strict=False)
        agreed = tuple(place[0] for place in takewhile(lambda place: len(set(place)) == 1, places))
        self.settled = max(self.settled, agreed, key=len)
        return self.settled, tuple(texts[0][len(self.settled) :]) if texts else ()

    def finish(self) -> Hypothesis:
        return _later(self.write(torch.cat(self.frames), self.per_frame), self.begun * self.per_frame)


def _later(found: Hypothesis, seconds: float) -> Hypothesis:
    words = (Word(word.text, word.start + seconds, word.end + seconds) for word in found.words)
    return Hypothesis(found.text, tuple(words))


class CTCStream:
    """Lines of a CTC recogniser: greedily, as pipeline() reads, or by a decoder's beam search."""

    def __init__(self, recogniser: Recogniser, decoder: Decoder | None = None, context: Context | None = None) -> None:
        recogniser.model.eval()
        tokenizer, per_frame = recogniser.processor.tokenizer, frame_stride(recogniser) / RATE
        self.ear = ear(recogniser, context or Context())
        self.begin: Callable[[int], Line] = partial(Greedy, recogniser, per_frame)
        if decoder is not None:
            find, most = finder(recogniser, decoder), decoder.weights.beam
            write = ctc_way(recogniser, decoder)[1]
            self.begin = partial(Searched, lambda frames: find(frames, most), write, per_frame)
        self.pause, self.margin, self.longest = (
            round(seconds / per_frame) for seconds in (PAUSE_SECONDS, MARGIN_SECONDS, LINE_SECONDS)
        )
        divider, blank = tokenizer.word_delimiter_token_id, tokenizer.pad_token_id
        self.divider = blank if divider is None else divider
        self.silent = {blank, self.divider}
        self.heard = 0  # frames
        self.quiet = 0  # of them without a letter, at the end
        self.line: Line | None = None  # begins with the first letter
        self.begun = 0  # its frame
        self.waiting: list[Tensor] = []  # the last frames before it

    def push(self, samples: np.ndarray) -> Heard:
        lines, ahead = self._read(self.ear.push(samples)), self.ear.ahead
        if self.line is not None:
            return Heard(lines, *self.line.words(ahead))
        return Heard(lines)

    def finish(self) -> Heard:
        lines = self._read(self.ear.finish())
        return Heard(lines if self.line is None else (*lines, self._end()))

    def _read(self, frames: Tensor) -> tuple[Hypothesis, ...]:
        """The lines that end in these logits [frames, units]."""
        found, given = list[Hypothesis](), 0
        for at, unit in enumerate(frames.argmax(-1).tolist()):
            self.heard += 1
            self.quiet = self.quiet + 1 if unit in self.silent else 0
            if self.line is None:
                given = at + 1
                self.waiting = [*self.waiting[-self.margin :], frames[at]]
                if not self.quiet:
                    self._begin()
            elif self.quiet >= self.pause or (self.heard - self.begun > self.longest and unit == self.divider):
                self.line.push(frames[given : at + 1])
                given = at + 1
                found.append(self._end())
        if self.line is not None:
            self.line.push(frames[given:])
        return tuple(found)

    def _begin(self) -> None:
        self.begun = self.heard - len(self.waiting)
        self.line = self.begin(self.begun)
        self.line.push(torch.stack(self.waiting))
        self.waiting = []

    def _end(self) -> Hypothesis:
        assert self.line is not None
        line, self.line = self.line.finish(), None
        return line
