"""A decoder for a network that hears some letters badly: what it learns from, how it is weighed, kept and used."""

import gzip
import itertools
import json
import math
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from transformers import Wav2Vec2CTCTokenizer

from hf_asr import recipe
from hf_asr.decoding import arpa
from hf_asr.decoding.alphabet import Alphabet, alphabet_of
from hf_asr.decoding.ctc import log_posteriors
from hf_asr.decoding.decoder import Decoder, Weights, finder, load, save
from hf_asr.decoding.fit import HeldOut, fit_decoder, lines
from hf_asr.decoding.hypothesis import ScoredWord
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.ngram import LanguageModelError, NGram
from hf_asr.decoding.transcribe import transcribe, transcribe_recording
from hf_asr.decoding.tune import Clip, errors, smooth
from hf_asr.models.recogniser import CheckpointError, Recogniser
from tests.decoding import spelling

LMPLZ = Path(__file__).parent / "lmplz"
TEXTS = (LMPLZ / "toy.txt").read_text(encoding="utf-8").split("\n")
PLAIN = recipe.Text(case="lower", punctuation="strip")
KINDS = {"letters": recipe.Units(), "pieces": recipe.Units(kind="subword", size=40)}


@pytest.fixture(scope="module", params=["letters", "pieces"])
def heard(request: pytest.FixtureRequest) -> Recogniser:
    return spelling.recogniser(TEXTS, KINDS[request.param])


@pytest.fixture(scope="module")
def sides() -> dict[str, list[str]]:
    texts = [text for text in TEXTS if len(text.split()) > 2]
    random.Random(1).shuffle(texts)
    return {"validation": texts[:12], "test": texts[12:22], "train": texts[22:]}


def fitted(recogniser: Recogniser, sides: dict[str, list[str]], **settings: object) -> Decoder:
    validation = spelling.clips(recogniser, sides["validation"], seed=100)
    decoding = recipe.Decoding(lm=recipe.LanguageModel.model_validate(settings))
    return fit_decoder(recogniser, sides["train"], validation, sides["test"], decoding, PLAIN, PLAIN, "en")


def texts_of(recogniser: Recogniser, said: list[str], decoder: Decoder | None, batch_seconds: float = 60) -> list[str]:
    clips = [spelling.say(recogniser, text, seed) for seed, text in enumerate(said)]
    seconds = [len(clip) / spelling.RATE for clip in clips]
    found = dict(transcribe(recogniser, clips.__getitem__, seconds, True, batch_seconds, decoder=decoder))
    return [found[number].text for number in range(len(clips))]


def word_errors(said: list[str], heard: list[str]) -> int:
    pairs = zip(said, heard, strict=True)
    return sum(a != b for one, two in pairs for a, b in itertools.zip_longest(one.split(), two.split()))


@pytest.fixture(scope="module")
def decoder(heard: Recogniser, sides: dict[str, list[str]]) -> Decoder:
    return fitted(heard, sides, order=2)


def test_a_language_model_mends_what_was_heard_badly(
    heard: Recogniser, sides: dict[str, list[str]], decoder: Decoder
) -> None:
    said = sides["test"] * 3
    greedy, with_it = (word_errors(said, texts_of(heard, said, one)) for one in (None, decoder))
    assert decoder.weights.alpha > 0
    assert with_it < 0.65 * greedy


def test_batches_change_nothing(heard: Recogniser, sides: dict[str, list[str]], decoder: Decoder) -> None:
    said = [*sides["test"], ""]
    expected = texts_of(heard, said, decoder, batch_seconds=1000)
    assert len(set(expected)) == len(said)
    assert texts_of(heard, said, decoder, batch_seconds=2) == expected


def test_words_have_times(heard: Recogniser, decoder: Decoder) -> None:
    samples = spelling.say(heard, "the cat sat on the mat")
    found = transcribe_recording(heard, samples, times=True, decoder=decoder)
    assert found.text == "the cat sat on the mat" == transcribe_recording(heard, samples, decoder=decoder).text
    assert [word.text for word in found.words] == found.text.split()
    assert all(isinstance(word, ScoredWord) and word.lowest <= word.confidence <= 1 for word in found.words)
    greedy = transcribe_recording(heard, samples, times=True)
    for ours, theirs in zip(found.words, greedy.words, strict=True):
        assert (ours.start, ours.end) == pytest.approx((theirs.start, theirs.end), abs=1e-9)


def test_a_long_recording_is_read_in_one_search(heard: Recogniser, decoder: Decoder) -> None:
    text = " ".join(["the cat sat on the mat"] * 40)
    samples = spelling.say(heard, text)
    assert len(samples) > 31 * spelling.RATE
    found = transcribe_recording(heard, samples, times=True, decoder=decoder)
    assert found.text == text
    assert all(a.end <= b.start for a, b in itertools.pairwise(found.words))


