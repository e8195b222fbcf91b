"""One table of clips from all sources, divided; every clip that cannot serve is listed with its reason."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value, concatenate_datasets

from hf_asr import run
from hf_asr.data.audio import AudioError
from hf_asr.data.durations import measure
from hf_asr.data.sources import read_source
from hf_asr.data.splits import SIDES, Row, divide
from hf_asr.data.tables import FEATURES, DataError, LeftOut, to_dataset
from hf_asr.recipe import Data, Source, Text
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import cut_off, normalise

__all__ = ["Clips", "DataError", "LeftOut", "load_clips"]

COLUMNS = ("id", "audio", "raw", "text", "seconds", "speaker", "group", "weight")
PLAIN = Features(
    {name: Value("string") for name in ("id", "raw", "text", "speaker", "group")}
    | {name: Value("float64") for name in ("seconds", "weight")}
)


@dataclass(frozen=True)
class Clips:
    """Three tables with COLUMNS, and everything that is in none: given == clips in them + left_out."""

    train: Dataset
    validation: Dataset
    test: Dataset
    left_out: tuple[LeftOut, ...]
    given: int
    given_seconds: float
    warnings: tuple[str, ...]
    checksum: str  # of ids, sides, texts and recordings
    old: frozenset[str] = frozenset()  # ids of those in train that training.replay brought
    own_checksum: str | None = None  # before they came; None without any


@dataclass(frozen=True)
class _Part:
    """What one source brought, its recordings looked at."""

    source: Source
    audio: Dataset
    rows: list[dict[str, Any]]  # PLAIN's columns, key: the recording's, and use: the source's
    problems: list[tuple[str, str] | None]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class Gathered:
    """The clips of some sources, before they are divided: every one is in `usable` or in `left_out`."""

    table: Dataset  # COLUMNS, a row each of `rows`
    rows: list[dict[str, Any]]  # PLAIN's columns, key: the recording's, and use: the source's
    usable: list[int]  # numbers of rows
    left_out: list[LeftOut]
    given: int
    given_seconds: float


def load_clips(data: Data, text: Text, language: str | None) -> Clips:
    """Read, measure, normalise and divide. Raises DataError, e.g. when nothing is usable."""
    found = gather(data.sources, data, text, language)
    rows, usable, left_out = found.rows, found.usable, found.left_out
    sides, warnings = divide([_divisible(rows[number]) for number in usable], data.splits)
    left_out = left_out + [
        leave_out(rows[number], side, "") for number, side in zip(usable, sides, strict=True) if side not in SIDES
    ]
    chosen = {side: [number for number, at in zip(usable, sides, strict=True) if at == side] for side in SIDES}
    return Clips(
        **{side: found.table.select(numbers) for side, numbers in chosen.items()},
        left_out=tuple(left_out),
        given=found.given,
        given_seconds=found.given_seconds,
        warnings=tuple(warnings + _same_recording(rows, chosen) + cut_off([rows[n]["raw"] for n in usable], text)),
        checksum=checksum(rows, chosen),
    )


def gather(sources: Sequence[Source], data: Data, text: Text, language: str | None) -> Gathered:
    """Read, measure and normalise. Raises DataError, e.g. when nothing is usable."""
    parts = _distinct([_part(source, data, text, language) for source in sources])
    rows = [row for part in parts for row in part.rows]
    problems = [problem for part in parts for problem in part.problems]
    unread = [one for part in parts for one in part.left_out]
    left_out = unread + [leave_out(row, *problem) for row, problem in zip(rows, problems, strict=True) if problem]
    usable = [number for number, problem in enumerate(problems) if not problem]
    if not usable:
        raise DataError(nothing_usable(left_out))
    return Gathered(
        table=concatenate_datasets([_with_columns(part) for part in parts if part.rows]),
        rows=rows,
        usable=usable,
        left_out=left_out,
        given=len(rows) + len(unread),
        given_seconds=math.fsum([row["seconds"] for row in rows] + [one.seconds for one in unread]),
    )


def nothing_usable(left_out: Sequence[LeftOut]) -> str:
    """One message with every reason, its count, and an example."""
    if not left_out:
        return "the sources hold no clips at all"
    first = {one.reason: one for one in reversed(left_out)}
    counts = Counter(one.reason for one in left_out).most_common()
    lines = [f"  {count} {reason}: {first[reason].id} {first[reason].detail}".rstrip() for reason, count in counts]
    return "\n".join([f"none of {len(left_out)} clips can be used:", *lines])


def _part(source: Source, data: Data, text: Text, language: str | None) -> _Part:
    earlier = _run_folder(source)
    table, left_out = (_side(earlier, source.split), []) if earlier else read_source(source, language)
    rows: list[dict[str, Any]] = []
    problems: list[tuple[str, str] | None] = []
    limit = math.inf if source.hours is None else source.hours * 3600
    taken: list[float] = []
    plain = table.remove_columns("audio")
    for row, (key, seconds) in zip(plain, measure(_recordings(table), len(table)), strict=True):
        if math.fsum(taken[-1:]) >= limit:
            break
        raw = row["raw"] or ""
        used = normalise(raw, text, language)
        known = 0.0 if isinstance(seconds, AudioError) else seconds
        taken.append((taken[-1] if taken else 0.0) + known)
        own = {"raw": raw, "text": used, "seconds": known, "weight": source.weight, "key": key, "use": source.use}
        rows.append(row | own)
        problems.append(_problem(raw, used, seconds, data))
    return _Part(source, table.select(range(len(rows))).select_columns("audio"), rows, problems, left_out)


def _run_folder(source: Source) -> Path | None:
    folder = Path(source.path).expanduser()
    found = (folder / run.RECIPE).is_file() and (folder / run.DATA).is_file()
    return folder if source.format == "run" or (source.format == "auto" and found) else None


def _side(folder: Path, side: str | None) -> Dataset:
    """One side of an earlier run, divided as it was. Raises DataError when it no longer is."""
    if side not in SIDES:
        raise DataError(f"{folder} is a run: say with `split` which side of it: {', '.join(SIDES)}")
    told = recipe_file.load(str(folder), check_exists=False)
    try:
        clips = load_clips(told.data, told.text, told.language)
    except DataError as error:
        raise DataError(f"the recordings of {folder}: {error}") from error
    require_unchanged(str(folder), (), clips)
    found: Dataset = getattr(clips, str(side))
    return found.select_columns(list(FEATURES))


def require_unchanged(name: str, overrides: Sequence[str], clips: Clips) -> None:
    """Raises DataError when `name` is a run folder whose data, as `load_clips` has them, are no longer those it used.

    They would be divided otherwise, and clips that the run was trained on may lie in test.
    """
    kept = Path(name) / run.DATA
    if not kept.is_file() or any(one.startswith(("data.", "text.", "language")) for one in overrides):
        return
    told = run.read_json(kept)
    before = told.get("own_checksum") or (None if told["replay"] else told["checksum"])
    if before is not None and before != clips.checksum:
        raise DataError(f"the recordings or transcripts of {name} changed since it ran: its sides are lost")


def _recordings(table: Dataset) -> Iterator[Mapping[str, Any]]:
    """The audio column, a few rows at a time: with stored bytes the whole would not fit in memory."""
    for batch in table.select_columns("audio").with_format("arrow").iter(batch_size=32):
        for audio in batch["audio"].to_pylist():
            yield audio or {"bytes": None, "path": None}


def _problem(raw: str, text: str, seconds: float | AudioError, data: Data) -> tuple[str, str] | None:
    """Why a clip cannot serve: (reason, detail), or None."""
    if isinstance(seconds, AudioError):
        return ("no recording" if str(seconds).startswith("no recording") else "unreadable"), str(seconds)
    if not text.strip():
        return "empty transcript", f"nothing is left of {raw!r}" if raw.strip() else ""
    if seconds < data.min_seconds:
        return "too short", f"{seconds:.2f} s, min_seconds is {data.min_seconds:g}"
    if seconds > data.max_seconds:
        return "too long", f"{seconds:.1f} s, max_seconds is {data.max_seconds:g}"
    return None


def _distinct(parts: list[_Part]) -> list[_Part]:
    """The same with every id once: the source's number before it where two sources share ids, #2 within one."""
    names = [{row["id"] for row in part.rows} for part in parts]
    shared = len(set().union(*names)) < sum(map(len, names))
    result = []
    for number, part in enumerate(parts):
        prefix = f"{number}/" if shared else ""
        seen: Counter[str] = Counter()
        ids: set[str] = set()
        for row in part.rows:
            identity = row["id"]
            while identity in ids:
                seen[row["id"]] += 1
                identity = f"{row['id']}#{seen[row['id']] + 1}"
            ids.add(identity)
            row["id"] = prefix + identity
        result.append(replace(part, left_out=[replace(one, id=prefix + one.id) for one in part.left_out]))
    return result


