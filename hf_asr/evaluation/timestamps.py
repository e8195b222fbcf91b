"""Does Whisper still write timestamps that can be used? It is fine-tuned without them and may unlearn them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from torch import Tensor

from hf_asr.data.audio import AudioError, decode
from hf_asr.decoding.transcribe import RATE, segments
from hf_asr.models.recogniser import Recogniser
from hf_asr.models.whisper import FULL_SECONDS

CLIPS = 20  # at most
STEP = 0.01  # s, half of Whisper's step: what arithmetic may lose
WINDOWS = 6  # of a clip up to 30 s: one or two do; timestamps that never move on would take hours
TOLERANCE = 0.5  # s that a segment may end after the clip: Whisper likes whole seconds


@dataclass(frozen=True)
class Segment:
    """What was written between two timestamps: text, seconds, and how many timestamps there really were."""

    text: str
    start: float
    end: float
    stamps: int


def check_timestamps(recogniser: Recogniser, clips: Dataset, beams: int, limit: int = CLIPS) -> dict[str, Any]:
    """How many of the first clips (up to 30 s) get timestamps that can be used; [id, problem] of the others.

    Empty for CTC, whose times are frames. Unreadable clips are passed over: the test side names them.
    """
    if recogniser.family != "whisper":
        return {}
    recogniser.model.eval()
    looked, problems = 0, []
    short = [number for number, seconds in enumerate(clips["seconds"][:]) if seconds <= FULL_SECONDS]
    for row in clips.select(short[:limit]):
        try:
            samples = decode(row["audio"])
        except AudioError:
            continue
        looked += 1
        if told := _problem(recogniser, samples, beams):
            problems.append([row["id"], told])
    return {"clips": looked, "valid": looked - len(problems), "problems": problems}


class _Endless(Exception):
    """Too many windows for one clip."""


def _problem(recogniser: Recogniser, samples: np.ndarray, beams: int) -> str | None:
    windows = 0

    def watch(_: Tensor) -> None:
        nonlocal windows
        windows += 1
        if windows > WINDOWS:
            raise _Endless

    try:
        parts = segments(recogniser, samples, beams, watch)
    except _Endless:
        return "does not move on in time"
    return problem([_segment(recogniser, part) for part in parts], len(samples) / RATE)


def problem(found: Sequence[Segment], seconds: float) -> str | None:
    """What is wrong with the timestamps of a clip that lasts `seconds`, or None."""
    if not any(segment.stamps for segment in found):
        return "no timestamps"
    before = 0.0
    for segment in found:
        if segment.stamps < 2:
            return "a segment without its end"
        if not segment.text:
            return "a segment without text"
        if segment.start < before - STEP or segment.end < segment.start:
            return "goes back in time"
        if segment.end > seconds + TOLERANCE:
            return "ends after the clip"
        before = segment.end
    return None


def _segment(recogniser: Recogniser, part: dict[str, Any]) -> Segment:
    first = int(recogniser.model.generation_config.no_timestamps_token_id) + 1  # timestamps follow it
    tokens = [int(token) for token in part["tokens"]]
    # generate() gives a segment without an end that of the window: only the tokens tell
    return Segment(
        text=str(recogniser.processor.tokenizer.decode(tokens, skip_special_tokens=True)).strip(),
        start=float(part["start"]),
        end=float(part["end"]),
        stamps=sum(token >= first for token in tokens),
    )
