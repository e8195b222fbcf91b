"""Where recordings and transcripts lie, read into one table: id, audio, raw, speaker, group.

`load_dataset("audiofolder")` is not used: it imports torchcodec even when nothing is decoded.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from hf_asr.data.audio import AudioError
from hf_asr.data.durations import durations
from hf_asr.data.hub import from_parquet, read_hub, snapshot
from hf_asr.data.stream import NotInTables
from hf_asr.data.tables import (
    AUDIO,
    SPEAKER,
    TEXT,
    DataError,
    LeftOut,
    Line,
    chapter,
    column,
    inside,
    optional_column,
    read_table,
    require_whole_files,
    rows_of_split,
    to_dataset,
)
from hf_asr.recipe import Source
from hf_asr.recipe.folders import files_below

AUDIO_FILES = (
    ".wav",
    ".flac",
    ".ogg",
    ".opus",
    ".mp3",
    ".m4a",
    ".mp4",
    ".webm",
    ".aac",
    ".wma",
    ".aiff",
    ".aif",
    ".au",
)
TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")


def read_source(source: Source, language: str | None) -> tuple[Dataset, list[LeftOut]]:
    """Rows of one source, and what in it is no usable row. Raises DataError.

    Columns: id (the same on every machine), audio (stored bytes, or an absolute path), raw (the transcript
    as written), speaker and group (or None). Rows are in the order of the source.
    """
    if source.path.startswith("embedded:"):
        return _audiofolder(_embedded(source.path.removeprefix("embedded:")), source)
    path = Path(source.path).expanduser()
    kind = _format(path, source.path) if source.format == "auto" else source.format
    if kind == "hub":
        try:
            return read_hub(source, language)
        except NotInTables:  # a repository of audio files and a metadata.csv
            return _audiofolder(snapshot(source), source)
    if not path.exists():
        raise DataError(f"no such file or folder: {path.absolute()}")
    read = {"table": _table, "ljspeech": _ljspeech, "common_voice": _common_voice, "audiofolder": _audiofolder}[kind]
    return read(path, source)


def _format(path: Path, given: str) -> str:
    if path.is_file():
        return "table"
    if path.is_dir():
        if (path / "wavs").is_dir() and _has_bars(path / "metadata.csv"):
            return "ljspeech"
        if (path / "clips").is_dir() and any(path.glob("*.tsv")):
            return "common_voice"
        parquet = any(file.suffix == ".parquet" for file in files_below(path))
        return "hub" if parquet and not _metadata_files(path, None) else "audiofolder"
    if path.suffix.lower() in TABLES or not HUB_ID.fullmatch(given):
        raise DataError(f"no such file or folder: {path.absolute()}")
    return "hub"


def _has_bars(path: Path) -> bool:
    """LJSpeech's metadata.csv has `|` between its fields."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"|" in file.readline()


def _embedded(name: str) -> Path:
    assets = Path(__file__).parents[1] / "assets"
    found = sorted(folder.name for folder in assets.glob("*") if _metadata_files(folder, None))
    if name not in found:
        raise DataError(f"no embedded data named {name!r}; there is {', '.join(found) or 'none'}")
    return assets / name


def _metadata_files(folder: Path, split: str | None) -> list[Path]:
    """metadata.csv and its like, in the folder or in one folder a split, as audiofolder has them."""
    found = sorted(path for path in files_below(folder) if path.name.startswith("metadata."))
    files = [path for path in found if path.suffix.lower() in TABLES]
    return [path for path in files if not split or split in path.relative_to(folder).parts] or files


def _audiofolder(folder: Path, source: Source) -> tuple[Dataset, list[LeftOut]]:
    manifests = _metadata_files(folder, source.split)
    if not manifests:
        tables = sorted(path for path in folder.glob("*") if path.suffix.lower() in TABLES)
        named = f"; is it {tables[0].name}? Then path: {tables[0]}" if tables else ""
        raise DataError(
            f"{folder} has no metadata.csv (or .tsv, .jsonl, .parquet): a table with file_name and text{named}"
        )
    rows: list[dict[str, Any]] = []
    left: list[LeftOut] = []
    for manifest in manifests:
        columns, lines = read_table(manifest)
        new_rows, new_left = _rows(lines, columns, source, manifest.parent, folder)
        rows, left = rows + new_rows, left + new_left
    if source.split and not any(source.split in path.relative_to(folder).parts for path in manifests):
        # one table over all splits, each a folder of recordings
        rows = [row for row in rows if source.split in Path(row["id"]).parts]
        left = [one for one in left if source.split in Path(one.id).parts]
        if not rows:
            raise DataError(f"`split: {source.split}`: no table and no recording of {folder} lies in such a folder")
        return to_dataset(rows), left
    listed = {row["audio"]["path"] for row in rows} | {left_out.id for left_out in left}
    whole = len(manifests) == len(_metadata_files(folder, None))
    strangers = [path for path in _audio_files(folder) if whole and not {path, _id(folder, path)} & listed]
    detail = f"no row in {', '.join(path.name for path in manifests[:3])} names it"
    left += _seconds([(path, LeftOut(_id(folder, path), "no transcript", detail, 0.0)) for path in strangers])
    return to_dataset(rows), left


