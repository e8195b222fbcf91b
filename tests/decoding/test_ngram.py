"""N-gram models against KenLM: what lmplz estimates, what the kenlm package scores; and files that are wrong."""

import gzip
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from hf_asr.decoding import arpa
from hf_asr.decoding.arpa import KenLM
from hf_asr.decoding.kneser_ney import FALLBACK, estimate
from hf_asr.decoding.ngram import BEGIN, END, LanguageModel, LanguageModelError, NGram, log10_probability, perplexity

LMPLZ = Path(__file__).parent / "lmplz"
HELD_OUT = [
    "the cat ran under the tree",
    "a zebra sat on the moon",
    "moon",
    "",
    "we went after the zebra zebra",
    "sun sun",
]


def sentences(name: str) -> list[str]:
    return (LMPLZ / name).read_text(encoding="utf-8").split("\n")[:-1]


@pytest.fixture(scope="module")
def toy() -> NGram:
    return estimate(sentences("toy.txt"), order=3).model


def rows(path: Path) -> dict[tuple[str, ...], tuple[float, float]]:
    """n-gram → log10 p and back-off weight, read line by line without our reader."""
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return {tuple(line[1].split()): (float(line[0]), float((*line, 0)[2])) for line in lines if len(line) > 1}


def back_off(table: dict[tuple[str, ...], tuple[float, float]], history: tuple[str, ...], word: str) -> float:
    """log10 p(word | history) as the ARPA format defines it."""
    if (word,) not in table:
        word = "<unk>"
    history = tuple(known if (known,) in table else "<unk>" for known in history)
    if (*history, word) in table:
        return table[*history, word][0]
    return table.get(history, (0, 0))[1] + back_off(table, history[1:], word)


def by_definition(path: Path, order: int, sentence: str) -> float:
    table, words = rows(path), [BEGIN, *sentence.split(), END]
    return sum(back_off(table, tuple(words[max(0, at - order + 1) : at]), words[at]) for at in range(1, len(words)))


@pytest.mark.parametrize("name", ["toy", "few"])
def test_estimates_are_those_of_lmplz(name: str, tmp_path: Path) -> None:
    arpa.write(estimate(sentences(f"{name}.txt"), order=3).model, tmp_path / "ours.arpa")
    ours, theirs = rows(tmp_path / "ours.arpa"), rows(LMPLZ / f"{name}.arpa")
    assert ours.keys() == theirs.keys()
    for ngram, numbers in theirs.items():
        assert ours[ngram] == pytest.approx(numbers, abs=1e-6), ngram


def test_discounts_are_those_of_lmplz() -> None:
    found = estimate(sentences("toy.txt"), order=3)
    assert (found.sentences, found.tokens, found.fallback) == (50, 278, ())
    assert found.discounts[0] == pytest.approx((0.52381, 1.21429, 2.1619), abs=1e-5)  # as lmplz prints them
    assert found.discounts[2] == pytest.approx((0.593909, 1.55457, 1.81218), abs=1e-5)
    few = estimate(sentences("few.txt"), order=3)
    assert few.fallback == (2, 3) and few.discounts[1:] == (FALLBACK, FALLBACK)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_probabilities_after_any_history_sum_to_one(order: int) -> None:
    model = estimate(sentences("toy.txt"), order=order).model
    words = [word for word in model.words if word != BEGIN]
    for history in (["the", "cat"], ["zebra"], ["sat", "on", "the"], ["we", "</s>"], []):
        state = np.array([model.start])
        for word in history:
            _, state = model.step(state, [word])
        log10, _ = model.step(np.repeat(state, len(words)), words)
        assert (10**log10).sum() == pytest.approx(1, abs=1e-5)


