"""Preflight: what the model at hand cannot be trained on, and what the data look like. Pure: no model, no printing."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from datasets import Dataset

from hf_asr.data.audio import RATE
from hf_asr.data.clips import Clips, DataError, LeftOut, nothing_usable
from hf_asr.data.splits import SIDES

# table["text"][:] is one list at once; without [:] datasets fetches row by row (20 times slower)
NAMED = 5  # clips told by name for each reason that clips are left out for
RARE = 5  # a character seen fewer times in train is hardly learned
LITTLE = 600  # s of training audio below which a run says so
OUTLIER = 5.0  # robust standard deviations of log(characters a second)
SPREAD = 0.1  # and never taken for smaller than this, so that even readers do not make outliers
PERCENTILES = (0, 5, 25, 50, 75, 95, 99, 100)
WIDTH = 40  # characters of the longest bar of the histogram
OPTIMISER = 12  # bytes a parameter in a checkpoint: float32 weight and AdamW's two moments


@dataclass(frozen=True)
class Side:
    """One side of the division."""

    clips: int
    seconds: float
    speakers: int


@dataclass(frozen=True)
class Report:
    """What `hf-asr check` shows; plain data."""

    sides: dict[str, Side]
    given: int
    given_seconds: float
    left_out: dict[str, tuple[int, float]]  # reason: clips, seconds
    named: dict[str, tuple[str, ...]]  # reason: the first NAMED of these clips, with what is wrong
    characters: dict[str, int]  # in train, most frequent first
    rare: dict[str, int]  # those below RARE
    unseen: dict[str, int]  # test's that train does not have
    label_lengths: dict[int, float]  # percentile: labels a clip, train
    durations: dict[int, float]  # percentile: seconds, train
    histogram: str
    steps_per_epoch: int | None
    disk_bytes: int
    warnings: tuple[str, ...]


def fits(
    clips: Clips,
    encode: Callable[[str], list[int]],
    frames_of: Callable[[int], int] | None,
    label_limit: int | None,
    unknown: Callable[[str], set[str]],
    unknown_are: str = "characters outside the vocabulary",
) -> Clips:
    """The clips without those that cannot be trained on; they are in left_out then.

    CTC gives `frames_of` (samples at 16 kHz to logit frames), Whisper `label_limit`. Only train loses clips:
    without its hard ones, validation and test would flatter the score, so there they are only counted.
    Raises DataError when nothing is left to train on.
    """
    found: dict[str, dict[int, tuple[str, str]]] = {}
    for side, table in _sides(clips).items():
        problems = [
            _misfit(text, seconds, encode, frames_of, label_limit, unknown, unknown_are)
            for text, seconds in zip(table["text"][:], table["seconds"][:], strict=True)
        ]
        found[side] = {number: problem for number, problem in enumerate(problems) if problem}
    warnings = [
        f"{side} keeps {count} clips with this problem: {reason}; without them the score would be flattered"
        for side in ("validation", "test")
        for reason, count in Counter(reason for reason, _ in found[side].values()).items()
    ]
    lost = [
        LeftOut(clips.train["id"][number], reason, detail, clips.train["seconds"][number])
        for number, (reason, detail) in found["train"].items()
    ]
    left_out = (*clips.left_out, *lost)
    if len(lost) == len(clips.train):
        raise DataError(f"no clip is left to train on; {nothing_usable(left_out)}")
    kept = [number for number in range(len(clips.train)) if number not in found["train"]]
    train = clips.train.select(kept) if lost else clips.train
    return replace(clips, train=train, left_out=left_out, warnings=(*clips.warnings, *warnings))


def frames_needed(labels: Sequence[int]) -> int:
    """Frames a CTC alignment takes: one a label, and a blank between two that are equal (Graves et al. 2006)."""
    return len(labels) + sum(one == other for one, other in pairwise(labels))


def _misfit(
    text: str,
    seconds: float,
    encode: Callable[[str], list[int]],
    frames_of: Callable[[int], int] | None,
    label_limit: int | None,
    unknown: Callable[[str], set[str]],
    unknown_are: str,
) -> tuple[str, str] | None:
    """Why one clip cannot be trained on: (reason, detail), or None."""
    if strange := unknown(text):
        return unknown_are, " ".join(sorted(strange))
    labels = encode(text)
    if label_limit is not None and len(labels) > label_limit:
        return f"over {label_limit} tokens", f"{len(labels)} tokens"
    if frames_of is not None:
        frames, needed = frames_of(round(seconds * RATE)), frames_needed(labels)
        if frames < needed:
            return ("not alignable", f"{frames} frames in {seconds:.2f} s, the transcript needs {needed}")
    return None


def report(
    clips: Clips,
    encode: Callable[[str], list[int]] | None = None,
    batch_seconds: float | None = None,
    parameters: int | None = None,
    checkpoints: int = 2,
) -> Report:
    """What the data look like. `encode` gives label lengths (else characters); sizes are optional.

    `checkpoints` are those kept at a time, latest and best; audio is never stored a second time.
    """
    train, test = (Counter("".join(table["text"][:])) for table in (clips.train, clips.test))
    for counts in (train, test):
        counts.pop(" ", None)
    reasons = Counter(one.reason for one in clips.left_out)
    lost = {
        reason: (count, math.fsum(one.seconds for one in clips.left_out if one.reason == reason))
        for reason, count in reasons.most_common()
    }
    seconds = list(clips.train["seconds"][:])
    epoch = math.fsum(one * weight for one, weight in zip(seconds, clips.train["weight"][:], strict=True))
    return Report(
        sides={side: _side(table) for side, table in _sides(clips).items()},
        given=clips.given,
        given_seconds=clips.given_seconds,
        left_out=lost,
        named={reason: _named([one for one in clips.left_out if one.reason == reason]) for reason in lost},
        characters=dict(train.most_common()),
        rare={letter: count for letter, count in train.most_common() if count < RARE},
        unseen={letter: count for letter, count in test.most_common() if letter not in train},
        label_lengths=percentiles([float(len(encode(text) if encode else text)) for text in clips.train["text"][:]]),
        durations=percentiles(seconds),
        histogram=histogram(seconds),
        steps_per_epoch=math.ceil(epoch / batch_seconds) if batch_seconds else None,
        disk_bytes=(parameters or 0) * (4 + OPTIMISER * checkpoints),
        warnings=(*clips.warnings, *_warnings(clips, train, test)),
    )


def _named(left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    return tuple(f"{one.id} ({one.detail})" if one.detail else one.id for one in left_out[:NAMED])


def percentiles(values: Sequence[float]) -> dict[int, float]:
    """PERCENTILES of values, by nearest rank; empty for none."""
    ranked = sorted(values)
    return {at: ranked[max(math.ceil(at / 100 * len(ranked)) - 1, 0)] for at in PERCENTILES} if ranked else {}


def histogram(seconds: Sequence[float], bins: int = 8) -> str:
    """A bar a line: `0.0 to 2.5 s  ######## 12`."""
    if not seconds:
        return ""
    step = max(seconds) / bins or 1.0
    counts = Counter(min(int(one / step), bins - 1) for one in seconds)
    most = max(counts.values())
    return "\n".join(
        f"{at * step:5.1f} to {(at + 1) * step:5.1f} s  {'#' * math.ceil(WIDTH * counts[at] / most)} {counts[at]}"
        for at in range(bins)
    )


def odd_rates(table: Dataset) -> list[tuple[str, float]]:
    """(id, characters a second) of clips far from the others: transcripts that may belong to another recording."""
    pairs = zip(table["id"][:], table["text"][:], table["seconds"][:], strict=True)
    rates = {identity: len(text) / seconds for identity, text, seconds in pairs if text and seconds >= 0.5}
    if len(rates) < 20:
        return []
    logs = {identity: math.log(rate) for identity, rate in rates.items()}
    middle = statistics.median(logs.values())
    spread = max(1.4826 * statistics.median(abs(value - middle) for value in logs.values()), SPREAD)
    return [(identity, rates[identity]) for identity, value in logs.items() if abs(value - middle) > OUTLIER * spread]


def _sides(clips: Clips) -> dict[str, Dataset]:
    return dict(zip(SIDES, (clips.train, clips.validation, clips.test), strict=True))


def _side(table: Dataset) -> Side:
    return Side(len(table), math.fsum(table["seconds"][:]), len(set(table["speaker"][:]) - {None}))


def _warnings(clips: Clips, train: Counter[str], test: Counter[str]) -> list[str]:
    found = []
    seconds = math.fsum(clips.train["seconds"][:])
    if seconds < LITTLE:
        found.append(f"train has {seconds / 60:.1f} minutes; below {LITTLE / 60:g} a result says little")
    if strange := sorted(set(test) - set(train)):
        found.append(f"characters of test that train does not have: {' '.join(strange)}")
    for side, table in _sides(clips).items():
        if odd := odd_rates(table):
            listed = ", ".join(f"{identity} ({rate:.1f})" for identity, rate in odd[:10])
            more = ", ..." if len(odd) > 10 else ""
            found.append(f"{len(odd)} transcripts of {side} may be wrong, by characters a second: {listed}{more}")
    return found
