"""The beam search against every path through small lattices, one by one; with and without a language model."""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pytest

from hf_asr.decoding.align import align, word_spans
from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import Fusion, search
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import log10_probability
from hf_asr.decoding.prefixes import Prefixes, beam_type

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


@pytest.mark.parametrize(
    "alphabet", [LETTERS, PIECES, UNKNOWN_LAST, NO_SPACES], ids=["letters", "pieces", "unk", "no |"]
)
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
        fusion = Fusion(MODEL, alpha, beta, lexicon(alphabet, MODEL, preferred), bonus)
        expected = {}
        for text, acoustic in every_text(frames, alphabet).items():
            hot = sum(len(word) for word in text.split() if word in " ".join(preferred).split())
            language = float(log10_probability(MODEL, [text])[0]) / math.log10(math.e)
            expected[text] = acoustic + alpha * language + beta * len(text.split()) + bonus * hot
        compare(frames, alphabet, expected, fusion)


def speech(seed: int, frames: int, alphabet: Alphabet) -> np.ndarray:
    """A longer lattice with most of the weight on blank, as trained networks have it."""
    logits = np.random.default_rng(seed).normal(size=(frames, len(alphabet.written))) * 3
    logits[:, alphabet.blank] += 3
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


@pytest.mark.parametrize("alphabet", [LETTERS, PIECES], ids=["letters", "pieces"])
def test_a_narrow_beam_finds_less_and_never_more(alphabet: Alphabet) -> None:
    fusion = Fusion(MODEL, 0.8, 1.5)
    for seed in range(40):
        frames = lattice(seed, 5, alphabet)
        exact = {one.text: one for one in search(frames, alphabet, fusion, beam=WIDE, best=WIDE)}
        for beam in (1, 3, 10):
            found = search(frames, alphabet, fusion, beam=beam, best=WIDE)
            assert 0 < len(found) <= beam
            for one in found:
                assert one.acoustic <= exact[one.text].acoustic + 1e-9
                assert one.fused == pytest.approx(exact[one.text].fused)


def test_a_beam_of_one_follows_what_no_other_beginning_outweighs() -> None:
    frames = np.log(np.array([[0.1, 0.0, 0.9, 0.0], [0.9, 0.0, 0.1, 0.0], [0.05, 0.0, 0.05, 0.9]]) + 1e-12)
    (found,) = search(frames, LETTERS, beam=1)
    assert found.text == "ab" and found.units == (2, 3)


def test_units_less_probable_than_least_begin_no_letter() -> None:
    frames = np.log(np.array([[0.58, 0.01, 0.4, 0.01], [0.6, 0.01, 0.38, 0.01]]))
    texts = {one.text for one in search(frames, LETTERS, least=0.05, best=WIDE)}
    assert texts == {"", "a"}
    found = {one.text: one.acoustic for one in search(frames, LETTERS, least=0.05, best=WIDE)}
    # both frames of a, the first, the second; spaces before it begin nothing
    assert math.exp(found["a"]) == pytest.approx(0.4 * 0.38 + 0.4 * 0.6 + 0.58 * 0.38 + 0.01 * 0.38)


def test_where_blank_alone_is_probable_a_letter_that_began_goes_on_and_none_begins() -> None:
    quiet = [0.98, 0.0, 0.01, 0.01]
    frames = np.log(np.array([[0.09, 0.0, 0.9, 0.01], quiet, quiet, [0.02, 0.0, 0.97, 0.01]]) + 1e-12)
    found = {one.text: math.exp(one.acoustic) for one in search(frames, LETTERS, least=0.05, best=WIDE)}
    blank, unit = 0.9 * (0.98 + 0.01) * 0.98, 0.9 * 0.01 * 0.01  # of a, after the third frame
    late = 0.09 * 0.98 * 0.98 * 0.97
    expected = {"": 0.09 * 0.98 * 0.98 * 0.02, "a": (blank + unit) * 0.02 + unit * 0.97 + late, "aa": blank * 0.97}
    assert found == pytest.approx(expected)


