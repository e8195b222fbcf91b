"""Numbers and findings as people read them."""

import math
import re
from collections.abc import Mapping
from typing import Any

NONE = "–"
PIPELINE = "pipeline"  # evaluation.results has it, too, but would bring torch

# An absolute path, alone or in a sentence: all but its last part may name a person or a machine.
_ALONE = re.compile(r"(?:~[^\\/\s]*|[A-Za-z]:|file:/)?[\\/](?:(?:(?!: )[^\n])*[\\/])?(?=[^\\/\s])")
_WITHIN = re.compile(r"(?<![\w.\\/~-])(?<!https:)(?<!http:)(?:~[^\\/\s]*|[A-Za-z]:)?[\\/](?:[^\s\\/'\"]+[\\/]+)+")


def percent(share: Any, digits: int = 1) -> str:
    """0.0751 is "7.5 %"; a dash for what is not known."""
    return f"{100 * share:.{digits}f}\u00a0%" if is_number(share) else NONE


def interval(low: Any, high: Any) -> str:
    if not (is_number(low) and is_number(high)):
        return NONE
    return f"{100 * low:.1f} to {100 * high:.1f}\u00a0%"


def points(difference: Any) -> str:
    """Percentage points with their sign, e.g. −5.1."""
    return f"{100 * difference:+.1f}".replace("-", "−") if is_number(difference) else NONE


def chance(p: Any) -> str:
    if not is_number(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def number(value: Any, digits: int = 0) -> str:
    """With thousands separated, e.g. 37,760,640."""
    return f"{value:,.{digits}f}" if is_number(value) else NONE


def big(value: Any) -> str:
    """37760640 is "37.8 M"."""
    if not is_number(value):
        return NONE
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g}\u00a0{unit}"
    return f"{value:g}"


def megabytes(value: Any) -> str:
    return f"{value / 1e6:.3g}\u00a0MB" if is_number(value) else NONE


def gibibytes(value: Any) -> str:
    return f"{value / 2**30:.1f}\u00a0GiB" if is_number(value) else NONE


def plain(value: Any) -> str:
    """A number for a script to sort by; nothing for what is none."""
    return str(value) if is_number(value) else ""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def verdict(results: Mapping[str, Any]) -> tuple[str, str]:
    """One sentence on the fine-tuned system with its interval, and better, worse, same or none."""
    rows = {name: system["contexts"].get(PIPELINE, {}) for name, system in results["systems"].items()}
    after = rows.get("fine-tuned", {})
    for against in ("zero-shot", "baseline"):
        for found in results.get("comparisons") or ():
            if (found["system"], found["against"], found["context"]) == ("fine-tuned", against, PIPELINE):
                return _compared(found, rows.get(against, {}), after)
    alone = f"Word error rate (WER) is {percent(after.get('wer'))}"
    reason = "nothing to compare it with" if "zero-shot" in rows else "no WER from before: there was no head of its own"
    return f"{alone} (95\u00a0% interval {interval(after.get('wer_low'), after.get('wer_high'))}); {reason}.", "none"


def _compared(found: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str]:
    tone: str = {"better": "better", "worse": "worse"}.get(found["verdict"], "same")
    old, new = percent(before.get("wer")), percent(after.get("wer"))
    if found["against"] == "zero-shot":
        verb = {"better": "fell", "worse": "rose", "same": "went"}[tone]
        change = f"Word error rate (WER) {verb} from {old} to {new}"
    else:
        change = f"Word error rate (WER) is {new}, that of the network trained from scratch {old}"
    low, high = points(found["low"]), points(found["high"])
    span = f"({points(found['difference'])} points, 95\u00a0% interval {low} to {high})"
    p = chance(found["p_value"])
    return f"{change} {span}: {found['verdict']}, p {p if p[0] == '<' else '= ' + p}.", tone


_HOME = re.compile(r"(?i)([\\/](?:home|users)[\\/]|^~)[^\\/]+[\\/]?$")


def without_folders(value: Any) -> Any:
    """The tree with absolute paths cut to their last part: a report is passed on, folders of a machine are not."""
    if isinstance(value, str):
        if _ALONE.match(value):
            value = _ALONE.sub("…/", _HOME.sub(r"\1folder", value), count=1)
        return _WITHIN.sub("…/", value)
    if isinstance(value, Mapping):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(one) for one in value]
    return value
