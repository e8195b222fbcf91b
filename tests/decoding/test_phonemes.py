"""From phonemes to words: greedily, and by the search against every path and every reading of small lattices."""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from rapidfuzz.distance import Levenshtein

from hf_asr import recipe
from hf_asr.decoding import decoder, fit
from hf_asr.decoding.alphabet import Alphabet, alphabet_of
from hf_asr.decoding.beam import Fusion, search
from hf_asr.decoding.ctc import groups, read_path
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.lexicon import OTHER, lexicon
from hf_asr.decoding.ngram import log10_probability
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.models.recogniser import Recogniser
from hf_asr.text.pronunciation import Pronunciations
from tests.decoding import spelling

UNITS = Alphabet((None, " ", "aɪ", "s"), blank=0, delimiter=1)
SAID = Pronunciations(
    {
        "i": (("aɪ",),),
        "eye": (("aɪ",),),
        "ice": (("aɪ", "s"),),
        "sigh": (("s", "aɪ"),),
        "psi": (("s", "aɪ"), ("s",)),
        "ess": (("s", "s"), ("s",)),
        "eyes": (("aɪ", "s"),),
    }
)
MODEL = estimate(["i sigh", "eye ice", "i psi ice", "eyes", "psi", "ice ice", "i see"], order=2).model
WIDE = 20_000

# twenty words by hand; sentences say which are frequent, and what follows what
LEXICON = """
i\taɪ|eye\taɪ|two\tt uː|to\tt uː|too\tt uː|ice\taɪ s|cream\tk ɹ iː m|scream\ts k ɹ iː m|see\ts iː|sea\ts iː
we\tw iː|eat\tiː t|like\tl aɪ k|the\tð ə|the\tð iː|at\tæ t|night\tn aɪ t|knight\tn aɪ t|go\tɡ oʊ|home\th oʊ m|my\tm aɪ
"""
SENTENCES = [
    *("i scream at night", "at night i scream", "we eat ice cream", "we like ice cream", "i like to eat ice cream"),
    *("my eye", "my eye too", "i see the sea", "we go to the sea", "we see the knight", "the knight go home"),
    *("two eye", "two knight", "we too", "i go home too", "i scream to go home", "i eat at night", "we see"),
]
FREQUENT = Counter(" ".join(SENTENCES).split())
BY_HAND = Pronunciations.read(LEXICON.strip().replace("\n", "|").split("|"))
WORDS = Pronunciations({word: BY_HAND.of[word] for word, _ in FREQUENT.most_common()})


def lattice(seed: int, frames: int, units: int = len(UNITS.written)) -> np.ndarray:
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(frames, units)) * draw.choice([0.3, 1, 4])
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)


def readings(path: tuple[int, ...]) -> Iterator[str]:
    """By the definition: repeats merged, blanks dropped, divided at spaces, each part all words that are said so."""
    merged = [unit for unit, _ in itertools.groupby(path) if unit != UNITS.blank]
    parts = [tuple(own) for space, own in itertools.groupby(merged, lambda unit: unit == UNITS.delimiter) if not space]
    said = [tuple(str(UNITS.written[unit]) for unit in part) for part in parts]
    words = [[word for word, ways in SAID.of.items() if phonemes in ways] for phonemes in said]
    return map(" ".join, itertools.product(*words))


def every_text(frames: np.ndarray) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for path in itertools.product(range(frames.shape[1]), repeat=len(frames)):
        for text in readings(path):
            found[text].append(sum(frames[at, unit] for at, unit in enumerate(path)))
    return {text: float(np.logaddexp.reduce(scores)) for text, scores in found.items()}


def test_a_wide_beam_sums_all_paths_of_every_reading() -> None:
    draw, several = np.random.default_rng(1), 0
    for seed in range(45):
        frames = lattice(seed, 1 + seed % 5)
        alpha, beta, bonus = draw.uniform(0, 2), draw.uniform(-1, 3), draw.uniform(-1, 3)
        if seed % 4 == 0:
            alpha = 0.0
        preferred = [["eye"], ["psi ess"], []][seed % 3]
        lm = None if seed % 7 == 0 else MODEL
        fusion = Fusion(lm, alpha, beta, lexicon(UNITS, lm, preferred, SAID), bonus)
        expected = {}
        for text, acoustic in every_text(frames).items():
            hot = sum(len(word) for word in text.split() if word in " ".join(preferred).split())
            language = 0.0 if lm is None else float(log10_probability(lm, [text])[0]) / math.log10(math.e)
            expected[text] = acoustic + alpha * language + beta * len(text.split()) + bonus * hot
        found = search(frames, UNITS, fusion, beam=WIDE, best=WIDE)
        assert {one.text: one.score for one in found} == pytest.approx(expected, abs=1e-9)
        for one in found:
            assert one.text in set(readings(one.units))
        several += len(found)
    assert several > 500


