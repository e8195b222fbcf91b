"""Markdown that stays what it is, whatever text is put into it: no HTML, no link, no formula, no broken table."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

NONE = "–"
_NBSP = "\u00a0"
_JOINERS = "\u200c\u200d"  # parts of letters in Persian and Indic scripts; all other invisible characters go
# As entities, which a reader of Markdown takes for text and never for structure: what begins a list, marks, tags,
# addresses that would become links, and `$`, since the Hub renders formulas before it reads the Markdown.
# An underscore within a word marks nothing.
_STRUCTURE = re.compile(r"[\\`*{}\[\]<>#|~&$^]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.")
_ITEM = re.compile(r"^(\d{0,9})([-+=]|(?<=\d)[.)](?= |$))")
_LONGEST = 80


def one_line(text: Any, limit: int = _LONGEST) -> str:
    """The text without control characters and direction marks, white space as one space, at most `limit` characters."""
    given = str(text)
    seen = (char for char in given if char.isspace() or char in _JOINERS or unicodedata.category(char)[0] != "C")
    line = " ".join("".join(seen).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def plain(text: Any, limit: int = 400) -> str:
    """Text that reads as it was given, nothing in it is Markdown."""
    safe = _STRUCTURE.sub(lambda match: f"&#{ord(match.group())};", one_line(text, limit))
    return _ITEM.sub(lambda match: f"{match[1]}&#{ord(match[2])};", safe)


def code(text: Any, limit: int = _LONGEST) -> str:
    """Text as a code span; where that could be ended or split from within, as plain text."""
    line = one_line(text, limit)
    return plain(line) if not line or set(line) & set("`|\\$") else f"`{line}`"


def link(repository: str, kind: str = "") -> str:
    """A link to a repository of the Hub; `kind`: "datasets/" or nothing for a model."""
    return f"[{plain(repository)}](https://huggingface.co/{kind}{repository})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Cells are Markdown already. The first `words` columns are set to the left, the others to the right."""
    lines = [head, ["---" if at < words else "---:" for at in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A block of code, in a fence that the text cannot end."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def folded(summary: str, body: str) -> str:
    """What is shown on a click; the empty lines make Markdown of the body."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def percent(share: Any) -> str:
    """0.0751 is 7.5 %."""
    return f"{100 * share:.1f}{_NBSP}%" if is_number(share) else NONE


def interval(low: Any, high: Any) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f}" if is_number(low) and is_number(high) else "unknown"


def points(difference: Any) -> str:
    """Percentage points with their sign: −5.1."""
    return f"{100 * difference:+.1f}".replace("-", "−") if is_number(difference) else NONE


def chance(p: Any) -> str:
    """p = 0.002, or p < 0.001."""
    return f"p < {0.001}" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def hours(value: float) -> str:
    """0.26 is 15.6 min."""
    return f"{value:,.1f}{_NBSP}h" if value >= 1 else f"{60 * value:.1f}{_NBSP}min"


def count(number: int, one: str, many: str = "") -> str:
    """1 clip, 12 clips."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
