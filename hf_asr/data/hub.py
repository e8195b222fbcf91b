"""Hub datasets and parquet with the recordings inside: encoded bytes stay as they are, nothing is decoded."""

from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import pyarrow as pa
from datasets import Audio, Dataset
from pyarrow import parquet

from hf_asr.data.stream import NotInTables, column_names, only_split, stored_stream, tables_of, text_or_none
from hf_asr.data.tables import AUDIO, FEATURES, DataError, LeftOut, chapter, column, rows_of_split, to_dataset
from hf_asr.recipe import Source

CONVERTED = "refs/convert/parquet"  # the branch where the Hub keeps every dataset as parquet


def read_hub(source: Source, language: str | None) -> tuple[Dataset, list[LeftOut]]:
    """Rows of a Hub dataset (or of a folder that is laid out like one). Raises DataError, NotInTables."""
    options = _options(source, language)
    try:
        if source.streaming:
            return Dataset.from_file(str(stored_stream(source, options))), []
        builder = tables_of(source, options)
        builder.download_and_prepare()
        loaded = builder.as_dataset(split=source.split)
    except (DataError, NotInTables):
        raise
    except Exception as error:  # the client's errors share no base class
        raise _explained(source, error) from error
    return _clips(only_split(source, loaded), source), []


def from_parquet(path: Path, source: Source) -> Dataset | None:
    """A parquet table with the recordings inside; None when it only names files."""
    try:
        schema = parquet.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    stored = schema.field(column(source.audio_column, AUDIO, schema.names, "audio")).type
    if pa.types.is_string(stored) or pa.types.is_large_string(stored):
        return None
    loaded = datasets.load_dataset("parquet", data_files=str(path), split="train")
    if source.split:
        told = loaded["split"][:] if "split" in loaded.column_names else []
        loaded = loaded.select(rows_of_split(source.split, told, path))
    return _clips(loaded, source.model_copy(update={"split": source.split or path.stem}))


def snapshot(source: Source) -> Path:
    """The repository's files on this machine."""
    if Path(source.path).is_dir():
        return Path(source.path)
    try:
        return Path(huggingface_hub.snapshot_download(source.path, repo_type="dataset", revision=source.revision))
    except Exception as error:
        raise _explained(source, error) from error


def _options(source: Source, language: str | None) -> dict[str, Any]:
    config = source.config
    if config and "{language}" in config:
        if not language:
            raise DataError(f"config {config!r} of {source.path} needs the recipe's `language`")
        config = config.replace("{language}", language)
    options: dict[str, Any] = {"name": config, "revision": source.revision}
    if source.revision == CONVERTED and config:  # there a configuration is a folder without a name of its own
        options |= {"name": None, "data_dir": config}
    return options


def _clips(loaded: Dataset, source: Source) -> Dataset:
    """The columns of FEATURES; the recordings stay in the memory-mapped file they are in."""
    names = column_names(source, loaded.column_names)
    audio = loaded.select_columns([names["audio"]]).rename_columns({names["audio"]: "audio"})
    try:
        audio = audio.cast_column("audio", Audio(decode=False))
    except Exception as error:  # e.g. that torchcodec is missing, to encode samples with
        kind, name = loaded.features[names["audio"]], names["audio"]
        told = f"column {name!r} of {source.path} holds no recordings in a file format ({kind}):"
        raise DataError(f"{told} store it with cast_column({name!r}, Audio())") from error
    wanted = list({name for what, name in names.items() if name and what != "audio"})
    values = loaded.select_columns(wanted).with_format("arrow")[:].to_pydict()
    ids = _ids(values.get(names["id"] or ""), source.split or "train", len(loaded))
    texts = {what: _texts(values, names.get(what), len(ids)) for what in ("raw", "speaker", "group")}
    if "group" not in names:
        texts["group"] = [chapter(identity) for identity in ids]
    rows = [dict(zip(("id", *texts), values, strict=True)) for values in zip(ids, *texts.values(), strict=True)]
    others = to_dataset(rows).remove_columns("audio")
    return datasets.concatenate_datasets([audio, others], axis=1).select_columns(list(FEATURES))


def _ids(given: list[Any] | None, split: str, count: int) -> list[str]:
    """The dataset's own ids when they are distinct texts, else split and row number."""
    texts = [name for name in given or [] if isinstance(name, str) and name]
    return texts if len(set(texts)) == count else [f"{split}-{row}" for row in range(count)]


def _texts(values: dict[str, list[Any]], name: str | None, count: int) -> list[str | None]:
    given = values[name] if name else [None] * count
    return [text_or_none(value) for value in given]


def _explained(source: Source, error: Exception) -> DataError:
    text = " ".join(str(error).split())
    if "Dataset scripts are no longer supported" in text:
        return DataError(f"{source.path} is a script, which datasets no longer runs: try `revision: {CONVERTED}`")
    if "Couldn't find cache" in text:  # its own cache hides what was wrong at the Hub
        return DataError(f"{source.path}: {text}. Is the `config` right? An old script needs `revision: {CONVERTED}`")
    if isinstance(error, (ConnectionError, datasets.exceptions.DatasetNotFoundError)):
        return DataError(f"{source.path} is no folder here, and the Hub says: {text}")
    return DataError(f"{source.path} cannot be read: {text}")