def test_silence_and_too_short_a_clip_read_as_nothing(heard: Recogniser, decoder: Decoder) -> None:
    assert transcribe_recording(heard, spelling.say(heard, ""), times=True, decoder=decoder).text == ""
    assert texts_of(heard, ["", "the cat"], decoder)[0] == ""


def test_what_is_saved_decodes_the_same(
    heard: Recogniser, sides: dict[str, list[str]], decoder: Decoder, tmp_path: Path
) -> None:
    save(decoder, heard, tmp_path)
    save(decoder, heard, tmp_path)  # in place of what lies there
    again = load(tmp_path)
    assert again.weights == decoder.weights
    assert texts_of(heard, sides["test"], again) == texts_of(heard, sides["test"], decoder)


def test_what_is_saved_is_what_pyctcdecode_reads(heard: Recogniser, decoder: Decoder, tmp_path: Path) -> None:
    """Its rules: three files in language_model, four keys in attrs.json, and a label for every unit."""
    save(decoder, heard, tmp_path)
    assert {path.name for path in (tmp_path / "language_model").iterdir()} == {"attrs.json", "lm.arpa", "unigrams.txt"}
    attributes = json.loads((tmp_path / "language_model" / "attrs.json").read_text())
    weights = {"alpha": decoder.weights.alpha, "beta": decoder.weights.beta}
    assert attributes == {**weights, "unk_score_offset": decoder.weights.unknown, "score_boundary": True}
    alphabet = json.loads((tmp_path / "alphabet.json").read_text())
    tokenizer = heard.processor.tokenizer
    expected = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert expected[:3] == ["[PAD]", "[UNK]", "|"]
    assert alphabet == {"labels": ["", "\u2047", " ", *expected[3:]], "is_bpe": False}
    words = (tmp_path / "language_model" / "unigrams.txt").read_text(encoding="utf-8").splitlines()
    assert isinstance(decoder.lm, NGram) and set(words) == set(decoder.lm.words) - {"<s>", "</s>", "<unk>"}


def test_pyctcdecode_reads_it(heard: Recogniser, decoder: Decoder, tmp_path: Path) -> None:
    pyctcdecode = pytest.importorskip("pyctcdecode")
    pytest.importorskip("kenlm")
    save(decoder, heard, tmp_path)
    theirs = pyctcdecode.BeamSearchDecoderCTC.load_from_dir(str(tmp_path))
    for seed, text in enumerate(["the cat sat on the mat", "they ran after the dog"]):
        (frames,) = log_posteriors(heard, [spelling.say(heard, text, seed)])
        (ours,) = finder(heard, decoder)(frames.numpy(), 1)
        assert theirs.decode(frames.numpy(), beam_width=decoder.weights.beam) == ours.text


def test_a_binary_of_the_same_model_decodes_the_same(heard: Recogniser, tmp_path: Path) -> None:
    pytest.importorskip("kenlm")
    model = arpa.read(LMPLZ / "toy.arpa")
    save(Decoder(model, Weights(alpha=1.2, beta=0.5, hotwords=("boat",), hotword_bonus=0.5)), heard, tmp_path)
    with_arpa, said = load(tmp_path), TEXTS[:12]
    (tmp_path / "language_model" / "lm.arpa").unlink()
    shutil.copy(LMPLZ / "toy.binary", tmp_path / "language_model")
    with_binary = load(tmp_path)
    assert isinstance(with_binary.lm, arpa.KenLM) and isinstance(with_arpa.lm, NGram)
    assert texts_of(heard, said, with_binary) == texts_of(heard, said, with_arpa)
    assert sorted(with_binary.lm.vocabulary) == sorted(with_arpa.lm.vocabulary)


