"""The penalty of words that are new to the language model: what it adds, whom it spares, how it is kept."""

import math
from pathlib import Path

import numpy as np
import pytest

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import Fusion, search
from hf_asr.decoding.decoder import Decoder, Weights, finder, load, save
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import Penalised, known_words, log10_probability
from tests.decoding import spelling

LETTERS = Alphabet((None, " ", "a", "b"), blank=0, delimiter=1)
MODEL = estimate(["a b", "a b a", "b", "ab a", "ab", "ba ab", "a"], order=2).model


def test_only_unknown_words_are_penalised() -> None:
    lm = Penalised(MODEL, -3.0, known_words(MODEL, ["bb hot", "x"]))
    texts = {"a b": 0, "a bba": 1, "zebra zebra a": 2, "bb a": 0, "hot x": 0, "": 0}
    found, plain = log10_probability(lm, list(texts)), log10_probability(MODEL, list(texts))
    assert list(found - plain) == pytest.approx([-3.0 * count for count in texts.values()])
    assert (lm.start, lm.empty, list(lm.vocabulary)) == (MODEL.start, MODEL.empty, MODEL.vocabulary)


def test_every_text_has_its_penalty_in_a_wide_beam() -> None:
    """Whatever is looked ahead to on the way."""
    draw, fusions = np.random.default_rng(2), []
    for lm in (MODEL, Penalised(MODEL, -2.0, known_words(MODEL, ()))):
        fusions.append(Fusion(lm, 0.7, 1.0, lexicon(LETTERS, lm)))
    for _ in range(20):
        frames = np.log(draw.dirichlet(np.ones(4), size=4))
        plain, with_it = ({one.text: one.score for one in search(frames, LETTERS, f, 5000, best=5000)} for f in fusions)
        assert plain.keys() == with_it.keys()
        for text, value in plain.items():
            new = sum(word not in MODEL.words for word in text.split())
            assert with_it[text] == pytest.approx(value - 0.7 * math.log(10) * 2 * new, abs=1e-9)


def test_a_letter_that_makes_a_new_word_needs_to_be_heard_better(tmp_path: Path) -> None:
    """the cab, or rather the cad: d a little clearer than b. A folder keeps what was chosen."""
    texts = ["the cab", "the cab came"]
    recogniser = spelling.recogniser([*texts, "cad"])
    frame = np.full(len(recogniser.processor.tokenizer), -9.0)
    rows = []
    for unit in recogniser.encode("the cad"):
        heard, silence = frame.copy(), frame.copy()
        heard[unit], silence[recogniser.processor.tokenizer.pad_token_id] = 0.0, 0.0
        rows += [heard, silence]
    rows[-2][recogniser.encode("b")[0]] = -0.5
    frames = np.array(rows) - np.logaddexp.reduce(rows, axis=1, keepdims=True)
    lm, read = estimate(texts, 2).model, []
    for unknown, hotwords in ((0.0, ()), (-8.0, ()), (-8.0, ("cad",))):
        weights = Weights(alpha=0.1, beta=0.0, unknown=unknown, hotwords=hotwords)
        save(Decoder(lm, weights), recogniser, tmp_path)
        again = load(tmp_path)
        assert again.weights == weights
        read.append(finder(recogniser, again)(frames, 1)[0].text)
    assert read == ["the cad", "the cab", "the cad"]


def test_without_a_list_of_words_none_is_unknown() -> None:
    class Silent(Penalised):
        vocabulary = ()  # type: ignore[assignment]  # as of a KenLM binary without its list

    assert known_words(Silent(MODEL, 0.0, ()), ["hot"]) == set()
