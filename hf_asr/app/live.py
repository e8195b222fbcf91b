"""Text while somebody speaks: what was heard so far is read again and again, and settled bit by bit.

Neither kind of network was made for streams. CTC reads the last seconds anew with some context on both sides and
settles all but the last of them. Whisper reads a growing window anew; words that two readings in a row agree on count
as settled (local agreement, arXiv:2307.14743), and a long window is closed where it is quietest.
"""

import time
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
import torch

from hf_asr.app.systems import System
from hf_asr.decoding.ctc import best_path, read_path
from hf_asr.decoding.ears import frame_stride
from hf_asr.decoding.local_agreement import quietest
from hf_asr.decoding.transcribe import RATE, transcribe
from hf_asr.models.recogniser import Recogniser

LONGEST_SECONDS = 300  # of a session: its sound is kept for the reading at the end
LEFT_SECONDS, RIGHT_SECONDS = 4.0, 1.0  # CTC: context before what is read anew; what stays open at the end
WINDOW_SECONDS = 15.0  # Whisper: a longer window is closed
FEWEST_SECONDS = 0.5  # less is not worth reading
SILENCE = 1e-3  # peak amplitude below which Whisper is not asked: it makes up words


@dataclass
class Session:
    """What one speaker's microphone gave and what was made of it."""

    chunks: list[np.ndarray] = field(default_factory=list)  # float [samples] at 16 kHz
    arrived: float = 0.0  # by the clock, when the last of them came
    settled: str = ""  # text that stays
    open: str = ""  # text that may change
    path: list[int] = field(default_factory=list)  # CTC: units of the settled frames
    closed: str = ""  # Whisper: text of the closed windows
    begun: int = 0  # and their samples
    heard: tuple[str, ...] = ()  # words of the open window when it was read last
    read_to: int = 0  # samples that the text covers

    @property
    def samples(self) -> np.ndarray:
        return np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.float32)

    @property
    def seconds(self) -> float:
        return sum(map(len, self.chunks)) / RATE


def hear(session: Session, samples: np.ndarray) -> None:
    """Keep what the microphone gave since the last time."""
    if session.seconds < LONGEST_SECONDS:
        session.chunks.append(samples)
        session.arrived = time.monotonic()


def advance(session: Session, system: System) -> bool:
    """Read what is new; False when there was too little of it."""
    samples = session.samples
    if len(samples) - session.read_to < FEWEST_SECONDS * RATE or system.recogniser is None:
        return False
    system.recogniser.model.eval()
    if system.recogniser.family == "ctc":
        _advance_ctc(session, system.recogniser, samples)
    else:
        _advance_whisper(session, system, samples)
    session.read_to = len(samples)
    return True


def _advance_ctc(session: Session, recogniser: Recogniser, samples: np.ndarray) -> None:
    stride = frame_stride(recogniser)
    start = max(0, len(session.path) - round(LEFT_SECONDS * RATE / stride))  # in frames
    (heard,) = best_path(recogniser, [samples[start * stride :]])
    path = session.path + heard[len(session.path) - start :].tolist()
    session.path = path[: max(len(session.path), len(path) - round(RIGHT_SECONDS * RATE / stride))]
    whole = read_path(recogniser, torch.tensor(path)).text
    sure = read_path(recogniser, torch.tensor(session.path)).text.rpartition(" ")[0]  # its last word may still grow
    session.settled, session.open = (sure, whole[len(sure) :].strip()) if whole.startswith(sure) else ("", whole)


def _advance_whisper(session: Session, system: System, samples: np.ndarray) -> None:
    window = samples[session.begun :]
    if len(window) > WINDOW_SECONDS * RATE:
        cut = quietest(window[: round(WINDOW_SECONDS * RATE)])
        session.closed, session.heard = f"{session.closed} {_read(system, window[:cut])}".strip(), ()
        session.begun += cut
        window = window[cut:]
    now = tuple(_read(system, window).split())
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(session.heard, now, strict=False))
    agreed, session.heard = sum(1 for _ in pairs), now
    session.settled = " ".join([session.closed, *now[:agreed]]).strip()
    session.open = " ".join(now[agreed:])


def _read(system: System, samples: np.ndarray) -> str:
    if system.recogniser is None or not len(samples) or float(np.abs(samples).max()) < SILENCE:
        return ""
    ((_, found),) = transcribe(
        system.recogniser, lambda _: samples, [len(samples) / RATE], not system.own_length, beams=system.beams
    )
    return found.text
