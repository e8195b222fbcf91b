"""The beginning of a Hub dataset, kept on disk: encoded bytes as they come, never more than a few rows in memory."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow as pa
from datasets import Audio, IterableDataset
from datasets.packaged_modules.audiofolder.audiofolder import AudioFolder

from hf_asr.data.audio import AudioError, probe
from hf_asr.data.durations import cache_folder
from hf_asr.data.tables import AUDIO, FEATURES, SPEAKER, TEXT, DataError, chapter, column, optional_column
from hf_asr.recipe import Source

IDS = ("id", "utterance_id", "utt_id", "segment_id")
COLUMNS = {"audio_column", "text_column", "speaker_column", "group_column"}
ROWS_AT_ONCE = 32  # of a stream, before they are written


class NotInTables(Exception):
    """The repository holds audio files, not rows: it must be read as a folder."""


def tables_of(source: Source, options: dict[str, Any]) -> Any:
    """The builder of a dataset of rows. Raises NotInTables.

    What datasets would read as an audiofolder needs torchcodec, and its rows have no names of their own.
    """
    builder = datasets.load_dataset_builder(source.path, **options)
    if isinstance(builder, AudioFolder):
        raise NotInTables(source.path)
    return builder


def only_split(source: Source, loaded: Any) -> Any:
    """The split asked for, or the one there is. Raises DataError naming them when there are more."""
    if not isinstance(loaded, dict):
        return loaded
    if len(loaded) > 1:
        raise DataError(f"{source.path} has the splits {', '.join(loaded)}: choose with `split`, its side with `use`")
    return next(iter(loaded.values()))


def column_names(source: Source, found: list[str]) -> dict[str, str | None]:
    """Which columns of the dataset hold what."""
    names = {
        "id": next((name for name in IDS if name in found), None),
        "audio": column(source.audio_column, AUDIO, found, "audio"),
        "raw": column(source.text_column, TEXT, found, "text"),
        "speaker": optional_column(source.speaker_column, SPEAKER, found, "speaker"),
        "group": optional_column(source.group_column, ("group",), found, "group"),
    }
    return {name: given for name, given in names.items() if name == "id" or given}


def text_or_none(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def stored_stream(source: Source, options: dict[str, Any]) -> Path:
    """An Arrow file with the beginning of a stream, made once for each commit of the dataset."""
    spec = json.dumps(
        [source.path, options, source.split, source.hours, source.model_dump(include=COLUMNS)], sort_keys=True
    )
    stem = hashlib.sha256(spec.encode()).hexdigest()[:16]
    folder = cache_folder() / "streams"
    folder.mkdir(parents=True, exist_ok=True)
    stored = sorted(folder.glob(f"{stem}-*.arrow"), key=lambda path: path.stat().st_mtime)
    try:
        commit = "local" if Path(source.path).is_dir() else _commit(source)
    except Exception:  # offline: what is stored serves, whatever its commit
        if stored:
            return stored[-1]
        raise
    path = folder / f"{stem}-{commit}.arrow"
    if path in stored and commit != "local":
        return path
    stream = only_split(source, tables_of(source, options).as_streaming_dataset(split=source.split))
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        _write(partial, _rows_of(stream, source))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _commit(source: Source) -> str:
    return str(huggingface_hub.HfApi().dataset_info(source.path, revision=source.revision).sha)[:12]


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Rows as an Arrow stream, a few at a time, so that a long stream never fills the memory."""
    schema = FEATURES.arrow_schema
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_AT_ONCE:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
                batch = []
        if batch:
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))


def _rows_of(stream: IterableDataset, source: Source) -> Iterator[dict[str, Any]]:
    """Rows with FEATURES' columns until there are enough hours; a clip's bytes as the dataset has them."""
    columns = stream.column_names or list(next(iter(stream.take(1)), {}))
    names = column_names(source, columns)
    stream = stream.cast_column(names["audio"], Audio(decode=False))
    seconds, seen = 0.0, set()
    for number, row in enumerate(stream):
        if source.hours is not None and seconds >= source.hours * 3600:
            return
        audio = row[names["audio"]] or {"bytes": None, "path": None}
        with suppress(AudioError):  # kept all the same: load_clips lists it with the reason
            seconds += probe(audio)
        own = row.get(names["id"] or "")
        identity = own if isinstance(own, str) and own and own not in seen else f"{source.split or 'train'}-{number}"
        seen.add(identity)
        texts = {what: text_or_none(row[name]) for what, name in names.items() if name and what not in ("id", "audio")}
        yield {"group": chapter(identity)} | texts | {"id": identity, "audio": audio}
