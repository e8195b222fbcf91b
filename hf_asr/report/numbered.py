"""A run's findings with clips and speakers by number, as they may be published: their names can be people's."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

NAMED = re.compile(r" \(.*\)$")  # warnings that name speakers and clips do so at their end, in brackets
RECORDING = "recording"  # the key in a numbered row of the name that the run's audio/index.json knows


def rows_and_results(
    rows: Iterable[Mapping[str, Any]], results: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """predictions.jsonl and results.json; speakers are numbered as on the card, those of its slices first."""
    rows, slices = list(rows), [dict(row) for row in results.get("slices") or ()]
    clips = {row["id"]: f"clip {number}" for number, row in enumerate(rows, 1)}
    told = [row["slice"] for row in slices if row["by"] == "speaker"]
    named = dict.fromkeys([*told, *(str(row["speaker"]) for row in rows if row.get("speaker"))])
    speakers = {name: f"speaker {number}" for number, name in enumerate(named, 1)}
    for row in slices:
        row["slice"] = speakers[row["slice"]] if row["by"] == "speaker" else row["slice"]
    numbered = [
        {**row, "id": clips[row["id"]], "speaker": speakers.get(str(row.get("speaker"))), RECORDING: row["id"]}
        for row in rows
    ]
    return numbered, {**_renamed(results, clips), "slices": slices}


def data(told: Mapping[str, Any]) -> dict[str, Any]:
    """data.json: clips left out by reason, not one by one."""
    warnings = [NAMED.sub("", str(warning)) for warning in told.get("warnings") or ()]
    return {**told, "warnings": warnings, "left_out": []}


def _renamed(value: Any, clips: Mapping[str, str]) -> Any:
    """JSON with clips by number wherever results.json lists some; those of train have none."""
    if isinstance(value, list):
        return [_renamed(one, clips) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _renamed(one, clips) for key, one in value.items()}
    if isinstance(found.get("unreadable"), list):
        found["unreadable"] = [clips.get(name, "a clip") for name in found["unreadable"]]
    for key in ("problems", "differing"):
        if isinstance(found.get(key), list):
            found[key] = [[clips.get(first, "a clip"), *rest] for first, *rest in found[key]]
    return found
