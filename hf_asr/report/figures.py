"""Where the marks of a figure stand, in per cent of its width and height; the template draws them.

Percentages, so that a figure becomes narrower on a phone while its letters stay as large.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hf_asr.report.words import is_number, number, percent

MOST = 1000  # points of a curve: more than a screen has columns
CEILING = 1.2  # a WER above is drawn there: a looping decoder reaches 10 and would flatten all else
DOTS = 60  # more looks at validation than these get no dot each

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Tick:
    at: float  # per cent of the axis
    text: str


@dataclass(frozen=True)
class Line:
    name: str
    style: str  # class in the style sheet
    path: str  # SVG path in a box of 1000 by 1000


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    text: str
    best: bool


@dataclass(frozen=True)
class Plot:
    title: str
    unit: str  # of the vertical axis
    summary: str  # for those who do not see it
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line]
    dots: list[Dot]
    notes: list[str]


@dataclass(frozen=True)
class Whisker:
    """One system in one context: its WER and interval on an axis that all share."""

    system: str
    context: str
    text: str
    at: float
    low: float
    high: float


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers between low and high, about `count` of them."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def thin(points: Points, most: int = MOST) -> Points:
    """At most `most` points, each the mean of its neighbours; what is no number stays out unless alone."""
    if len(points) <= most:
        return points
    found = []
    for n in range(most):
        part = points[n * len(points) // most : (n + 1) * len(points) // most]
        good = [y for _, y in part if math.isfinite(y)]
        found.append((part[len(part) // 2][0], sum(good) / len(good) if good else math.nan))
    return found


def smooth(points: Points) -> Points:
    """A centred moving mean over a thirtieth of the curve."""
    half, good = max(1, len(points) // 60), [p for p in points if math.isfinite(p[1])]
    sums = [0.0]
    for _, y in good:
        sums.append(sums[-1] + y)
    ends = [(max(0, n - half), min(len(good), n + half + 1)) for n in range(len(good))]
    return [(x, (sums[b] - sums[a]) / (b - a)) for (x, _), (a, b) in zip(good, ends, strict=True)]


def loss_plot(log: Sequence[Any]) -> Plot | None:
    """Training loss over optimiser steps; a log scale where it falls more than twentyfold."""
    points = [(float(row["step"]), _float(row["loss"])) for row in log if "loss" in row]
    good = [y for _, y in points if math.isfinite(y)]
    if not good:
        return None
    broken = len(points) - len(good)
    notes = [f"{broken} of {len(points)} logged steps had a loss that is no number"] if broken else []
    logarithmic = min(good) > 0 and max(good) > 20 * min(good)
    shown = thin(points)
    if len(points) > len(shown):
        notes.append(f"{len(points):,} steps drawn as {len(shown):,} means")
    low, high = (min(good), max(good)) if logarithmic else (min(0.0, *good), max(good))
    across, up = _Axis(0, points[-1][0]), _Axis(low, high, logarithmic)
    long = len(shown) >= 30
    lines = [Line("every step", "faint" if long else "strong", _path(shown, across, up))]
    if long:
        lines.append(Line("moving mean", "strong", _path(smooth(shown), across, up)))
    summary = f"Training loss over {points[-1][0]:.0f} steps, from {good[0]:.3g} to {good[-1]:.3g}."
    unit = "loss, log scale" if logarithmic else "loss"
    marks = up.marks(lambda y: f"{y:.3g}")
    return Plot("Training loss", unit, summary, across.marks(number), marks, lines, [], notes)


def validation_plot(log: Sequence[Any], best_step: int | None) -> Plot | None:
    """WER and CER of every look at validation; the look whose weights were kept is marked."""
    looks = [row for row in log if is_number(row.get("eval_wer"))]
    if not looks:
        return None
    last = max(float(row["step"]) for row in log if "step" in row)
    rates = [row[key] for row in looks for key in ("eval_wer", "eval_cer") if is_number(row.get(key))]
    across, up = _Axis(0, last), _Axis(0, min(max(*rates, 0.01), CEILING))
    lines = []
    for key, name, style in (("eval_wer", "WER", "strong"), ("eval_cer", "CER", "second")):
        points = [(float(row["step"]), min(row[key], CEILING)) for row in looks if is_number(row.get(key))]
        lines.append(Line(name, style, _path(thin(points), across, up)))
    dots = [
        Dot(
            across.at(row["step"]),
            100 - up.at(min(row["eval_wer"], CEILING)),
            f"step {row['step']}: WER {percent(row['eval_wer'])}, CER {percent(row.get('eval_cer'))}",
            row["step"] == best_step,
        )
        for row in looks
        if len(looks) <= DOTS or row["step"] == best_step
    ]
    first, least = looks[0]["eval_wer"], min(row["eval_wer"] for row in looks)
    summary = f"Validation WER at {len(looks)} looks, first {percent(first)}, lowest {percent(least)}."
    notes = [f"what is above {CEILING:.0%} is drawn at {CEILING:.0%}"] if max(rates) > CEILING else []
    marks = up.marks(lambda y: f"{100 * y:g}\u00a0%")
    return Plot("Validation error rate", "error rate", summary, across.marks(number), marks, lines, dots, notes)


def whiskers(systems: dict[str, Any]) -> tuple[list[Whisker], list[Tick]]:
    """WER with its 95 % interval, one row a system and context, and the ticks of their axis."""
    rows = [
        (name, context, row)
        for name, system in systems.items()
        for context, row in system["contexts"].items()
        if is_number(row.get("wer"))
    ]
    if not rows:
        return [], []
    axis = _Axis(
        0, max(0.01, *(row[key] for *_, row in rows for key in ("wer", "wer_high") if is_number(row.get(key))))
    )
    found = []
    for name, context, row in rows:
        at = axis.at(row["wer"])
        low, high = (axis.at(row[key]) if is_number(row.get(key)) else at for key in ("wer_low", "wer_high"))
        found.append(Whisker(name, context, percent(row["wer"]), at, low, high))
    return found, axis.marks(lambda x: f"{100 * x:g}\u00a0%")


def bars(slices: Iterable[Any]) -> float:
    """The WER at which a slice's bar is full: the highest end of an interval, at most 100 %."""
    rates = [one.get(key) for row in slices for one in row["systems"].values() for key in ("wer", "wer_high")]
    return min(1.0, max((rate for rate in rates if is_number(rate)), default=1.0)) or 1.0