def test_the_best_path_can_be_the_wrong_text() -> None:
    """Figure 2 of arXiv:1408.2873's argument: three paths of "a" together outweigh the blank path."""
    frames = np.log(np.array([[0.6, 0.0, 0.4, 0.0], [0.6, 0.0, 0.4, 0.0]]) + 1e-12)
    best, other = search(frames, LETTERS, best=2)
    assert (best.text, math.exp(best.score)) == ("a", pytest.approx(0.64))
    assert (other.text, math.exp(other.score)) == ("", pytest.approx(0.36))


def test_forgotten_beginnings_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, fusion = speech(3, 80, PIECES), Fusion(MODEL, 0.5, 1.0)
    expected = search(frames, PIECES, fusion, beam=30, best=30)
    monkeypatch.setattr("hf_asr.decoding.prefixes.LIMIT", 40)
    found = search(frames, PIECES, fusion, beam=30, best=30)
    assert [(one.text, one.units) for one in found] == [(one.text, one.units) for one in expected]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected])


def test_hotwords_win_where_the_sound_is_undecided() -> None:
    frames = np.log(np.array([[0.1, 0.1, 0.45, 0.35], [0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.35, 0.45]]))
    assert search(frames, LETTERS)[0].text == "ab"
    for phrase, text in (("ba", "ba"), ("x ba", "ba"), ("bab", "ab"), ("b", "b"), ("aa", "aa")):
        assert search(frames, LETTERS, Fusion(words=lexicon(LETTERS, None, [phrase]), bonus=0.5))[0].text == text


@pytest.mark.parametrize("alphabet", [LETTERS, PIECES], ids=["letters", "pieces"])
def test_every_unit_leads_to_what_may_be_written_with_it(alphabet: Alphabet) -> None:
    """Against the words themselves: where every spelling ends, and the best word that begins so."""
    preferred = ["bab", "aa b"]
    found = lexicon(alphabet, MODEL, preferred)
    unigrams = {word: float(MODEL.step(np.zeros(1, np.int64), [word])[0][0]) for word in [*MODEL.vocabulary, "<unk>"]}
    hot = {"bab", "aa", "b"}
    pieces = [unit for unit, letters in enumerate(alphabet.written) if letters not in (None, " ")]
    for units in itertools.chain.from_iterable(itertools.product(pieces, repeat=count) for count in range(5)):
        state = np.zeros(1, np.int64)
        for unit in units:
            state = found.after(state, np.array([unit]), len(alphabet.written))
        text = alphabet.text(units)
        begun = [unigrams[word] for word in MODEL.vocabulary if word.startswith(text)]
        if text:
            assert found.log10[state[0]] == max([*begun, unigrams["<unk>"]])
            assert found.hot[state[0]] == (len(text) if any(word.startswith(text) for word in hot) else 0)
            assert found.whole[state[0]] == (len(text) if text in hot else 0)
        else:
            assert (found.log10[state[0]], found.hot[state[0]], found.whole[state[0]]) == (0, 0, 0)


def test_looking_ahead_finds_more_with_the_same_beam() -> None:
    """Scores stay what they are; fewer of the good beginnings are lost on the way to them."""
    gained = []
    for seed in range(30):
        frames = speech(seed, 40, LETTERS)
        with_it, without = (
            search(frames, LETTERS, Fusion(MODEL, 1.5, 1.0, words), beam=5)[0].score
            for words in (lexicon(LETTERS, MODEL), None)
        )
        gained.append(with_it - without)
    assert np.mean(gained) > 1


@pytest.mark.parametrize("frames", [np.zeros((0, 4)), np.full((3, 4), np.nan), np.full((3, 4), -np.inf)])
def test_nothing_to_read_reads_as_nothing(frames: np.ndarray) -> None:
    assert [one.text for one in search(frames, LETTERS, Fusion(MODEL, 1, 1)) if one.text] == []


