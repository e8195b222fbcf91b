"""One sound that can be read as "I scream" and as "ice cream": what a language model decides, small enough to follow.

The sound is made up, a line a frame; everything else is computed by the search and the n-gram model of this package.
docs/decoding.md tells the same case, with figures that scripts/ice_cream.py takes from here.
"""

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import Fusion
from hf_asr.decoding.decoder import Weights
from hf_asr.decoding.hypothesis import Word
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import Floats, NGram
from hf_asr.explain.search import Way, search
from hf_asr.explain.steps import Heard, kept, runs

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
BEFORE = ("we eat ", "at night ")
ALPHA, BETA, WIDE = 0.8, 1.0, 500
HISTORIES = ("", "we eat", "at night", "the cream")
LETTERS = sorted(set("".join(SENTENCES)) - {" "})
ALPHABET = Alphabet((None, " ", *LETTERS), blank=0, delimiter=1)
NAMES = {".": 0, "|": 1, **{letter: number for number, letter in enumerate(LETTERS, 2)}}


def model() -> NGram:
    """A trigram model of the ten sentences."""
    return estimate(SENTENCES, order=3).model


def fusion(lm: NGram) -> Fusion:
    return Fusion(lm, ALPHA, BETA, lexicon(ALPHABET, lm))


def heard(before: str) -> Floats:
    """Log probabilities [frames, units]: `before` as clear as day, then SOUND."""
    clear = [f"{'|' if letter == ' ' else letter} .9" for letter in before]
    rows = []
    for frame in [*clear, *SOUND]:
        names = frame.split()
        row = np.zeros(len(NAMES))
        for name, probability in zip(names[::2], names[1::2], strict=True):
            row[NAMES[name]] = float(probability)
        rows.append(np.where(row > 0, row, (1 - row.sum()) / (row == 0).sum()))
    return np.log(np.array(rows, dtype=np.float64))


def chances(lm: NGram) -> list[tuple[str, float, float]]:
    """(history, p(ice | history), p(i | history))."""
    found = []
    for history in HISTORIES:
        state = np.array([lm.empty if not history else lm.start])
        for word in history.split():
            _, state = lm.step(state, [word])
        log10, _ = lm.step(np.repeat(state, 2), ["ice", "i"])
        found.append((history or "nothing", float(10 ** log10[0]), float(10 ** log10[1])))
    return found


def case(lm: NGram, before: str) -> Heard:
    """SOUND after some words, through every step; times are in frames, for it was never recorded."""
    frames = heard(before)
    path = tuple(frames.argmax(axis=1).tolist())
    letters = kept(runs(path, frames), ALPHABET.blank)
    text = ALPHABET.text([run.unit for run in letters])
    words, at = [], 0
    for word in text.split():
        own = letters[at : at + len(word)]
        words.append(Word(word, own[0].start, own[-1].end))
        at += len(word) + 1
    way = Way(fusion(lm), Weights(alpha=ALPHA, beta=BETA, beam=WIDE, least=0))
    found = search(frames, ALPHABET, way, path, text)
    names = tuple(NAMES)
    return Heard(frames, path, names, ALPHABET.blank, ALPHABET.delimiter, text, tuple(words), found)
