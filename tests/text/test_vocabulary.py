"""Units are learned, encoded, saved, loaded again and read back by the stock tokenizer."""

import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from hf_asr.models import checkpoints
from hf_asr.models.head import with_head, written_for
from hf_asr.recipe import Model, Units, Whisper
from hf_asr.text import vocabulary
from hf_asr.text.vocabulary import UnitsError, Vocabulary, build, ctc_tokenizer, encoder, unknown_characters

TEXTS = {
    "English": ["hello all the little books", "the bookkeeper is rolling balls", "o'neill sees [it]", "a"],
    "Devanagari": ["यह हिन्दी भाषा है", "मम्मी ने पत्ता देखा", "क्या यह सच्चा है"],
    "Han": ["你好世界", "妈妈爱 天天向上", "谢谢 你们"],
    "Vietnamese": ["tiếng việt đẹp lắm", "xanh xanh đo đỏ"],
}
KINDS = {
    "character": Units(),
    "unigram": Units(kind="subword", size=60),
    "bpe": Units(kind="subword", size=60, algorithm="bpe"),
}


@pytest.mark.parametrize("units", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_encoded_is_read_back(texts: list[str], units: Units, tmp_path: Path) -> None:
    fresh = ctc_tokenizer(build(texts, units), tmp_path / "fresh")
    fresh.save_pretrained(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "again")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "again")
    assert type(tokenizer).__name__ == "Wav2Vec2CTCTokenizer"
    assert len(tokenizer) == len(fresh) == tokenizer.vocab_size
    encode = encoder(tokenizer)
    for text in [*texts, " ".join(texts)]:
        ids = encode(text)
        assert ids == encoder(fresh)(text)
        assert tokenizer.unk_token_id not in ids
        # what a perfect network says: every unit twice, a blank between repeated units
        frames = []
        for before, unit in zip([None, *ids], ids, strict=False):
            frames += ([tokenizer.pad_token_id] if unit == before else []) + [unit, unit]
        assert tokenizer.decode(frames) == text
        assert tokenizer.batch_decode([[*frames, tokenizer.pad_token_id]]) == [text]


def test_characters_have_known_ids() -> None:
    assert build(["ba ca", " b|d "], Units()) == Vocabulary(("[PAD]", "[UNK]", "|", "a", "b", "c", "d"))


def test_subwords_keep_to_their_size_and_to_words(tmp_path: Path) -> None:
    texts = ["the cat sat on the mat with the other cats", "that hat is the one the cat sat on"] * 5
    for algorithm in ("unigram", "bpe"):
        vocabulary = build(texts, Units.model_validate({"kind": "subword", "size": 24, "algorithm": algorithm}))
        assert vocabulary.tokens[:3] == ("[PAD]", "[UNK]", "|")
        pieces = vocabulary.tokens[3:]
        letters = set("".join(texts)) - {" "}
        assert len(letters) < len(pieces) <= 24
        assert letters < set(pieces)
        assert list(pieces) == sorted(set(pieces))
        assert not any(" " in piece or "|" in piece for piece in pieces)
        encode = encoder(ctc_tokenizer(vocabulary, tmp_path / algorithm))
        assert len(encode("the cat")) < len("the cat")
        assert encode("the cat")[-3:].count(2) <= 1
        assert [unit for unit in encode("the cat") if unit == 2] == [2]


def test_the_same_transcripts_give_the_same_units_in_another_process() -> None:
    # many pieces equally good: tokenizers alone gives other scores in every process
    texts = [" ".join(f"{a}{b}ing{a}" for b in "aeiou") for a in "bcdfghjklm"]
    units = Units(kind="subword", size=64)
    code = f"from hf_asr.text.vocabulary import *; print(repr(build({texts!r}, Units(**{units.model_dump()!r}))))"
    there = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert there.stdout.strip() == repr(build(texts, units))


@pytest.mark.parametrize("units", KINDS.values(), ids=KINDS.keys())
def test_what_has_no_unit_is_named(units: Units, tmp_path: Path) -> None:
    tokenizer = ctc_tokenizer(build(["hello world", "a|b"], units), tmp_path)
    assert unknown_characters(tokenizer, "hello world ab") == set()
    # the delimiter is a unit, but as a letter it would come back as a space
    assert unknown_characters(tokenizer, "hello|żółw [") == {"|", "ż", "ó", "ł", "["}
    assert encoder(tokenizer)("hé").count(tokenizer.unk_token_id) == 1


def test_vocabularies_in_capitals_with_lower_case_output(tmp_path: Path) -> None:
    tokenizer = ctc_tokenizer(build(["HELLO"], Units()), tmp_path)
    tokenizer.do_lower_case = True  # as in facebook/wav2vec2-base-960h's relatives
    assert unknown_characters(tokenizer, "hello x") == {"x"}


@pytest.mark.parametrize(
    ("texts", "units", "told"),
    [
        ([], Units(), "no letters"),
        (["", " | "], Units(), "no letters"),
        (["abcdefghijkl"], Units(kind="subword", size=8), "12 different letters"),
    ],
)
def test_units_that_cannot_be_are_an_error(texts: list[str], units: Units, told: str) -> None:
    with pytest.raises(UnitsError, match=told):
        build(texts, units)


@pytest.mark.parametrize(("name", "kept"), [("character", True), ("unigram", False), ("bpe", False)])
def test_a_head_of_letters_is_not_taken_for_the_subwords_asked_for(name: str, kept: bool, tmp_path: Path) -> None:
    recogniser = checkpoints.load(Model(checkpoint="embedded:micro"), Whisper(), "en")
    written = written_for(recogniser, TEXTS["English"][:2], KINDS[name])
    assert written.kept == kept
    if not kept:
        assert any(len(piece) > 1 for piece in set(written.tokenizer.get_vocab()) - set(vocabulary.SPECIAL))
        again = with_head(recogniser, written)
        assert written_for(again, TEXTS["English"][:2], KINDS[name]).kept


def test_a_new_head_keeps_the_units_that_the_old_one_knew(tmp_path: Path) -> None:
    before = vocabulary.ctc_tokenizer(vocabulary.build(["ABC'"], Units()), tmp_path / "before")
    after = vocabulary.ctc_tokenizer(vocabulary.build(["abcé5"], Units()), tmp_path / "after")
    old, new = before.get_vocab(), after.get_vocab()
    known = {new["a"]: old["A"], new["b"]: old["B"], new["c"]: old["C"], new["[PAD]"]: old["[PAD]"]}
    known |= {new["[UNK]"]: old["[UNK]"], new["|"]: old["|"]}
    assert vocabulary.shared(before, after) == known
    assert vocabulary.shared(None, after) == {}
    assert vocabulary.letters(before) == ["'", "A", "B", "C"]
    assert vocabulary.mostly_known(before, ["AAAAABBBBB CCCCC CCCC 5"])
    assert not vocabulary.mostly_known(before, ["AAAAA 5"])
    assert not vocabulary.mostly_known(before, ["aaaaa"])