def test_queries_back_off_as_the_format_says(toy: NGram) -> None:
    found = log10_probability(toy, HELD_OUT)
    assert list(found) == pytest.approx([by_definition(LMPLZ / "toy.arpa", 3, one) for one in HELD_OUT], abs=1e-5)
    count = sum(len(one.split()) + 1 for one in HELD_OUT)
    assert perplexity(toy, HELD_OUT) == pytest.approx(10 ** (-sum(found) / count))


@pytest.mark.parametrize("name", ["a.arpa", "a.arpa.gz"])
def test_files_are_read_as_they_were_written(toy: NGram, tmp_path: Path, name: str) -> None:
    arpa.write(toy, tmp_path / name)
    again = arpa.load(tmp_path / name)
    assert isinstance(again, NGram) and again.words == toy.words and again.first == toy.first
    for part in ("keys", "log10", "backoff", "suffix"):
        assert np.array_equal(getattr(again.trie, part), getattr(toy.trie, part)), part
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_files_of_lmplz_are_read() -> None:
    theirs = arpa.load(LMPLZ / "toy.arpa")
    assert isinstance(theirs, NGram) and theirs.counts == (48, 124, 177) and theirs.order == 3
    expected = [by_definition(LMPLZ / "toy.arpa", 3, one) for one in HELD_OUT]
    assert list(log10_probability(theirs, HELD_OUT)) == pytest.approx(expected, abs=1e-5)


def test_kenlm_reads_our_files_and_scores_the_same(toy: NGram, tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    arpa.write(toy, tmp_path / "ours.arpa")
    theirs = kenlm.Model(str(tmp_path / "ours.arpa"))
    assert theirs.order == 3
    for sentence in HELD_OUT + sentences("toy.txt"):
        assert theirs.score(sentence) == pytest.approx(float(log10_probability(toy, [sentence])[0]), abs=1e-4)


def test_kenlm_binaries_are_read(toy: NGram) -> None:
    pytest.importorskip("kenlm")
    binary: LanguageModel = arpa.load(LMPLZ / "toy.binary")
    assert isinstance(binary, KenLM)
    assert list(log10_probability(binary, HELD_OUT)) == pytest.approx(list(log10_probability(toy, HELD_OUT)), abs=1e-4)
    assert perplexity(binary, HELD_OUT) == pytest.approx(perplexity(toy, HELD_OUT), rel=1e-4)


def test_a_binary_without_kenlm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kenlm", None)  # as Python does it when a package is missing
    with pytest.raises(LanguageModelError, match=r"hf-asr\[lm\]"):
        arpa.load(LMPLZ / "toy.binary")


def test_a_binary_cut_short_is_told(tmp_path: Path) -> None:
    pytest.importorskip("kenlm")
    (tmp_path / "cut.bin").write_bytes((LMPLZ / "toy.binary").read_bytes()[:200])
    with pytest.raises(LanguageModelError, match=r"cut\.bin"):
        arpa.load(tmp_path / "cut.bin")


def test_a_file_by_hand(tmp_path: Path) -> None:
    """Spaces for tabs, a comment, no <unk>, no </s>."""
    path = tmp_path / "hand.arpa"
    path.write_text(
        "made by hand\n\n\\data\\\nngram 1=3\nngram 2 = 2\nngram 3=1\n\n"
        "\\1-grams:\n-1 <s> -0.5\n-0.5 a -0.25\n-0.75\tb\n"
        "\n\\2-grams:\n-0.125\t<s> a\t-0.0625\n-0.25\ta b\n\n\\3-grams:\n-0.03125\t<s> a b\n\n\\end\\\n"
    )
    model = arpa.load(path)
    steps = {"a": -0.125, "a b": -0.125 - 0.03125, "a a": -0.125 - 0.0625 - 0.25 - 0.5, "b": -0.5 - 0.75}
    for text, expected in steps.items():
        # </s> is unknown to it: -100, after backing off
        back = {"a": -0.0625 - 0.25, "a a": -0.25}.get(text, 0)
        assert log10_probability(model, [text])[0] == pytest.approx(expected + back - 100)


WHOLE = "\\data\\\nngram 1=2\nngram 2=1\n\n\\1-grams:\n-1\t<s>\t0\n-1\ta\t0\n\n\\2-grams:\n-1\t<s> a\n\n\\end\\\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\\data\\", "data", r"no \\data\\"),
        ("ngram 1=2", "ngram 1=many", "expected a number of n-grams"),
        ("ngram 1=2", "ngram 2=2", "line 2: expected"),
        ("ngram 2=1", "ngram 2=2", "expected log10 p, 2 words"),
        ("-1\ta\t0", "-1\t<s>\t0", "stands there twice"),
        ("-1\t<s> a", "-1\t<s> b", "'b' is not among the 1-grams"),
        ("-1\t<s> a", "-1\t<s> a a a", "expected log10 p, 2 words"),
        ("-1\t<s> a", "one\t<s> a", "could not convert"),
        ("-1\t<s> a", "nan\t<s> a", "not the logarithm"),
        ("-1\t<s> a", "1\t<s> a", "not the logarithm"),
        ("-1\ta\t0", "-1\ta\tinf", "not the logarithm"),
        ("\\end\\\n", "", "cut short"),
        ("\n\\2-grams:\n-1\t<s> a\n\n\\end\\\n", "", "expected"),
        ("\\2-grams:", "\\3-grams:", "expected"),
    ],
)
def test_wrong_files_are_told_with_the_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "wrong.arpa"
    path.write_text(WHOLE, encoding="utf-8")
    arpa.load(path)
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new), encoding="utf-8")
    with pytest.raises(LanguageModelError, match=told) as error:
        arpa.load(path)
    assert "wrong.arpa, line " in str(error.value)


