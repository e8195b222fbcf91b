"""Texts that would run, break out or mislead if a page took them for anything but texts."""

from typing import Any

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<!--<script>",
    "]]>&lt;b&gt;&amp;",
    "line\u2028and paragraph\u2029separators\u0085",
    "turned \u202e round, joined \u200d, nul \x00",
    "half a pair HALF here",
    "\"'`${window.hacked=1}{{ 7*7 }}",
    "javascript:window.hacked=1",
]


def hostile(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Whatever comes from transcripts, metadata and models says something bad."""
    for n, row in enumerate(rows):
        text = HOSTILE[n % len(HOSTILE)]
        row["id"] = f"{text} {n}"
        row |= {"transcript": text, "reference": text.replace("\u0085", ""), "speaker": text}
        row["facts"] = {text: text}
        for system in row["systems"].values():
            system["pipeline"] = f"{text} and more"
    results["name"] = HOSTILE[0]
    results["slices"][0] |= {"by": HOSTILE[0], "slice": HOSTILE[1]}
    results["confusions"] = [{"reference": text, "hypothesis": HOSTILE[0], "count": 1} for text in HOSTILE[:6]]
    results["parity"]["differing"] = [[HOSTILE[0], HOSTILE[1], '" onclick="window.hacked=1']]
    results["timestamps"]["fine-tuned"]["problems"] = [[HOSTILE[1], HOSTILE[0]]]
    results["guards"][0]["name"] = results["probes"][0]["probe"] = HOSTILE[0]
    results["systems"]["fine-tuned"]["about"] = HOSTILE[1]
