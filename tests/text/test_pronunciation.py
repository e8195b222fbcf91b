"""Words to phonemes and back: lexicon files as people have them, espeak-ng, and what a tokenizer keeps of them."""

import shutil
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from hf_asr.recipe import Recipe, RecipeError, Units
from hf_asr.recipe import file as recipe_file
from hf_asr.text import vocabulary
from hf_asr.text.pronunciation import (
    PronunciationError,
    Pronunciations,
    in_words,
    pronounce,
    read_lexicon,
    unpronounced,
)
from tests import small

CMUDICT = """;;; # CMUdict  --  Major Version: 0.07
'CAUSE  K AH0 Z
CREAM  K R IY1 M
EYE  AY1
I  AY1
ICE  AY1 S
READ  R EH1 D
READ(1)  R IY1 D
READ(2)  R EH2 D
SCREAM  S K R IY1 M
THE  DH AH0
THE(2)  DH IY0
TO  T UW1
TOO  T UW1 # as well
TWO  T UW1
DON'T  D OW1 N T
"""
TEXTS = ["i scream to the ice cream", "the eye too", "two dragons scream", "don't read the xylophone", "to the two"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lexicon.dict"
    path.write_text(CMUDICT, encoding="utf-8")
    return path


def test_cmudict_is_read_without_stress_comments_and_numbers(file: Path) -> None:
    found = read_lexicon(file)
    assert found["READ"] == (("R", "EH", "D"), ("R", "IY", "D"))  # the third differs in stress alone
    assert found["TOO"] == (("T", "UW"),)
    assert found["'CAUSE"] == (("K", "AH", "Z"),)
    assert len(found) == 12


def test_tabs_divide_a_word_from_its_phonemes(tmp_path: Path) -> None:
    path = tmp_path / "lexicon.txt"
    path.write_bytes("\ufeffeis krem\taɪ s\tk ɹ iː m\nmā\tm a5\n\n \n".encode())
    assert read_lexicon(path) == {"eis krem": (("aɪ", "s", "k", "ɹ", "iː", "m"),), "mā": (("m", "a5"),)}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"ICE  AY1 S\nCREAM\n", "line 2: 'CREAM' has no phonemes"),
        (b";;; nothing\n\n", "holds no pronunciation"),
        (b"D\xc9J\xc0  D EY2\n", "iconv -f latin1"),
    ],
)
def test_files_that_are_no_lexicon_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(PronunciationError, match=told):
        read_lexicon(tmp_path / "file")
    with pytest.raises(PronunciationError, match="cannot read"):
        read_lexicon(tmp_path / "elsewhere")


def test_the_words_of_the_texts_both_ways(file: Path) -> None:
    found, missing = pronounce(TEXTS, ["too too eye zebra"], str(file), None)
    # by how often they are said in the texts, equals by the alphabet; then those of more texts, which are here already
    assert list(found.of)[:4] == ["the", "scream", "to", "two"]
    assert missing == ("dragons", "xylophone", "zebra")
    assert found.of["read"] == (("R", "EH", "D"), ("R", "IY", "D"))
    assert found.words["T", "UW"] == ("to", "two", "too")
    assert found.words["AY",] == ("eye", "i")
    assert found.words["R", "IY", "D"] == ("read",)
    for word, ways in found.of.items():
        for way in ways:
            assert word in found.words[way]
    assert found.phonemes == ("AH", "AY", "D", "DH", "EH", "IY", "K", "M", "N", "OW", "R", "S", "T", "UW")
    assert found.outside("the dragons read") == {"dragons"}
    assert in_words(found) == ("14 phonemes; lexicon of 11 words, 13 pronunciations, 2 of them of more than one word")
    assert list(unpronounced(missing, first=2)) == ["3 words without a pronunciation: dragons, xylophone, ..."]
    assert list(unpronounced(())) == []


def test_words_in_capitals_and_small_letters_are_the_same_to_a_file(file: Path) -> None:
    found, missing = pronounce(["The Ice THE the"], [], str(file), None)
    assert list(found.of) == ["Ice", "THE", "The", "the"]
    assert missing == ()
    assert found.words["DH", "AH"] == ("THE", "The", "the")


def test_what_is_no_word_reads_as_the_nearest(file: Path) -> None:
    found, _ = pronounce(TEXTS, [], str(file), None)
    assert found.nearest(("T", "UW")) == "to"  # three words are said so; this is the most frequent
    assert found.nearest(("S", "K", "R", "IY")) == "scream"
    assert found.nearest(("K", "IY", "M")) == "cream"
    assert found.nearest(("ZH",)) == "eye"
    assert found.nearest(()) == ""
    assert Pronunciations({}).nearest(("T",)) == ""