def test_a_trigram_without_its_bigram_is_told(tmp_path: Path) -> None:
    text = WHOLE.replace("ngram 2=1\n", "ngram 2=1\nngram 3=1\n").replace("\\end\\", "\\3-grams:\n-1\ta a a\n\n\\end\\")
    (tmp_path / "wrong.arpa").write_text(text)
    with pytest.raises(LanguageModelError, match="first 2 words are no 2-gram"):
        arpa.load(tmp_path / "wrong.arpa")


@pytest.mark.parametrize(
    "content", [None, b"", b"\xff\xfe\x00binary\x81", gzip.compress(b"\\data\\\n")[:-9], b"\x1f\x8bno"]
)
def test_what_is_no_language_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LanguageModelError, match="model"):
        arpa.load(path)


def test_specials_in_a_text_are_passed_over_and_nothing_is_told() -> None:
    found = estimate(["a <s> b </s>", "<unk> a"], order=2)
    assert set(found.model.words) == {"<unk>", BEGIN, END, "a", "b"} and found.tokens == 3
    with pytest.raises(LanguageModelError, match="no words"):
        estimate(["", " ", "<s>"], order=2)


def test_words_of_any_script_and_white_space_survive(tmp_path: Path) -> None:
    texts = ["наше слово", "ʻokina l·l", "日本 語", "a\u2028b c"]  # U+2028 divides words, too
    model = estimate(texts, order=2).model
    arpa.write(model, tmp_path / "words.arpa")
    again = arpa.load(tmp_path / "words.arpa")
    assert isinstance(again, NGram) and again.words == model.words and {"ʻokina", "l·l", "b"} <= set(again.words)


def test_states_of_different_histories_are_asked_together(toy: NGram) -> None:
    """A step with many states gives what single steps give."""
    words, states = list(toy.words), np.array([toy.start, 0, 7])
    log10, after = toy.step(np.repeat(states, len(words)), words * 3)
    for row, (state, word) in enumerate((state, word) for state in states for word in words):
        one, then = toy.step(np.array([state]), [word])
        assert (one[0], then[0]) == (log10[row], after[row])
        assert one[0] <= 0 and math.isfinite(one[0])
