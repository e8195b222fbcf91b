"""data.json: what was used of what was given, and every clip left out with its reason."""

from collections import defaultdict
from dataclasses import asdict
from typing import Any

from datasets import Dataset

from hf_asr.data.clips import Clips


def account(clips: Clips) -> dict[str, Any]:
    reasons: dict[str, dict[str, float]] = defaultdict(lambda: {"clips": 0, "hours": 0.0})
    for one in clips.left_out:
        reasons[one.reason]["clips"] += 1
        reasons[one.reason]["hours"] += one.seconds / 3600
    return {
        "given": clips.given,
        "given_hours": clips.given_seconds / 3600,
        "sides": {"train": _side(clips.train), "validation": _side(clips.validation), "test": _side(clips.test)},
        "left_out_by_reason": dict(reasons),
        "warnings": list(clips.warnings),
        "checksum": clips.checksum,
        "left_out": [asdict(one) for one in clips.left_out],
    }


def _side(table: Dataset) -> dict[str, Any]:
    speakers = {speaker for speaker in table["speaker"] if speaker is not None}
    return {"clips": len(table), "hours": sum(table["seconds"]) / 3600, "speakers": len(speakers)}