def _audio_files(folder: Path) -> list[str]:
    # without `..`, as rows name their files
    whole = Path(os.path.normpath(folder.absolute()))
    paths = (path for path in files_below(whole) if path.suffix.lower() in AUDIO_FILES)
    return sorted(str(path) for path in paths if not path.name.startswith("."))


def _table(path: Path, source: Source) -> tuple[Dataset, list[LeftOut]]:
    if path.suffix.lower() not in TABLES:
        raise DataError(f"{path} is not one of {', '.join(TABLES)}")
    if path.suffix.lower() == ".parquet":
        stored = from_parquet(path, source)
        if stored is not None:
            return stored, []
    columns, lines = read_table(path)
    if source.split:
        kept = rows_of_split(source.split, [line.values.get("split") for line in lines], path)
        lines = [lines[number] for number in kept]
    rows, left = _rows(lines, columns, source, path.parent, path.parent)
    return to_dataset(rows), left


def _ljspeech(folder: Path, source: Source) -> tuple[Dataset, list[LeftOut]]:
    """LJSpeech-1.1 as extracted; columns are called as on the Hub, normalized_text is the default."""
    if source.split:
        raise DataError(f"`split: {source.split}`: {folder} is an LJSpeech folder, which has none: leave it out")
    columns, lines = read_table(folder / "metadata.csv", header=("id", "text", "normalized_text"))
    for line in lines:
        line.values["file_name"] = f"wavs/{line.values['id']}.wav"
        if not line.values.get("normalized_text"):
            line.values["normalized_text"] = line.values.get("text", "")
    source = source.model_copy(update={"text_column": source.text_column or "normalized_text"})
    rows, left = _rows(lines, ["file_name", *columns], source, folder, folder / "wavs")
    return to_dataset(rows), left


def _common_voice(folder: Path, source: Source) -> tuple[Dataset, list[LeftOut]]:
    manifest = folder / f"{source.split or 'train'}.tsv"
    if not manifest.is_file():
        names = ", ".join(sorted(path.stem for path in folder.glob("*.tsv")))
        raise DataError(f"no {manifest.name} in {folder}; `split` can be {names or 'nothing: there is no .tsv'}")
    columns, lines = read_table(manifest)
    if columns:
        audio = column(source.audio_column, ("path", *AUDIO), columns, "audio")
        for line in lines:  # releases up to 2 wrote no ending
            if (name := line.values.get(audio)) and not Path(name).suffix:
                line.values[audio] = f"{name}.mp3"
    rows, left = _rows(lines, columns, source, folder / "clips", folder / "clips")
    return to_dataset(rows), left


def _rows(
    lines: Iterable[Line], columns: Sequence[str], source: Source, folder: Path, root: Path
) -> tuple[list[dict[str, Any]], list[LeftOut]]:
    """Rows whose file is there, and the others. Names are relative to `folder`, ids to `root`."""
    lines = list(lines)
    if not lines:
        return [], []
    audio = column(source.audio_column, ("file_name", *AUDIO), columns, "audio")
    text = column(source.text_column, TEXT, columns, "text")
    speaker = optional_column(source.speaker_column, SPEAKER, columns, "speaker")
    group = optional_column(source.group_column, ("group",), columns, "group")
    require_whole_files(lines)
    rows: list[dict[str, Any]] = []
    left: list[tuple[str | None, LeftOut]] = []
    for line in lines:
        name = line.values.get(audio, "")
        readable = name and name.isprintable() and not (line.problem and line.problem[0] == "malformed row")
        path = inside(folder, name) if readable else None
        problem = line.problem or _file_problem(line, name, path)
        if problem:
            reference = _id(root, path) if path else name if readable else line.where
            left.append((path, LeftOut(reference, *problem, 0.0)))
            continue
        identity = _id(root, str(path))
        rows.append(
            {
                "id": identity,
                "audio": {"bytes": None, "path": path},
                "raw": line.values.get(text, ""),
                "speaker": line.values.get(speaker or "") or None,
                "group": line.values.get(group, "") or None if group else chapter(identity),
            }
        )
    return rows, _seconds(left)


def _file_problem(line: Line, name: str, path: str | None) -> tuple[str, str] | None:
    if not name:
        return "no recording", f"{line.where} names no file"
    if path is None:
        return ("path outside the folder", f"{line.where} names {name!r}: keep the table beside its recordings")
    if not _is_file(path):
        return "no recording", f"{line.where} names {name!r}, which is not there"
    return None


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # e.g. the name is too long
        return False


def _seconds(left: Sequence[tuple[str | None, LeftOut]]) -> list[LeftOut]:
    """The same with the length of those recordings that can be read all the same."""
    measured = durations({"path": path, "bytes": None} for path, _ in left)
    return [
        left_out if isinstance(seconds, AudioError) else LeftOut(left_out.id, left_out.reason, left_out.detail, seconds)
        for (_, left_out), seconds in zip(left, measured, strict=True)
    ]


def _id(root: Path, path: str) -> str:
    return Path(os.path.relpath(path, root)).with_suffix("").as_posix()