def test_only_what_is_followed_is_remembered() -> None:
    tree, node = Prefixes(LETTERS), 0
    for unit in (2, 3, 1, 3) * 50:
        tree.child(node, 5 - unit if unit > 1 else 2)  # a beginning that nothing grows from
        node = tree.child(node, unit)
    beams = np.zeros(2, beam_type(1))
    beams["node"], beams["parent"] = [node, 0], [tree.parents[node], -1]
    units, word = tree.spelled(node), tree.letters[node]
    tree.forget(beams)
    assert len(tree.parents) == 201 == len(tree.children) + 1
    assert tree.spelled(int(beams["node"][0])) == units == (2, 3, 1, 3) * 50
    assert tree.letters[int(beams["node"][0])] == word and list(beams["parent"]) == [199, -1]
    assert tree.child(int(beams["parent"][0]), 3) == beams["node"][0]


def all_paths(frames: np.ndarray, units: tuple[int, ...], alphabet: Alphabet) -> dict[tuple[int, ...], float]:
    """Every path that reads as these units, spaces as words are divided by them, and its score."""
    found = {}
    for path in itertools.product(range(frames.shape[1]), repeat=len(frames)):
        merged = [unit for unit, _ in itertools.groupby(path) if unit != alphabet.blank]
        spaced = [u for at, u in enumerate(merged) if u != alphabet.delimiter or (at and merged[at - 1] != u)]
        if tuple(spaced[: len(spaced) - (spaced[-1:] == [alphabet.delimiter])]) == units:
            found[path] = float(sum(frames[at, unit] for at, unit in enumerate(path)))
    return found


@pytest.mark.parametrize("units", [(2,), (2, 3), (2, 2), (2, 1, 3), (3, 1, 3), ()])
def test_alignment_takes_the_best_path(units: tuple[int, ...]) -> None:
    for seed in range(1, 12):
        if seed % 5 == 0:
            continue
        frames = lattice(seed, 5, LETTERS)
        best = max((score, path) for path, score in all_paths(frames, units, LETTERS).items())[1]
        runs = [(unit, list(own)) for unit, own in itertools.groupby(range(5), key=best.__getitem__)]
        # spaces at the ends and beside others are of no word: only letters are placed
        letters = [(own[0], own[-1] + 1) for unit, own in runs if unit in (2, 3)]
        placed = [span for span, unit in zip(align(frames, units, LETTERS), units, strict=True) if unit in (2, 3)]
        assert placed == letters


def test_long_texts_are_aligned_in_a_band(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause at the beginning, a slow and a fast stretch: the same spans, from far fewer states."""
    draw = np.random.default_rng(3)
    units = draw.choice([1, 2, 3], 300)
    units[0] = units[-1] = 2
    told = [0] * 80
    for place, unit in enumerate(units):
        told += [0] * (1 + int(draw.integers(5)) * (place < 150)) + [int(unit)] * int(draw.integers(1, 3))
    frames = draw.normal(0, 1.5, (len(told), 4))
    frames[np.arange(len(told)), told] += 4
    frames -= np.logaddexp.reduce(frames, axis=1, keepdims=True)
    whole = align(frames, units, LETTERS)
    monkeypatch.setattr("hf_asr.decoding.align.BAND", 80)
    assert align(frames, units, LETTERS) == whole
    letters = [span for span, unit in zip(whole, units, strict=True) if unit != 1]
    assert sum(told[first] in (2, 3) for first, _ in letters) > 0.9 * len(letters)


def test_alignment_needs_room() -> None:
    with pytest.raises(ValueError, match="no path of 2 frames"):
        align(lattice(1, 2, LETTERS), (2, 2), LETTERS)


def test_words_have_frames_and_confidences() -> None:
    """_ a a _ | b b: two words, the posteriors of their letters."""
    posteriors = np.full((7, 4), 0.05)
    for at, (unit, posterior) in enumerate([(0, 0.8), (2, 0.9), (2, 0.5), (0, 0.7), (1, 0.6), (3, 0.7), (3, 0.9)]):
        posteriors[at, unit] = posterior
    (found,) = search(np.log(posteriors), LETTERS)
    assert found.text == "a b"
    a, b = word_spans(np.log(posteriors), found.units, LETTERS)
    assert (a.text, a.start, a.end, a.confidence, a.lowest) == ("a", 1, 3, pytest.approx(0.7), pytest.approx(0.7))
    assert (b.text, b.start, b.end, b.confidence) == ("b", 5, 7, pytest.approx(0.8))
