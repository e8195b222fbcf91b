"""Manifests (CSV, TSV, JSONL, parquet) row by row, with what is wrong beside each row; the one table made of them."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import Audio, Dataset, DatasetInfo, Features, Value
from datasets.table import InMemoryTable
from pyarrow import parquet

from hf_asr.errors import UserError

AUDIO = ("audio", "file_name", "path", "audio_filepath", "audio_path", "wav", "file")
TEXT = ("text", "sentence", "transcription", "transcript", "normalized_text", "raw_text", "raw_transcription")
SPEAKER = ("speaker", "speaker_id", "client_id")
LJSPEECH_ID = re.compile(r"(LJ\d{3})-\d{4}")
FEATURES = Features(
    {
        "id": Value("string"),
        "audio": Audio(decode=False),
        "raw": Value("string"),
        "speaker": Value("string"),
        "group": Value("string"),
    }
)


class DataError(UserError):
    """The data of a recipe cannot be used at all; the message says why and what to do."""


@dataclass(frozen=True)
class LeftOut:
    """A clip that is not used. `reason` is a short stable key, `detail` is for people."""

    id: str
    reason: str
    detail: str
    seconds: float


@dataclass(frozen=True)
class Line:
    """One row of a manifest; `problem` is (reason, detail) when it cannot be trusted."""

    where: str
    values: dict[str, str]
    problem: tuple[str, str] | None = None


def read_table(path: Path, header: Sequence[str] | None = None) -> tuple[list[str], list[Line]]:
    """Columns and rows of a manifest, values as text. Raises DataError when it cannot be read at all.

    A row with bytes that are not UTF-8 keeps its other values and says so; the other rows are not harmed.
    """
    readers: dict[str, Callable[[Path], Iterator[Line]]] = {".jsonl": _json_lines, ".parquet": _parquet_rows}
    try:
        with path.open("rb") as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise DataError(f"{path} is UTF-16: save it as UTF-8")
        reader = readers.get(path.suffix.lower())
        lines = list(reader(path) if reader else _delimited(path, header))
    except (OSError, csv.Error, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    columns = list(dict.fromkeys(name for line in lines for name in line.values))
    return columns, lines


def column(wanted: str | None, usual: Sequence[str], found: Sequence[str], what: str) -> str:
    """The column that holds `what`. Raises DataError naming the columns found."""
    name = optional_column(wanted, usual, found, what)
    if name is None:
        raise DataError(f"no column for the {what} among {', '.join(found)}: name it with `{what}_column`")
    return name


def optional_column(wanted: str | None, usual: Sequence[str], found: Sequence[str], what: str) -> str | None:
    """Like column, but without `wanted` it may be missing."""
    if wanted is not None and wanted not in found:
        raise DataError(f"no column {wanted!r} ({what}_column); there are {', '.join(found) or 'no columns'}")
    return wanted or next((name for name in usual if name in found), None)


def rows_of_split(split: str, told: Sequence[str | None], path: Path) -> list[int]:
    """Numbers of the rows whose column `split` says so. Raises DataError when there is none."""
    there = sorted({name for name in told if name})
    if split not in there:
        has = f"its column `split` has {', '.join(there[:5])}" if there else "it has no column `split`"
        raise DataError(f"`split: {split}`: no row of {path} says so; {has}")
    return [number for number, name in enumerate(told) if name == split]


def require_whole_files(lines: Sequence[Line]) -> None:
    """Raises DataError for a manifest of stretches, as NeMo writes them: `offset` seconds into a longer recording."""
    for line in lines:
        try:
            within = float(line.values.get("offset") or 0) > 0
        except ValueError:
            continue
        if within:
            raise DataError(
                f"{line.where} begins {line.values['offset']} s into its recording (column `offset`), which is not"
                " cut here: write each utterance as a file of its own"
            )


def inside(folder: Path, name: str) -> str | None:
    """Absolute path of a file named in a manifest, or None when the name leads out of the folder.

    Names are compared, links are not followed: a Hub snapshot is links to files elsewhere.
    """
    root = os.path.normpath(folder.absolute())
    path = os.path.normpath(Path(root) / name)
    return path if "\0" not in name and os.path.commonpath([root, path]) == root and path != root else None


def chapter(identity: str) -> str | None:
    """LJSpeech's ids begin with the chapter, which must not be on two sides."""
    match = LJSPEECH_ID.fullmatch(identity.rpartition("/")[2])
    return match[1] if match else None


def to_dataset(rows: Sequence[Mapping[str, Any]], features: Features = FEATURES) -> Dataset:
    """Rows as a table in memory; not by Dataset.from_list, which imports torchcodec to store a path."""
    table = pa.Table.from_pylist(list(rows), schema=features.arrow_schema)
    return Dataset(InMemoryTable(table), info=DatasetInfo(features=features))


def _delimited(path: Path, header: Sequence[str] | None) -> Iterator[Line]:
    # surrogateescape lets rows through whose bytes are not UTF-8, so that _checked can list them
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        first = file.readline()
        file.seek(0)
        if path.suffix.lower() == ".tsv" or header:  # Common Voice and LJSpeech quote nothing
            rows = csv.reader(file, delimiter="|" if header else "\t", quoting=csv.QUOTE_NONE)
        else:
            rows = csv.reader(file, delimiter=max(",;\t|", key=first.count), strict=True)
        names = list(header) if header else next(rows, [])
        for row in _quoted_soundly(rows, path):
            if not row:
                continue
            where = f"{path.name} line {rows.line_num}"
            values = dict(zip(names, row, strict=False))
            if len(row) > len(names) and not header:
                detail = f"{where} has {len(row)} fields, the header {len(names)}: quote what contains the delimiter"
                yield Line(where, values, ("malformed row", detail))
            else:
                yield _checked(where, values)


def _quoted_soundly(rows: Any, path: Path) -> Iterator[list[str]]:
    """What a csv reader gives. Raises DataError where a quotation mark would swallow the rows after it."""
    begun = rows.line_num + 1
    try:
        for row in rows:
            yield row
            begun = rows.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path} cannot be read from line {begun} on: {error}. A field that begins with a quotation mark must end"
            ' with one; one that belongs to the text is written "" in a quoted field'
        ) from None


def _json_lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            where = f"{path.name} line {number}"
            try:
                row = json.loads(text)
            except json.JSONDecodeError as error:
                yield Line(where, {}, ("malformed row", f"{where} is not JSON: {error.msg}"))
                continue
            if isinstance(row, dict):
                yield _checked(where, _texts(row))
            else:
                yield Line(where, {}, ("malformed row", f"{where} is not an object"))


def _parquet_rows(path: Path) -> Iterator[Line]:
    for number, row in enumerate(parquet.read_table(path).to_pylist(), 1):
        yield _checked(f"{path.name} row {number}", _texts(row))


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {str(name): "" if value is None else str(value) for name, value in row.items()}


def _checked(where: str, values: dict[str, str]) -> Line:
    spoiled = [name for name, value in values.items() if not _encodes(value)]
    if not spoiled:
        return Line(where, values)
    return Line(where, values, ("not UTF-8", f"{where}, {', '.join(map(ascii, spoiled))}: save it as UTF-8"))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