def test_a_narrow_beam_finds_less_and_never_more() -> None:
    fusion = Fusion(MODEL, 0.8, 1.5, lexicon(UNITS, MODEL, (), SAID))
    for seed in range(20):
        frames = lattice(seed, 5)
        exact = {one.text: one for one in search(frames, UNITS, fusion, beam=WIDE, best=WIDE)}
        for beam in (2, 10, 40):
            for one in search(frames, UNITS, fusion, beam=beam, best=WIDE):
                assert one.acoustic <= exact[one.text].acoustic + 1e-9
                assert one.fused == pytest.approx(exact[one.text].fused)


def test_what_begins_no_word_is_not_followed() -> None:
    begun = {way[:end] for ways in SAID.of.values() for way in ways for end in range(len(way) + 1)}
    seen: list[tuple[int, ...]] = []
    fusion = Fusion(MODEL, 0.8, 1.5, lexicon(UNITS, MODEL, (), SAID))
    search(lattice(2, 6), UNITS, fusion, WIDE, watch=lambda kept: seen.extend(one.units for one in kept))
    for units in seen:
        *complete, last = " ".join(str(UNITS.written[unit]) for unit in units).split("  ")
        assert all(tuple(word.split()) in SAID.words for word in complete)
        assert tuple(last.split()) in begun
    assert len(seen) > 500


@pytest.mark.parametrize("beam", [WIDE, 20])
def test_forgotten_beginnings_change_nothing(monkeypatch: pytest.MonkeyPatch, beam: int) -> None:
    frames, fusion = lattice(4, 7), Fusion(MODEL, 0.5, 1.0, lexicon(UNITS, MODEL, (), SAID))
    expected = search(frames, UNITS, fusion, beam=beam, best=30)
    monkeypatch.setattr("hf_asr.decoding.prefixes.LIMIT", 40)
    found = search(frames, UNITS, fusion, beam=beam, best=30)
    assert [(one.text, one.units) for one in found] == [(one.text, one.units) for one in expected]


def test_every_unit_leads_to_the_words_that_begin_so() -> None:
    found = lexicon(UNITS, MODEL, ["psi"], SAID)
    unigrams = {word: float(MODEL.step(np.zeros(1, np.int64), [word])[0][0]) for word in [*SAID.of, "<unk>"]}
    assert found.readings is not None
    for units in itertools.chain.from_iterable(itertools.product((2, 3), repeat=count) for count in range(1, 4)):
        state = np.zeros(1, np.int64)
        for unit in units:
            state = found.after(state, np.array([unit]), len(UNITS.written))
        said = tuple(str(UNITS.written[unit]) for unit in units)
        begun = [word for word, ways in SAID.of.items() if any(way[: len(said)] == said for way in ways)]
        assert set(found.readings[state[0]]) == {word for word in begun if said in SAID.of[word]}
        if begun:
            assert found.log10[state[0]] == max(unigrams[word] for word in begun)
        else:
            assert state[0] == OTHER


@pytest.fixture(scope="module")
def speaker() -> Recogniser:
    """It hears what a test says (tests.decoding.spelling), in the phonemes of the twenty words."""
    return spelling.recogniser([], said=WORDS)


@pytest.fixture(scope="module")
def trigrams() -> decoder.Decoder:
    return decoder.Decoder(estimate(SENTENCES, order=3).model, decoder.Weights(alpha=0.6, beta=1.0, least=0.0))


def heard(speaker: Recogniser, phonemes: str, lm: decoder.Decoder | None = None) -> str:
    """The text of phonemes, words divided by |; of doubtful ones, as in s/z, the first is more probable."""
    tokenizer = speaker.processor.tokenizer
    ids, pause = tokenizer.get_vocab(), spelling._frame(tokenizer, {tokenizer.pad_token_id: 12.0})
    frames = [pause]
    for given in phonemes.split():
        doubts = {ids[name or "[PAD]"]: 12.0 - number * 0.5 for number, name in enumerate(given.split("/"))}
        frames += [spelling._frame(tokenizer, doubts), pause]
    return transcribe_recording(speaker, np.concatenate(frames), decoder=lm).text