def test_labels_are_kept_by_the_tokenizer_and_read_back(file: Path, tmp_path: Path) -> None:
    found, _ = pronounce(TEXTS, [], str(file), None)
    fresh = vocabulary.ctc_tokenizer(vocabulary.phonemes(found), tmp_path / "fresh")
    fresh.save_pretrained(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert type(tokenizer).__name__ == "Wav2Vec2CTCTokenizer"
    assert len(tokenizer) == len(fresh) == 3 + 14
    kept = vocabulary.lexicon_of(tokenizer)
    assert kept == found
    assert list(kept.of) == list(found.of)
    encode, ids = vocabulary.encoder(tokenizer), tokenizer.get_vocab()
    names = ["T", "UW", "|", "R", "EH", "D", "|", "AY", "S"]
    assert encode("two read  ice") == [ids[name] for name in names] == vocabulary.encoder(fresh)("two read ice")
    assert encode("two dragons") == [ids["T"], ids["UW"], ids["|"], ids["[UNK]"]]
    # a plain pipeline() writes phonemes; I scream and ice cream are one, but for the space
    assert tokenizer.decode(encode("i scream")) == "AY SKRIYM"
    assert tokenizer.decode(encode("ice cream")) == "AYS KRIYM"
    assert vocabulary.lexicon_of(vocabulary.ctc_tokenizer(vocabulary.build(["a"], Units()), tmp_path / "a")) is None


def test_phonemes_that_cannot_be_units_are_told() -> None:
    with pytest.raises(vocabulary.UnitsError, match="no word"):
        vocabulary.phonemes(Pronunciations({}))
    with pytest.raises(vocabulary.UnitsError, match=r"called \|"):
        vocabulary.phonemes(Pronunciations({"a": (("|",),)}))


def espeak() -> None:
    pytest.importorskip("phonemizer")
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs the program espeak-ng")


def test_espeak_says_what_it_is_asked() -> None:
    espeak()
    found, missing = pronounce(["eye i two to chair", "rendez-vous '"], [], None, "en")
    assert found.of["chair"] == (("tʃ", "ɛɹ"),)
    assert found.words["t", "uː"] == ("to", "two")
    assert found.words["aɪ",] == ("eye", "i")
    assert found.of["rendez-vous"][0][-2:] == ("uː", "z")
    assert missing == ("'",)
    assert "".join(found.phonemes).isalpha()  # no stress, no dividers; ː is a letter to Unicode
    french, _ = pronounce(["chat"], [], None, "fr")
    assert french.of["chat"] == (("ʃ", "a"),)
    with pytest.raises(PronunciationError, match="does not speak 'tlh'"):
        pronounce(["a"], [], None, "tlh")
    with pytest.raises(PronunciationError, match=r"does not speak 'es-mx' \(it has es, es-419\)"):
        pronounce(["a"], [], None, "es-mx")
    with pytest.raises(PronunciationError, match="`language`"):
        pronounce(["a"], [], None, None)


def test_without_phonemizer_or_espeak_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "phonemizer.backend", None)
    with pytest.raises(PronunciationError, match=r"pip install \"hf-asr\[phonemes\]\""):
        pronounce(["a"], [], None, "en")
    monkeypatch.undo()
    backend = pytest.importorskip("phonemizer.backend")
    monkeypatch.setattr(backend.EspeakBackend, "is_available", lambda: False)
    with pytest.raises(PronunciationError, match="apt install espeak-ng"):
        pronounce(["a"], [], None, "en")


def load(folder: Path, *overrides: str) -> Recipe:
    return recipe_file.load(str(small.write(folder)), overrides)


def test_a_recipe_with_phonemes_is_checked_at_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tmp_path, "units.kind=phoneme", f"units.lexicon={file}").units.lexicon == str(file)
    with pytest.raises(RecipeError, match=r"units.lexicon +no such file"):
        load(tmp_path, "units.kind=phoneme", f"units.lexicon={file}x")
    with pytest.raises(RecipeError, match="goes with `kind: phoneme`"):
        load(tmp_path, f"units.lexicon={file}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"(?s)baseline.units.kind.*needs phonemizer"):
        load(tmp_path, "baseline={units: {kind: phoneme}}")
    with pytest.raises(RecipeError, match=r"`units.kind: phoneme` without a lexicon file must know it"):
        load(tmp_path, "units.kind=phoneme", "language=null")
