"""Writes the figures of docs/decoding.md: one sound, two readings, and what a language model makes of it."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import Fusion, search
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import NGram

SENTENCES = """in summer we eat ice cream
they eat ice cream at the sea
we eat bread at home
children like ice cream
you like bread and ice cream
at night i scream
i scream at night
at night i sleep
at home i sleep at night
i eat at home""".splitlines()
# What was heard of "ice cream" or "i scream": a frame each, units and their probabilities.
SOUND = ["i .9", "| .4 c .3", "s .5 e .4", ". .6 | .3", "c .9", "r .9", "e .9", ". .9", "a .9", "m .9"]
ALPHA, BETA, WIDE = 0.8, 1.0, 500
DOCS = Path(__file__).parents[1] / "docs" / "decoding.md"
LETTERS = sorted(set("".join(SENTENCES)) - {" "})
ALPHABET = Alphabet((None, " ", *LETTERS), blank=0, delimiter=1)
NAMES = {".": 0, "|": 1, **{letter: number for number, letter in enumerate(LETTERS, 2)}}


def heard(before: str) -> np.ndarray:
    """Log probabilities [frames, units]: `before` as clear as day, then SOUND."""
    clear = [f"{'|' if letter == ' ' else letter} .9" for letter in before]
    rows = []
    for frame in [*clear, *SOUND]:
        names = frame.split()
        row = np.zeros(len(NAMES))
        for name, probability in zip(names[::2], names[1::2], strict=True):
            row[NAMES[name]] = float(probability)
        rows.append(np.where(row > 0, row, (1 - row.sum()) / (row == 0).sum()))
    return np.log(np.array(rows))


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
    for history in ("", "we eat", "at night", "the cream"):
        state = np.array([model.empty if not history else model.start])
        for word in history.split():
            _, state = model.step(state, [word])
        log10, _ = model.step(np.repeat(state, 2), ["ice", "i"])
        yield f"| {history or 'nothing'} | {10 ** log10[0]:.3f} | {10 ** log10[1]:.3f} |"


def readings(model: NGram, before: str) -> Iterator[str]:
    frames, fusion = heard(before), Fusion(model, ALPHA, BETA, lexicon(ALPHABET, model))
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
    model = estimate(SENTENCES, order=3).model
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