@pytest.mark.parametrize(
    ("phonemes", "greedy", "with_model"),
    [
        ("m aɪ | aɪ", "my i", "my eye"),
        ("aɪ | s iː | ð iː | s iː", "i see the see", "i see the sea"),
        ("w iː | t uː", "we to", "we too"),
        ("t uː | n aɪ t", "to night", "two knight"),
        ("w iː | iː t | aɪ |/ s /| k ɹ iː m", "we eat i scream", "we eat ice cream"),
        ("æ t | n aɪ t | aɪ |/ s /| k ɹ iː m", "at night i scream", "at night i scream"),
        # what is no word reads as the nearest one; to the search it is impossible
        ("w iː | l iː/aɪ k | aɪ s | k s/ɹ iː m", "we like ice cream", "we like ice cream"),
        ("aɪ | l ɡ/aɪ h/k", "i go", "i like"),
        ("| | w iː | | iː t |", "we eat", "we eat"),
        ("|", "", ""),
    ],
)
def test_homophones_are_told_apart_by_the_words_before(
    speaker: Recogniser, trigrams: decoder.Decoder, phonemes: str, greedy: str, with_model: str
) -> None:
    assert heard(speaker, phonemes) == greedy
    assert heard(speaker, phonemes, trigrams) == with_model


def test_words_lie_where_they_were_said(speaker: Recogniser, trigrams: decoder.Decoder) -> None:
    samples = spelling.say(speaker, "we eat ice cream")
    for given in (None, trigrams):
        found = transcribe_recording(speaker, samples, times=True, decoder=given)
        assert found.text == "we eat ice cream" == " ".join(word.text for word in found.words)
        # a blank first; three frames a unit, and a unit between words
        starts = [(1 + 3 * at) * spelling.HOP / spelling.RATE for at in (0, 3, 6, 9)]
        assert [word.start for word in found.words] == pytest.approx(starts)
        assert all(word.start < word.end for word in found.words)


def test_where_no_word_can_end_the_best_path_is_read(speaker: Recogniser, trigrams: decoder.Decoder) -> None:
    ids = speaker.processor.tokenizer.get_vocab()
    certain = np.full((3, len(ids)), -np.inf, np.float32)
    certain[[0, 1, 2], [ids["k"], ids["[PAD]"], ids["ɹ"]]] = 0.0
    alphabet = alphabet_of(speaker.processor.tokenizer, len(ids))
    assert search(certain, alphabet, Fusion(words=lexicon(alphabet, None, (), speaker.lexicon))) == []
    (found,) = decoder.finder(speaker, trigrams)(certain, 5)
    assert found.text == read_path(speaker, torch.from_numpy(certain).argmax(-1)).text != ""
    assert found.units == (ids["k"], ids["ɹ"])


def test_groups_have_their_frames(speaker: Recogniser) -> None:
    ids = speaker.processor.tokenizer.get_vocab()
    path = [ids[name] for name in ("[PAD]", "s", "s", "iː", "|", "[PAD]", "|", "aɪ", "[PAD]", "aɪ")]
    s, ee, i = ids["s"], ids["iː"], ids["aɪ"]
    assert groups(speaker, torch.tensor(path)) == [[(s, 1, 3), (ee, 3, 4)], [(i, 7, 8), (i, 9, 10)]]


def test_nearest_is_the_nearest() -> None:
    """Against every pronunciation, one by one; the first of those that are equally near."""
    draw = np.random.default_rng(0)
    for _ in range(300):
        said = tuple(draw.choice([*WORDS.phonemes, "ʒ"], size=draw.integers(1, 7)).tolist())
        edits = {word: min(Levenshtein.distance(said, way) for way in ways) for word, ways in WORDS.of.items()}
        assert WORDS.nearest(said) == min(edits, key=lambda word: edits[word])


def test_a_language_model_is_fitted_and_kept(
    speaker: Recogniser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    validation = spelling.clips(speaker, SENTENCES[:6], 0)
    settings = recipe.Decoding(lm=recipe.LanguageModel(order=2, hotwords=("knight", "dragon"), hotword_bonus=0.5))
    found = fit.fit_decoder(speaker, SENTENCES, validation, [], settings, recipe.Text(), recipe.Text(), "en")
    assert found.weights.hotwords == ("knight",)
    assert found.weights.least == 0
    assert "no pronunciation of dragon" in " ".join(capsys.readouterr().err.split())
    decoder.save(found, speaker, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"decoder.json", "language_model"}
    assert decoder.load(tmp_path).weights == found.weights
    assert heard(speaker, "m aɪ | aɪ", decoder.load(tmp_path)) == "my eye"
