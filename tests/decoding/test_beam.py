"""The beam search against every path through small lattices, one by one; with and without a language model."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pytest

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import Fusion, search
from hf_asr.decoding.hotwords import hotwords
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.ngram import log10_probability

LETTERS = Alphabet((None, " ", "a", "b"), blank=0, delimiter=1)
PIECES = Alphabet((None, "a", "ab", " ", "b"), blank=0, delimiter=3)
UNKNOWN_LAST = Alphabet((" ", "a", None, None), blank=2, delimiter=0)  # as [UNK]: a unit that is never written
NO_SPACES = Alphabet((None, "a", "b", "c"), blank=0, delimiter=None)
WIDE = 5000
MODEL = estimate(["a b", "a b a", "b", "ab a", "ab", "ba ab", "a"], order=2).model


def lattice(seed: int, frames: int, alphabet: Alphabet) -> np.ndarray:
    """Log probabilities [frames, units], some frames sure of themselves, some units impossible."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(frames, len(alphabet.written))) * draw.choice([0.3, 1, 4])
    if seed % 5 == 0:
        logits[draw.integers(frames), draw.integers(1, logits.shape[1])] = -np.inf
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def text_of(path: Iterable[int], alphabet: Alphabet) -> str:
    """What a path reads as, by the definition: repeats merged, blanks dropped, spaces as words are divided by them."""
    merged = [unit for unit, _ in itertools.groupby(path)]
    written = [alphabet.written[unit] or "" for unit in merged if unit != alphabet.blank]
    return " ".join("".join(written).split())


def every_text(frames: np.ndarray, alphabet: Alphabet) -> dict[str, float]:
    """Log of the sum over all paths of every text; paths with a unit that writes nothing do not count."""
    never = {unit for unit, text in enumerate(alphabet.written) if text is None and unit != alphabet.blank}
    found: dict[str, list[float]] = defaultdict(list)
    for path in itertools.product(range(frames.shape[1]), repeat=len(frames)):
        if not never & set(path):
            found[text_of(path, alphabet)].append(sum(frames[at, unit] for at, unit in enumerate(path)))
    summed = {text: float(np.logaddexp.reduce(scores)) for text, scores in found.items()}
    return {text: score for text, score in summed.items() if score > -math.inf}


def compare(frames: np.ndarray, alphabet: Alphabet, expected: dict[str, float], fusion: Fusion | None) -> None:
    found = search(frames, alphabet, fusion, beam=WIDE, best=WIDE)
    assert {one.text: one.score for one in found} == pytest.approx(expected, abs=1e-9)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    for one in found:
        assert alphabet.text(one.units) == one.text


@pytest.mark.parametrize("alphabet", [LETTERS, PIECES, UNKNOWN_LAST, NO_SPACES], ids=["letters", "pieces", "unk", "no |"])
def test_a_wide_beam_sums_all_paths(alphabet: Alphabet) -> None:
    for seed in range(60):
        frames = lattice(seed, 1 + seed % 5, alphabet)
        compare(frames, alphabet, every_text(frames, alphabet), None)


@pytest.mark.parametrize("alphabet", [LETTERS, PIECES], ids=["letters", "pieces"])
def test_a_wide_beam_with_a_language_model_sums_all_paths(alphabet: Alphabet) -> None:
    draw = np.random.default_rng(1)
    for seed in range(60):
        frames = lattice(seed, 2 + seed % 4, alphabet)
        alpha, beta, bonus = draw.uniform(0, 2), draw.uniform(-1, 3), draw.uniform(-1, 3)
        preferred = [["ab"], ["b a", "aab"], []][seed % 3]
        fusion = Fusion(MODEL, alpha, beta, hotwords(preferred, alphabet, bonus))
        expected = {}
        for text, acoustic in every_text(frames, alphabet).items():
            hot = sum(len(word) for word in text.split() if word in " ".join(preferred).split())
            language = float(log10_probability(MODEL, [text])[0]) / math.log10(math.e)
            expected[text] = acoustic + alpha * language + beta * len(text.split()) + bonus * hot
        compare(frames, alphabet, expected, fusion)
