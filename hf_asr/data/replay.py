"""Old data mixed into training, against forgetting: its clips go to train only, and make a share of each epoch."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from datasets import Dataset, Features, Value, concatenate_datasets

from hf_asr.data.clips import COLUMNS, Clips, Gathered, checksum, gather, leave_out, nothing_usable
from hf_asr.data.durations import content_key
from hf_asr.data.splits import TEST, TRAIN, VALIDATION, transcript_key
from hf_asr.data.tables import DataError, to_dataset
from hf_asr.recipe import Data, Replay, Text

PREFIX = "replay/"  # of the ids, so that data.sources' own stay what they are without replay
SHARED = ("transcript", "speaker", "group", "recording")  # what old data must not have in common with a held-out side


def with_replay(clips: Clips, replay: Replay | None, data: Data, text: Text, language: str | None) -> Clips:
    """The clips with old ones beside them in train; validation and test stay as they are, and so do all ids.

    Old clips that share transcript, speaker, group or recording with validation or test are left out and
    listed, like all others that cannot serve. Raises DataError when none can be trained on.
    """
    if replay is None:
        return clips
    prefix = PREFIX
    while any(identity.startswith(prefix) for side in (*_held_out(clips), clips.train) for identity in side["id"][:]):
        prefix = f"old-{prefix}"
    try:
        found = gather(replay.sources, data, text, language)
    except DataError as error:
        raise DataError(f"training.replay: {error}") from error
    reasons = _leaks(found, clips)
    kept = [number for number in found.usable if number not in reasons]
    lost = [*found.left_out, *(leave_out(found.rows[at], reason, "") for at, reason in reasons.items())]
    lost = [replace(one, id=prefix + one.id) for one in lost]
    if not kept:
        raise DataError(f"training.replay: {nothing_usable(lost)}")
    table = _prefixed(found.table, prefix)
    old = table.select(kept)
    told = f"{clips.checksum} {checksum(found.rows, {TRAIN: kept})}"
    return balanced(
        replace(
            clips,
            train=concatenate_datasets([clips.train, old]),
            left_out=(*clips.left_out, *lost),
            given=clips.given + found.given,
            given_seconds=clips.given_seconds + found.given_seconds,
            own_checksum=clips.checksum,
            checksum=hashlib.sha256(told.encode()).hexdigest(),
            old=frozenset(old["id"][:]),
        ),
        replay,
    )


def balanced(clips: Clips, replay: Replay | None) -> Clips:
    """The same with weights by which old clips make `share` of an epoch's seconds; among themselves they keep theirs.

    To be called again whenever clips leave train. Raises DataError when only old or only new ones are left there.
    """
    if replay is None:
        return clips
    identities, seconds, weights = (clips.train[name][:] for name in ("id", "seconds", "weight"))
    parts: dict[bool, list[float]] = {True: [], False: []}
    for identity, length, weight in zip(identities, seconds, weights, strict=True):
        parts[identity in clips.old].append(length * weight)
    new, old = math.fsum(parts[False]), math.fsum(parts[True])
    if not new or not old:
        there, missing = ("training.replay", "data.sources") if old else ("data.sources", "training.replay")
        raise DataError(f"only clips of {there} are left to train on, none of {missing}: data.json says why of each")
    factor = replay.share / (1 - replay.share) * new / old
    return replace(
        clips,
        train=_weighted(
            clips.train,
            {
                identity: weight * factor if identity in clips.old else weight
                for identity, weight in zip(identities, weights, strict=True)
            },
        ),
    )


def _held_out(clips: Clips) -> tuple[Dataset, Dataset]:
    return clips.validation, clips.test


def _leaks(found: Gathered, clips: Clips) -> dict[int, str]:
    """Rows that must not be trained on, by number, with the reason."""
    held = {VALIDATION: _held(clips.validation), TEST: _held(clips.test)}
    reasons: dict[int, str] = {}
    for number in found.usable:
        own = dict(_marks(found.rows[number], found.rows[number]["key"]))
        shared = (
            f"{mark} also in {side}" for side in (TEST, VALIDATION) for mark in own if own[mark] in held[side][mark]
        )
        if reason := next(shared, None):
            reasons[number] = reason
    return reasons


def _held(table: Dataset) -> dict[str, set[str]]:
    """What the clips of a side are known by."""
    known: dict[str, set[str]] = {mark: set() for mark in SHARED}
    for row in table:
        for mark, value in _marks(row, content_key(row["audio"])):
            known[mark].add(value)
    return known


def _marks(row: Mapping[str, Any], recording: str) -> Iterator[tuple[str, str]]:
    values = (transcript_key(row["text"]), row["speaker"], row["group"], recording)
    return ((mark, value) for mark, value in zip(SHARED, values, strict=True) if value)


def _prefixed(table: Dataset, prefix: str) -> Dataset:
    return _with_column(table, "id", "string", [prefix + identity for identity in table["id"][:]])


def _weighted(train: Dataset, weights: Mapping[str, float]) -> Dataset:
    """The same clips with these weights. Dataset.add_column would first write a selection's recordings to disk."""
    whole = Dataset(train.data, info=train.info)  # `train` is a selection of it
    identities = whole["id"][:]
    place = {identity: number for number, identity in enumerate(identities)}
    table = _with_column(whole, "weight", "float64", [weights.get(identity, 0.0) for identity in identities])
    return table.select([place[identity] for identity in train["id"][:]])


def _with_column(table: Dataset, name: str, kind: str, values: list[Any]) -> Dataset:
    column = to_dataset([{name: value} for value in values], Features({name: Value(kind)}))
    # the column comes first: a table of stored recordings ends in a block without rows, to which none can be added
    return concatenate_datasets([column, table.remove_columns(name)], axis=1).select_columns(list(COLUMNS))
