"""Our search against flashlight-text's, another program: asked the same, they read the same."""

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest

from hf_asr.decoding.ctc import log_posteriors
from hf_asr.decoding.decoder import Decoder, Weights, alphabet_for, finder, save
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.models.recogniser import Recogniser
from tests import small
from tests.decoding import spelling

TEXTS = (Path(__file__).parent / "lmplz" / "toy.txt").read_text(encoding="utf-8").split("\n")[:-1]
LM = Decoder(estimate(TEXTS[:35], 3).model, Weights(alpha=0.8, beta=2.0, unknown=-1.0, beam=60, least=0.0))


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """./scripts/bench decoding, where the other searches are set up."""
    pytest.importorskip("flashlight")
    spec = importlib.util.spec_from_file_location("bench", small.ROOT / "scripts" / "benchmarks" / "decoding.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.fixture(scope="module")
def heard() -> Recogniser:
    return spelling.recogniser(TEXTS)


def said(count: int) -> list[str]:
    words = sorted({word for text in TEXTS for word in text.split()})
    draw = random.Random(3)
    return [" ".join(draw.choices([*words, "bend", "nab"], k=4)) for _ in range(count)]


def test_without_a_lexicon(bench: ModuleType, heard: Recogniser) -> None:
    read, find = bench.without_lexicon(alphabet_for(heard), LM, 60), finder(heard, LM)
    for seed, text in enumerate(said(6)):
        frames = log_posteriors(heard, [spelling.say(heard, text, seed)])[0].numpy()
        assert read(frames) == find(frames, 1)[0].text


def test_with_a_lexicon_where_unknown_words_are_as_good_as_impossible(
    bench: ModuleType, heard: Recogniser, tmp_path: Path
) -> None:
    pytest.importorskip("kenlm")
    save(LM, heard, tmp_path)
    strict = Decoder(LM.lm, LM.weights.model_copy(update={"unknown": -100.0}))
    read, find = bench.by_lexicon(tmp_path, heard, LM, 500), finder(heard, strict)
    for seed, text in enumerate(said(12)):
        frames = log_posteriors(heard, [spelling.say(heard, text, seed)])[0].numpy()
        assert read(frames) == find(frames, 1)[0].text