class _Axis:
    """From values to per cent of an axis that ends a little beyond the highest."""

    def __init__(self, low: float, high: float, logarithmic: bool = False) -> None:
        self.logarithmic = logarithmic
        self.low, self.high = self._scaled(low), self._scaled(high)
        room = (self.high - self.low or 1.0) * 0.04
        self.high += room
        if logarithmic:
            self.low -= room

    def at(self, value: float) -> float:
        return round(100 * (self._scaled(value) - self.low) / (self.high - self.low or 1.0), 2)

    def marks(self, text: Any) -> list[Tick]:
        if not self.logarithmic:
            return [Tick(self.at(value), text(value)) for value in ticks(self.low, self.high)]
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        values = [one * 10.0**power for power in powers for one in (1, 2, 5)]
        return [Tick(self.at(value), text(value)) for value in values if self.low <= math.log10(value) <= self.high]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else float(value)


def _path(points: Points, across: _Axis, up: _Axis) -> str:
    """M and L commands in a box of 1000 by 1000; a point that is no number leaves a gap."""
    parts, pen = [], "M"
    for x, y in points:
        if math.isfinite(y):
            parts.append(f"{pen}{10 * across.at(x):.4g} {1000 - 10 * up.at(y):.4g}")
        pen = "L" if math.isfinite(y) else "M"
    return "".join(parts)


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
