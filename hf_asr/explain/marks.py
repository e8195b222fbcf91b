"""Where everything of a page stands on its time axis: marks in per cent, pictures, and what the script reads."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_asr.explain import pictures
from hf_asr.explain.search import Kept, Search
from hf_asr.explain.steps import Heard, Run, kept, runs, top
from hf_asr.explain.text import name, spelled, tenths, visible
from hf_asr.explain.whisper import Written
from hf_asr.models.whisper import FRAMES_PER_SECOND
from hf_asr.report.figures import ticks

MATTERS, ROWS = 0.05, 32  # a unit is in the picture that is so probable in some frame; at most so many
LETTER, SECOND = 12, 130  # px of a frame with a letter in it; of a second where there are none
LEVELS = 10  # shades of a token's probability


@dataclass(frozen=True)
class Box:
    """A part of the time axis, in per cent of it."""

    at: float
    width: float
    text: str
    kind: str = ""
    about: str = ""

    @property
    def middle(self) -> float:
        return round(self.at + self.width / 2, 3)


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", "\u00a0%")


def _axis(seconds: float | None, frames: int) -> dict[str, Any]:
    """Ticks of the time axis: (per cent, text)."""
    whole = seconds or float(frames)
    marks = ticks(0, whole, max(4, round(whole * 3)) if seconds else frames // 2)
    return {
        "unit": "seconds" if seconds else "frames",
        "marks": [(round(100 * at / whole, 3), f"{at:g}") for at in marks],
    }


def ctc(heard: Heard, seconds: float | None, after: str) -> dict[str, Any]:
    """The steps of CTC as the template draws them."""
    frames, found = len(heard.frames), runs(heard.path, heard.frames)
    per = (seconds or frames) / frames
    longest = max((len(heard.names[unit]) for unit in set(heard.path) - {heard.blank}), default=1)
    rows = _rows(heard)
    shares = np.exp(heard.frames[:, rows]).T
    words = [_box(word.start / per, word.end / per, frames, word.text) for word in heard.words]
    return {
        "kind": "ctc",
        "after": after,
        "frames": frames,
        "wide": round(frames * max(LETTER, 8 * longest)) if seconds else frames * 36,
        "axis": _axis(seconds, frames),
        "milliseconds": f"{1000 * per:.0f}" if seconds else None,
        "units": len(heard.names),
        "rows": [name(heard, unit) for unit in rows],
        "heat": pictures.sure(shares, blank=len(rows) - 1),
        "scale": pictures.sure(np.linspace(0, 1, 64)[None]),
        "path": [_frame(heard, at) for at in range(frames)],
        "runs": [_run(heard, run) for run in found],
        "letters": [_run(heard, run) for run in kept(found, heard.blank)],
        "words": words,
        "text": heard.text,
        "search": heard.search,
        "without": heard.without,
        "beam": _beam(heard, heard.search, seconds) if heard.search else None,
        "island": _island(heard, per, seconds is not None),
    }


def _rows(heard: Heard) -> list[int]:
    """The units that matter, by name; then the one that divides words, and blank."""
    most = heard.frames.max(axis=0)
    last = [unit for unit in (heard.delimiter, heard.blank) if unit is not None]
    path = set(heard.path)
    found = [unit for unit in range(len(heard.names)) if unit in path or most[unit] > np.log(MATTERS)]
    likely = sorted(set(found) - set(last), key=lambda unit: -most[unit])[:ROWS]
    return sorted(likely, key=lambda unit: heard.names[unit]) + last


def _box(start: float, end: float, whole: float, text: str, kind: str = "", about: str = "") -> Box:
    return Box(round(100 * start / whole, 3), round(100 * (end - start) / whole, 3), text, kind, about)


def _kind(heard: Heard, unit: int) -> str:
    return "blank" if unit == heard.blank else "space" if unit == heard.delimiter else ""


def _frame(heard: Heard, at: int) -> Box:
    unit = heard.path[at]
    text = "·" if unit == heard.blank else heard.names[unit]
    return _box(at, at + 1, len(heard.path), text, _kind(heard, unit))


def _run(heard: Heard, run: Run) -> Box:
    text = "" if run.unit == heard.blank else heard.names[run.unit]
    length = run.end - run.start
    about = f"{name(heard, run.unit)}, {length} frame{'s' if length > 1 else ''}, {percent(run.posterior)} on average"
    return _box(run.start, run.end, len(heard.path), text, _kind(heard, run.unit), about)


def _beam(heard: Heard, search: Search, seconds: float | None) -> dict[str, Any]:
    """How sure the search is of its best beginning among the five, where it turned to another, and each tenth."""
    frames = len(search.growth)
    shares = [_shares(kept)[0] if kept else 0.0 for kept in search.growth]
    points = (f"{1000 * (at + 0.5) / frames:.1f} {1000 * (1 - share):.0f}" for at, share in enumerate(shares))
    turns = []
    for at in range(1, frames):
        before, now = (search.growth[one][0].units if search.growth[one] else () for one in (at - 1, at))
        if now[: len(before)] != before and before[: len(now)] != now:
            names = (spelled(search.growth[one][0], search) for one in (at - 1, at))
            turns.append(_box(at, at + 1, frames, "", "", "from “{}” to “{}”".format(*names)))
    steps = [(_when(at + 1, frames, seconds), _table(search.growth[at], search)) for at in tenths(frames)]
    return {"line": "M" + "L".join(points), "turns": turns, "tenths": steps, "now": steps[len(steps) // 2]}


def _when(frame: int, frames: int, seconds: float | None) -> str:
    return f"{frame * seconds / frames:.2f} s" if seconds else f"frame {frame}"


def _shares(kept: tuple[Kept, ...]) -> list[float]:
    """Of each beginning among those shown, as if their scores were logarithms of probabilities."""
    scores = np.exp(np.array([one.score for one in kept]) - kept[0].score)
    return [float(one) for one in scores / scores.sum()]


def _table(kept: tuple[Kept, ...], search: Search) -> list[dict[str, Any]]:
    return [{"text": spelled(one, search), "parts": parts(one)} for one in kept]


def parts(one: Kept) -> tuple[float, ...]:
    return tuple(round(part, 2) for part in (one.acoustic, one.lm, one.words, one.hope, one.score))


def _island(heard: Heard, per: float, seconds: bool) -> dict[str, Any]:
    """For the script: the three best units of every frame, and the beam as numbers of nodes in a tree of beginnings."""
    best = [[[name(heard, unit), round(100 * p, 1)] for unit, p in frame] for frame in top(heard.frames)]
    found: dict[str, Any] = {"kind": "ctc", "per": per, "seconds": seconds, "frames": len(best), "best": best}
    if heard.search is None:
        return found
    numbers: dict[tuple[int, ...], int] = {(): 0}
    nodes: list[tuple[int, str]] = [(-1, "")]
    for frame in heard.search.growth:
        for one in frame:
            known = next(end for end in range(len(one.units), -1, -1) if one.units[:end] in numbers)
            for end in range(known + 1, len(one.units) + 1):
                numbers[one.units[:end]] = len(nodes)
                nodes.append((numbers[one.units[: end - 1]], heard.search.alphabet.written[one.units[end - 1]] or ""))
    beam = [[[numbers[one.units], *parts(one)] for one in frame] for frame in heard.search.growth]
    return found | {"nodes": nodes, "beam": beam, "lm": heard.search.lm}


def whisper(written: Written, seconds: float) -> dict[str, Any]:
    """Whisper's steps as the template draws them."""
    fit = np.clip(written.fit, 0, None)
    fit = fit / np.maximum(fit.max(axis=1, keepdims=True), 1e-9) if len(fit) else fit
    tokens = [
        {
            "text": visible(one.text),
            "plain": one.text,
            "level": min(LEVELS - 1, int(one.posterior * LEVELS)),
            "p": percent(one.posterior),
            "best": [(visible(text), percent(p)) for text, p in one.best],
            "box": _box(one.start, one.end, seconds, visible(one.text)),
            "when": f"{one.start:.2f} to {one.end:.2f}",
        }
        for one in written.tokens
    ]
    words = [_box(w.start, w.end, seconds, w.text, "", f"{percent(w.confidence)} on average") for w in written.words]
    spoken = [[one.start, one.end, visible(one.text), round(100 * one.posterior, 1)] for one in written.tokens]
    frames = max(1, round(seconds * FRAMES_PER_SECOND))
    island = {"kind": "whisper", "per": seconds / frames, "seconds": True, "frames": frames, "tokens": spoken}
    return {
        "kind": "whisper",
        "wide": round(seconds * SECOND),
        "axis": _axis(seconds, 0),
        "tokens": tokens,
        "heat": pictures.sure(fit) if len(fit) else "",
        "words": words,
        "text": written.text,
        "island": island,
    }
