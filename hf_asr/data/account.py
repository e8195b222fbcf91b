"""data.json: what was used of what was given, and every clip left out with its reason."""

import math
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
        "replay": _replay(clips),
        "left_out_by_reason": dict(reasons),
        "warnings": list(clips.warnings),
        "checksum": clips.checksum,
        "own_checksum": clips.own_checksum or clips.checksum,  # without old data mixed in
        "left_out": [asdict(one) for one in clips.left_out],
    }


def _replay(clips: Clips) -> dict[str, Any] | None:
    """Those of train that are old data, and their share of the seconds of an epoch."""
    if not clips.old:
        return None
    columns = zip(*(clips.train[name][:] for name in ("id", "seconds", "weight")), strict=True)
    rows = [(identity in clips.old, seconds, seconds * weight) for identity, seconds, weight in columns]
    old = [row for row in rows if row[0]]
    return {
        "clips": len(old),
        "hours": math.fsum(seconds for _, seconds, _ in old) / 3600,
        "share_of_epoch": math.fsum(heard for *_, heard in old) / math.fsum(heard for *_, heard in rows),
    }


def _side(table: Dataset) -> dict[str, Any]:
    named = [speaker for speaker in table["speaker"][:] if speaker is not None]
    return {
        "clips": len(table),
        "hours": sum(table["seconds"][:]) / 3600,
        "speakers": len(set(named)),
        "unnamed": len(table) - len(named),  # clips that name no speaker
    }
