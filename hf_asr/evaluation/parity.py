"""One decode path, proved on each run: the saved folder under a plain pipeline() says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import pipeline

from hf_asr.data.audio import decode
from hf_asr.evaluation.evaluate import Prediction


@dataclass(frozen=True)
class Parity:
    """How many of `clips` hypotheses are equal, letter for letter; the others as (id, ours, pipeline's)."""

    clips: int
    equal: int
    differing: tuple[tuple[str, str, str], ...]


def parity(model: Path, clips: Dataset, predictions: Sequence[Prediction], limit: int = 20) -> Parity:
    """Compare `predictions` (of `clips`, in order) with pipeline("automatic-speech-recognition", model=folder)."""
    device = 0 if torch.cuda.is_available() else -1
    recognise: Any = pipeline("automatic-speech-recognition", model=str(model), device=device)
    differing = []
    for row, ours in zip(clips.select(range(min(limit, len(clips)))), predictions, strict=False):
        theirs = str(recognise(decode(row["audio"]))["text"]).strip()
        if theirs != ours.hypothesis:
            differing.append((ours.id, ours.hypothesis, theirs))
    count = min(limit, len(clips))
    return Parity(count, count - len(differing), tuple(differing))