def _with_columns(part: _Part) -> Dataset:
    """COLUMNS beside each other; the recordings are not copied."""
    plain = to_dataset([{name: row[name] for name in PLAIN} for row in part.rows], PLAIN)
    audio = part.audio.cast_column("audio", FEATURES["audio"])
    return concatenate_datasets([plain, audio], axis=1).select_columns(list(COLUMNS))


def _divisible(row: Mapping[str, Any]) -> Row:
    return Row(row["id"], row["text"], row["seconds"], row["speaker"], row["group"], row["use"])


def leave_out(row: Mapping[str, Any], reason: str, detail: str) -> LeftOut:
    return LeftOut(row["id"], reason, detail, row["seconds"])


def _same_recording(rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, Sequence[int]]) -> list[str]:
    """Recordings that occur twice among the clips used."""
    first: dict[str, tuple[str, str]] = {}
    twice: list[tuple[str, str, bool]] = []
    for side, numbers in chosen.items():
        for number in numbers:
            key, identity = rows[number]["key"], rows[number]["id"]
            if key in first:
                twice.append((first[key][1], identity, first[key][0] != side))
            first.setdefault(key, (side, identity))
    if not twice:
        return []
    across = sum(crosses for _, _, crosses in twice)
    pairs = ", ".join(f"{one} = {other}" for one, other, _ in sorted(twice, key=lambda pair: not pair[2])[:5])
    return [f"{len(twice)} recordings occur twice, {across} of them on two sides ({pairs}{', ...' * (len(twice) > 5)})"]


def checksum(rows: Sequence[Mapping[str, Any]], chosen: Mapping[str, Sequence[int]]) -> str:
    """SHA-256 of the division, whatever the order of the rows."""
    lines = [
        f"{side}\0{rows[number]['id']}\0{rows[number]['text']}\0{rows[number]['key']}"
        for side, numbers in chosen.items()
        for number in numbers
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
