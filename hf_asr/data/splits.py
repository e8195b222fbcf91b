"""Train, validation and test: the same rows and seed give the same division, in whatever order they come."""

import hashlib
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hf_asr.data.tables import DataError
from hf_asr.recipe import Splits

TRAIN, VALIDATION, TEST = SIDES = ("train", "validation", "test")
NEAR = 2.0  # `auto` wants each side within this factor of what was asked for,
LOST = 0.2  # and no more than this share of the seconds given up for transcripts on two sides
ENOUGH = 3  # values of a group or speaker column that make it worth dividing by


@dataclass(frozen=True)
class Row:
    """What a division needs to know of a clip. `use` is its source's."""

    id: str
    text: str
    seconds: float
    speaker: str | None = None
    group: str | None = None
    use: str = "split"


def divide(rows: Sequence[Row], splits: Splits) -> tuple[list[str], list[str]]:
    """For every row its side, or the reason why it is on none; and warnings. Raises DataError.

    A row is on no side when its transcript is also in test (or, from train, in validation).
    Sides that a source fills with `use` are not taken from the others.
    """
    given = {row.use for row in rows}
    total = math.fsum(row.seconds for row in rows if row.use == "split")
    asked = {TEST: splits.test, VALIDATION: splits.validation}
    sizes = {side: size * total if size < 1 else size for side, size in asked.items() if side not in given and size > 0}
    if "split" not in given:
        sides = _without_shared([row.use for row in rows], rows)
        return sides, _warnings(rows, sides, {}, given)
    if sum(sizes.values()) >= total:
        parts = " and ".join(f"{seconds:g} s of {side}" for side, seconds in sizes.items())
        raise DataError(f"data.splits asks for {parts}; the clips to divide last {total:.1f} s: ask for less")
    for kind in _kinds(rows, splits.by):
        sides = _without_shared(_dealt(rows, _keys(rows, kind), sizes, splits.seed), rows)
        if splits.by != "auto" or _reasonable(rows, sides, sizes, total):
            break
    _require_sides(rows, sides, sizes, kind)
    return sides, _warnings(rows, sides, sizes, given)


def transcript_key(text: str) -> str:
    """The words alone: no case, no punctuation. Texts with the same key must not be on two sides."""
    folded = (
        unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    )
    kept = (letter if unicodedata.category(letter)[0] in "LNM" else " " for letter in folded)
    return " ".join("".join(kept).split()) or text


def _kinds(rows: Sequence[Row], by: str) -> list[str]:
    """What to divide by, in the order to try."""
    free = [row for row in rows if row.use == "split"]
    count = {"group": len({row.group for row in free} - {None}), "speaker": len({row.speaker for row in free} - {None})}
    if by == "auto":
        return [kind for kind in ("group", "speaker") if count[kind] >= ENOUGH] + ["transcript"]
    if count.get(by) == 0:
        raise DataError(f"data.splits.by is {by}, but no clip names its {by}: set {by}_column, or divide by transcript")
    return [by]


def _keys(rows: Sequence[Row], kind: str) -> list[str]:
    """For every row what it must not be parted from; a row without group or speaker goes by its transcript."""
    if kind == "clip":
        return [f"clip:{row.id}" for row in rows]
    named = {"group": [row.group for row in rows], "speaker": [row.speaker for row in rows]}.get(kind)
    own = [f"transcript:{transcript_key(row.text)}" for row in rows]
    return own if named is None else [f"{kind}:{name}" if name else key for name, key in zip(named, own, strict=True)]


def _dealt(rows: Sequence[Row], keys: Sequence[str], sizes: dict[str, float], seed: int) -> list[str]:
    """Sides by the hash of (seed, key): test is filled first, then validation, the rest is train."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for row, key in zip(rows, keys, strict=True):
        if row.use == "split":
            seconds[key].append(row.seconds)
    size = {key: math.fsum(parts) for key, parts in seconds.items()}  # fsum: exact in any order
    waiting = sorted(size, key=lambda key: hashlib.blake2b(f"{seed}\0{key}".encode()).digest())
    side: dict[str, str] = {}
    for name in (TEST, VALIDATION):
        wanted, got, chosen = sizes.get(name, 0.0), 0.0, []
        for key in waiting:
            if abs(got + size[key] - wanted) < abs(got - wanted):  # nearer with it than without
                got += size[key]
                chosen.append(key)
        if wanted and not chosen and waiting:
            chosen = [min(waiting, key=lambda key: size[key])]
        side |= dict.fromkeys(chosen, name)
        waiting = [key for key in waiting if key not in side]
    return [side.get(key, TRAIN) if row.use == "split" else row.use for row, key in zip(rows, keys, strict=True)]


def _without_shared(sides: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Sides, with a reason in place of the side where a transcript is on two."""
    keys = [transcript_key(row.text) for row in rows]
    held = {name: {key for key, side in zip(keys, sides, strict=True) if side == name} for name in (VALIDATION, TEST)}
    result = []
    for key, side in zip(keys, sides, strict=True):
        if side != TEST and key in held[TEST]:
            side = "transcript also in test"
        elif side == TRAIN and key in held[VALIDATION]:
            side = "transcript also in validation"
        result.append(side)
    return result


def _seconds(rows: Sequence[Row], sides: Sequence[str]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for row, side in zip(rows, sides, strict=True):
        found[side].append(row.seconds)
    return {side: math.fsum(parts) for side, parts in found.items()}


def _reasonable(rows: Sequence[Row], sides: Sequence[str], sizes: dict[str, float], total: float) -> bool:
    got = _seconds(rows, sides)
    near = all(wanted / NEAR <= got.get(side, 0.0) <= wanted * NEAR for side, wanted in sizes.items())
    lost = sum(seconds for side, seconds in got.items() if side not in SIDES)
    return near and lost <= LOST * total and TRAIN in got


def _require_sides(rows: Sequence[Row], sides: Sequence[str], sizes: dict[str, float], kind: str) -> None:
    """Raises DataError when a side that should have clips has none."""
    count = Counter(sides)
    empty = [side for side in (TRAIN, *sizes) if not count[side]]
    if not empty:
        return
    there = ", ".join(f"{number} {side}" for side, number in count.items())
    different = len(set(_keys(rows, kind)))
    raise DataError(
        f"no clip is left for {' and '.join(empty)}: {len(rows)} clips with {different} different "
        f"{kind}s become {there}. Add clips, ask for less in data.splits, or divide by something else"
    )


def _warnings(rows: Sequence[Row], sides: Sequence[str], sizes: dict[str, float], given: set[str]) -> list[str]:
    got = _seconds(rows, sides)
    found = [
        f"{side} has {got.get(side, 0.0):.0f} s where {wanted:.0f} s were asked for: what must stay together is large"
        for side, wanted in sizes.items()
        if not wanted / NEAR <= got.get(side, 0.0) <= wanted * NEAR
    ]
    for kind in ("speaker", "group"):
        of = [getattr(row, kind) for row in rows]
        if len(set(of) - {None}) <= 1 and given == {"split"}:
            continue
        for one, other in ((TEST, TRAIN), (TEST, VALIDATION), (VALIDATION, TRAIN)):
            there = [{name for name, at in zip(of, sides, strict=True) if at == side} for side in (one, other)]
            shared = sorted(name for name in there[0] & there[1] if name)
            if shared:
                names = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
                are = f"{kind} is" if len(shared) == 1 else f"{kind}s are"
                found.append(f"{len(shared)} {are} in {one} and in {other} ({names})")
    return found
