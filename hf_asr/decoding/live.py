"""Transcribing while somebody speaks, and how long each word took.

Time is counted on the clock of the sound: a piece is there when it ends, is read when the one before it has been read,
and its words are told when that is done. So the latency of a file read as fast as the machine can is that of the
same words spoken live, but for what a microphone's driver adds.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.cells import cell_len

from hf_asr import recipe
from hf_asr.decoding.decoder import Decoder, alphabet_for, asked
from hf_asr.decoding.ears import RATE
from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.decoding.local_agreement import WhisperStream
from hf_asr.decoding.sound import open_sound
from hf_asr.decoding.streaming import CTCStream, Heard, Stream
from hf_asr.models.checkpoints import from_folder, saved_beams
from hf_asr.models.recogniser import Recogniser
from hf_asr.screen import console, say

CTC_SECONDS, WHISPER_SECONDS = 0.6, 2.0  # gathered before they are read


@dataclass(frozen=True)
class LiveWord(Word):
    """A word with the seconds at which it first stood there as it stayed, and at which it was known to stay."""

    shown: float
    settled: float


@dataclass(frozen=True)
class Line:
    """What was said up to a pause."""

    text: str
    words: tuple[LiveWord, ...]
    told: float  # seconds at which it was whole


@dataclass
class Session:
    """A stream, its clock and its lines."""

    stream: Stream
    clock: Callable[[], float] = time.perf_counter  # for the cost of reading; time.process_time on a busy machine
    heard: float = 0.0  # seconds of sound
    busy: float = 0.0  # seconds of reading
    now: float = 0.0  # on the clock of the sound
    shown: list[tuple[str, float]] = field(default_factory=list)  # words of the open line, and since when
    settled: list[tuple[str, float]] = field(default_factory=list)
    open: str = ""
    words: list[LiveWord] = field(default_factory=list)  # of all lines

    def push(self, samples: np.ndarray) -> list[Line]:
        """The lines that ended."""
        self.heard += len(samples) / RATE
        return self._take(lambda: self.stream.push(samples))

    def finish(self) -> list[Line]:
        return self._take(self.stream.finish)

    def _take(self, read: Callable[[], Heard]) -> list[Line]:
        began = self.clock()
        found = read()
        took = self.clock() - began
        self.busy += took
        self.now = max(self.now, self.heard) + took
        lines = []
        for line in found.lines:
            lines.append(self._line(line))
            self.shown, self.settled = [], []
        self.shown = self._since(self.shown, (*found.settled, *found.open))
        self.settled = self._since(self.settled, found.settled)
        self.open = " ".join((*found.settled, *found.open))
        return lines

    def _since(self, before: list[tuple[str, float]], words: Iterable[str]) -> list[tuple[str, float]]:
        """(word, since when it is the nth)."""
        return [
            before[place] if place < len(before) and before[place][0] == word else (word, self.now)
            for place, word in enumerate(words)
        ]

    def _line(self, line: Hypothesis) -> Line:
        texts = [word.text for word in line.words]
        times = zip(line.words, self._since(self.shown, texts), self._since(self.settled, texts), strict=True)
        words = tuple(LiveWord(w.text, w.start, w.end, shown, settled) for w, (_, shown), (_, settled) in times)
        self.words += words
        return Line(line.text, words, self.now)


def transcribe_live(
    source: str,
    model: str,
    form: str,
    language: str | None,
    beams: int | None,
    lm: Path | None,
    chunk: float | None,
    tell: Callable[[str], None],
) -> None:
    """Lines of a source (see sound.open_sound) to `tell` as they end; the open one and figures to the screen.

    chunk: seconds that are gathered before they are read. Raises UserError.
    """
    sound = open_sound(source)
    recogniser = from_folder(model, recipe.Whisper(), language)
    recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu")
    decoder = asked(lm, model)
    seconds = chunk or (CTC_SECONDS if recogniser.family == "ctc" else WHISPER_SECONDS)
    session = Session(stream_of(recogniser, beams or saved_beams(recogniser), decoder))

    def line(found: Line) -> None:
        screen("")
        if found.text:
            tell(written(found, form))

    follow(session, sound(seconds), line, screen)
    say(f"{figures(session)}; pieces of {seconds:g} s")


def stream_of(recogniser: Recogniser, beams: int = 1, decoder: Decoder | None = None) -> Stream:
    """Raises CheckpointError for Whisper with a decoder."""
    if recogniser.family == "ctc":
        return CTCStream(recogniser, decoder)
    if decoder is not None:
        alphabet_for(recogniser)
    return WhisperStream(recogniser, beams)


def follow(
    session: Session, pieces: Iterable[np.ndarray], tell: Callable[[Line], None], show: Callable[[str], None]
) -> None:
    """To the end of the sound or Ctrl-C. tell: a line that ended. show: the one that is open, as it is now.

    Pieces that end while others are being read are read together, so that a slow machine keeps up.
    """
    waiting: list[np.ndarray] = []
    try:
        for samples in pieces:
            waiting.append(samples)
            if session.now <= session.heard + sum(map(len, waiting)) / RATE:
                together, waiting = np.concatenate(waiting), []
                for line in session.push(together):
                    tell(line)
                show(session.open)
    except KeyboardInterrupt:
        pass
    for line in [*(session.push(np.concatenate(waiting)) if waiting else ()), *session.finish()]:
        tell(line)


def written(line: Line, form: str) -> str:
    """A line as text, or as JSON: its latency runs from the end of its last word, the pause included."""
    if form == "text":
        return line.text
    words = [
        {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
        | {"shown": round(word.shown, 3), "settled": round(word.settled, 3)}
        for word in line.words
    ]
    ends = {"start": words[0]["start"], "end": words[-1]["end"]} if words else {"start": None, "end": None}
    latency = round(line.told - line.words[-1].end, 3) if words else None
    return json.dumps({**ends, "text": line.text, "latency": latency, "parts": words}, ensure_ascii=False)


def figures(session: Session) -> str:
    """The real-time factor and the latencies in words."""
    if not session.heard:
        return "no sound"
    factor = session.busy / session.heard
    told = f"{session.heard:.1f} s of sound read in {session.busy:.1f} s: real-time factor {factor:.2f}"
    if not session.words:
        return f"{told}; no words"
    kinds = {"shown": [word.shown - word.end for word in session.words]}
    kinds["settled"] = [word.settled - word.end for word in session.words]
    for kind, seconds in kinds.items():
        middle, most = np.quantile(seconds, (0.5, 0.9))
        told += f"\n{kind} after {middle:.2f} s (median), {most:.2f} s (90 %), {max(seconds):.2f} s (longest)"
    return f"{told}\n{len(session.words)} words, timed from their ends"


def screen(text: str) -> None:
    """The end of an open line, in place, where there is a terminal; "" clears it."""
    if not console.is_terminal:
        return
    while cell_len(text) >= console.width:
        text = text[1:]
    sys.stderr.write(f"\r\x1b[2K{text}")
    sys.stderr.flush()