def spoil(folder: Path, name: str, content: str | None) -> None:
    path = folder / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("decoder.json", None, "no decoder.json"),
        ("decoder.json", "{", "decoder.json"),
        ("decoder.json", '{"alpha": "much", "beta": 1}', "alpha"),
        ("decoder.json", '{"alpha": 1, "beta": 1, "command": "rm"}', "command"),
        ("language_model/lm.arpa", None, "holds 0"),
        ("language_model/second.arpa", "", "holds 2"),
        ("language_model/lm.arpa", "", "no ARPA file"),
    ],
)
def test_a_spoiled_folder_is_told(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    recogniser = spelling.recogniser(["a b"])
    save(Decoder(estimate(["a b"], 2).model, Weights(alpha=0.5, beta=1.0)), recogniser, tmp_path)
    load(tmp_path)
    spoil(tmp_path, name, content)
    with pytest.raises(LanguageModelError, match=told):
        load(tmp_path)


def test_the_run_folder_is_not_the_model_folder(tmp_path: Path) -> None:
    recogniser = spelling.recogniser(["a b"])
    save(Decoder(estimate(["a b"], 2).model, Weights(alpha=0.5, beta=1.0)), recogniser, tmp_path / "model")
    with pytest.raises(LanguageModelError, match="did you mean"):
        load(tmp_path)


def test_what_no_language_model_goes_with_is_told(tmp_path: Path) -> None:
    whisper = Recogniser("whisper", None, None, lambda text: [])
    with pytest.raises(CheckpointError, match="Whisper"):
        finder(whisper, Decoder(estimate(["a b"], 2).model, Weights(alpha=0.5, beta=1.0)))
    (tmp_path / "vocab.json").write_text('{"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3}')
    roles = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": None, "eos_token": None}
    with pytest.raises(CheckpointError, match="divides words"):
        alphabet_of(Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"), **roles), 4)
    with pytest.raises(CheckpointError, match="no beam search for the units of object"):
        alphabet_of(object(), 4)


def test_units_write_what_the_tokenizer_writes(tmp_path: Path) -> None:
    """Special units, and those of the head that the tokenizer lacks, write nothing; some write lower case."""
    (tmp_path / "vocab.json").write_text('{"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "CH": 6}')
    tokenizer = Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"), do_lower_case=True)
    found = alphabet_of(tokenizer, 8)
    assert found == Alphabet((None, None, None, None, " ", "a", "ch", None), blank=0, delimiter=4)
    assert found.text((6, 5, 4, 5)) == "cha a" == tokenizer.decode([6, 5, 4, 5])


@pytest.mark.parametrize("given", [{"alpha": 0.3}, {"beta": 2.5}, {"alpha": 0.3, "beta": 2.5}])
def test_weights_that_are_given_stay(sides: dict[str, list[str]], given: dict[str, float]) -> None:
    found = fitted(spelling.recogniser(TEXTS), sides, order=2, beam=10, **given).weights
    assert {name: getattr(found, name) for name in given} == given and found.beam == 10


def test_what_is_told(sides: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Extra texts count, transcripts of validation and test in them do not; hotwords that no unit writes are named."""
    extra = tmp_path / "more.txt.gz"
    leaks = [f"And so it was: {sides['test'][0]}, said she.", sides["validation"][0].upper()]
    with gzip.open(extra, "wt", encoding="utf-8") as file:
        file.write("\n".join([*leaks, "Zebras eat grass.", "", "The zebras sat."]))
    decoder = fitted(
        spelling.recogniser(TEXTS), sides, order=2, texts=[str(extra)], hotwords=["the Cat!", "Straße"], beam=5
    )
    assert isinstance(decoder.lm, NGram) and "zebras" in decoder.lm.words and "said" not in decoder.lm.words
    assert decoder.weights.hotwords == ("the cat",)
    told = " ".join(capsys.readouterr().err.split())
    assert f"2-grams of {len(sides['train']) + 2} sentences" in told
    assert "2 lines of decoding.lm.texts hold a transcript of validation or test" in told
    assert "hotword 'straße': no unit writes ß" in told
    assert "validation WER" in told


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("she sat on the mat", True),
        ("well she sat on the mat again", True),
        ("she sat on the", False),
        ("she sat on the rug", False),
        ("yes", True),
        ("yes she said", False),
        ("“She sat on the mat,” they said.", True),
        ("YES!", True),
        ("on the mat she sat", False),
        ("", False),
    ],
)
def test_transcripts_are_found_inside_lines(text: str, holds: bool) -> None:
    held_out = HeldOut(["she sat on the mat", "she sat on the chair", "yes"])
    assert list(held_out.without([text])) == ([] if holds else [text])
    assert held_out.found == int(holds)


@pytest.mark.parametrize(("name", "content"), [("no.txt", None), ("a.txt", b"\xff\xfe\x00"), ("a.txt.gz", b"plain")])
def test_texts_that_cannot_be_read_are_told(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LanguageModelError, match=r"decoding\.lm\.texts"):
        list(lines(tmp_path / name))


def test_errors_of_a_list_are_those_of_its_best_hypotheses() -> None:
    draw = np.random.default_rng(0)
    clips = [Clip(np.zeros(0), [], 0) for _ in range(30)]
    for clip in clips:
        for number in range(5):
            counts = (int(draw.integers(4)), int(draw.integers(3)), int(draw.integers(6)))
            clip.hypotheses[str(number)] = (float(draw.normal()), float(draw.normal()), *counts)
    grids = np.array([0.0, 0.5, 2.0]), np.array([-1.0, 1.0]), np.array([0.0, -0.5])
    found = errors(clips, *grids)
    for place in np.ndindex(found.shape):
        a, b, u = (grid[at] for grid, at in zip(grids, place, strict=True))
        weights = np.array([1, a, b, a * u * math.log(10), 0])
        best = [max(clip.hypotheses.values(), key=weights.dot) for clip in clips]
        assert found[place] == sum(hypothesis[4] for hypothesis in best)


def test_smoothing_prefers_a_valley_to_a_hole() -> None:
    table = np.full((7, 7), 9.0)
    table[1, 1] = 0
    table[3:6, 3:6] = 2
    assert np.unravel_index(smooth(table).argmin(), table.shape) == (4, 4)
    assert smooth(np.array([[3.0]])) == 3
