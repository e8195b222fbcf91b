"""Writes the figures of docs/decoding.md: one sound, two readings, and what a language model makes of it."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import search
from hf_asr.decoding.ngram import NGram
from hf_asr.explain import ice_cream as case
from hf_asr.explain.ice_cream import ALPHA, ALPHABET, BETA, NAMES, SOUND, WIDE, heard

DOCS = Path(__file__).parents[1] / "docs" / "decoding.md"


def paths() -> Iterator[str]:
    """Every path through two frames of blank .6 and a .4, by what it reads as."""
    frames = np.log(np.array([[0.6, 1e-30, 0.4], [0.6, 1e-30, 0.4]]))
    yield "| reads as | paths | probability |"
    yield "|---|---|---|"
    for one, written in zip(
        search(frames, Alphabet((None, " ", "a"), 0, 1), best=2), ("a a, a ., . a", ". ."), strict=True
    ):
        yield f"| {one.text or 'nothing'} | {written} | {math.exp(one.score):.2f} |"


def chances(model: NGram) -> Iterator[str]:
    yield "| after | p(ice) | p(i) |"
    yield "|---|---|---|"
    for history, ice, i in case.chances(model):
        yield f"| {history} | {ice:.3f} | {i:.3f} |"


def readings(model: NGram, before: str) -> Iterator[str]:
    frames, fusion = heard(before), case.fusion(model)
    best = [list(NAMES)[unit] for unit in frames.argmax(axis=1)]
    yield f'After "{before.strip()}"; the best unit of each frame is `{" ".join(best)}`\n'
    yield "| text | log p(text given audio) | log p(words) | words | sum |"
    yield "|---|---|---|---|---|"
    alone, both = ({one.text: one for one in search(frames, ALPHABET, way, WIDE, best=WIDE)} for way in (None, fusion))
    for text in (f"{before}i scream", f"{before}ice cream"):
        count = len(text.split())
        language = (both[text].fused - BETA * count) / ALPHA
        yield f"| {text} | {alone[text].score:.2f} | {language:.2f} | {count} | {both[text].score:.2f} |"
    one, two = (search(frames, ALPHABET, way)[0].text for way in (None, fusion))
    yield f'\nThe search alone says "{one}", with the language model "{two}".'


def figures() -> dict[str, str]:
    """By the name of their place in docs/decoding.md."""
    model = case.model()
    return {
        "paths": "\n".join(paths()),
        "chances": "\n".join(chances(model)),
        "sound": "\n".join(f"    {frame}" for frame in SOUND),
        "eat": "\n".join(readings(model, "we eat ")),
        "night": "\n".join(readings(model, "at night ")),
    }


if __name__ == "__main__":
    page = DOCS.read_text(encoding="utf-8")
    for name, text in figures().items():
        begin, end = f"<!-- {name} -->\n", "\n<!-- end -->"
        before, _, rest = page.partition(begin)
        page = before + begin + text + rest[rest.index(end) :]
    DOCS.write_text(page, encoding="utf-8")
    print(f"wrote the figures of docs/{DOCS.name}")
