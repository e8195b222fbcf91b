"""What each declared step does to real transcripts, in several scripts; the answers are written by hand."""

import random
import sys
import unicodedata

import pytest

from hf_asr.recipe import Text
from hf_asr.text.normalise import describe, normalise
from hf_asr.text.numerals import NumeralsUnavailable

LOWER = Text(case="lower", punctuation="strip")
SPELL = Text(numerals="spell", case="lower", punctuation="strip")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  World!\n", "hello world"),
        ("", ""),
        ("?!", ""),
        ("Isn’t it the dogs' 'tis", "isn't it the dogs tis"),
        ("yes,no and/or well-known — here", "yes no and or well known here"),
        ("The U.S.A. wait...what", "the usa wait what"),
        ("snake_case 20°C a+b", "snake case 20 c a b"),
        ("soft\u00adhyphen \ufeffmark", "softhyphen mark"),
        ("I ❤️ you 🎉", "i you"),
        ("Straße, ÉCOLE; cafe\u0301", "straße école café"),
        ("Tiếng Việt, đẹp lắm!", "tiếng việt đẹp lắm"),
        ("L'opinió paral·lela", "l'opinió parallela"),
        ("ΑΣ, ΟΔΟΣ;", "ας οδος"),
        ("यह हिन्दी है। “नमस्ते”", "यह हिन्दी है नमस्ते"),
        ("می‌خواهم، کتاب؟", "می‌خواهم کتاب"),
        ("كتاب\u061c ها\u200c، ها\u200c", "كتاب ها ها"),
        ("ക്\u200d", "ക്\u200d"),
        ("צה״ל, שלום־רב", "צהל שלום רב"),
        ("Ինչո՞ւ ես։", "ինչու ես"),
        ("ሰላም፡ዓለም።", "ሰላም ዓለም"),
        ("你好，世界！？！好", "你好世界好"),
        ("我用Python，很好。", "我用python很好"),
        ("東京・大阪、ラーメン。", "東京大阪ラーメン"),
        ("ประเทศไทย… ที่นี่", "ประเทศไทย ที่นี่"),
        ("ʻOkina Hawaiʻi", "ʻokina hawaiʻi"),
    ],
)
def test_lower_case_without_punctuation(text: str, expected: str) -> None:
    assert normalise(text, LOWER, None) == unicodedata.normalize("NFC", expected)


@pytest.mark.parametrize(
    ("keep", "text", "expected"),
    [
        ("'", "rock'n'roll 'n’ don’t", "rock'n'roll n don't"),
        ("", "don't rock’n’roll", "dont rocknroll"),
        ("’", "don’t don't", "don’t dont"),
        ("-'", "well-known - it's -x x-", "well-known it's x x"),
        (".", "3.5 end. U.S.", "3.5 end u.s"),
        ("'", "3.5, 1.10; 3,5 v2.b 1'000", "3 5 1 10 3 5 v2b 1'000"),
        ("་", "བཀྲ་ཤིས་", "བཀྲ་ཤིས"),
    ],
)
def test_kept_characters_stay_only_inside_words(keep: str, text: str, expected: str) -> None:
    assert normalise(text, Text(case="lower", punctuation="strip", keep=keep), None) == expected


@pytest.mark.parametrize(
    ("language", "case", "text", "expected"),
    [
        ("tr", "lower", "ILIK İstanbul DIŞI", "ılık istanbul dışı"),
        ("tr", "lower", "I\u0307", "i"),  # decomposed
        ("tr-TR", "upper", "ılık istanbul", "ILIK İSTANBUL"),
        ("az", "upper", "bir", "BİR"),
        ("en", "lower", "ILIK", "ilik"),
        ("en", "upper", "istanbul", "ISTANBUL"),
        (None, "upper", "straße ΐ", "STRASSE Ϊ́"),
    ],
)
def test_case_knows_the_language(language: str | None, case: str, text: str, expected: str) -> None:
    steps = Text.model_validate({"case": case})
    assert normalise(text, steps, language) == unicodedata.normalize("NFC", expected)


def test_untouched_but_for_nfc_and_white_space() -> None:
    assert normalise(" “Cafe\u0301”, Bob’s\u00a0 No. 1!", Text(), "en") == "“Café”, Bob’s No. 1!"


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "In 1984, 1,234 of them", "in nineteen eighty four one thousand two hundred and thirty four of them"),
        ("en", "the 2nd and 21st of 3.05", "the second and twenty first of three point zero five"),
        ("en", "1-2-3 at 10:30, agent 007", "one two three at ten thirty agent zero zero seven"),
        ("en", "-5 degrees, B2B, mp3", "minus five degrees b two b mp three"),
        ("en", "the 1990s and 80's, 1.2.3", "the nineteen nineties and eighties one two point three"),
        ("en-GB", "5", "five"),
        (
            "de",
            "1.234,5 im Jahr 1984",
            "eintausendzweihundertvierunddreißig komma fünf im jahr neunzehnhundertvierundachtzig",
        ),
        ("fr", "le 1er, 3 500 fois", "le premier trois mille cinq cents fois"),
        ("es", "la 21ª y 3,5", "la vigésima primera y tres punto cinco"),
        ("pt-BR", "1.234", "mil duzentos e trinta e quatro"),
        ("nb", "5 år", "fem år"),
        ("ja", "3個、1984年", "三個千九百八十四年"),
    ],
)
def test_numbers_are_spelled(language: str, text: str, expected: str) -> None:
    pytest.importorskip("num2words", reason='the extra is missing: pip install "hf-asr[numerals]"')
    assert normalise(text.replace("3 500", "3\u202f500"), SPELL, language) == expected


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        (None, "5", "language: en"),
        ("hi", "5", "numerals: keep"),
        ("fil", "5", "does not know 'fil'"),  # num2words alone would answer in Finnish
        ("am", "1234567", "does not know 'am'"),  # and would never answer
        ("vi", "3,05", "cannot spell '3,05'"),
    ],
)
def test_numbers_that_cannot_be_spelled_are_an_error(language: str | None, text: str, told: str) -> None:
    pytest.importorskip("num2words", reason='the extra is missing: pip install "hf-asr[numerals]"')
    assert normalise("no digits", SPELL, language) == "no digits"
    with pytest.raises(NumeralsUnavailable, match=told):
        normalise(text, SPELL, language)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "num2words", None)
    with pytest.raises(NumeralsUnavailable, match=r'pip install "hf-asr\[numerals\]"'):
        normalise("5", SPELL, "en")


@pytest.mark.parametrize("steps", [LOWER, Text(case="upper", punctuation="strip", keep="-'"), Text()])
def test_twice_is_as_once(steps: Text) -> None:
    characters = "abIİıiß'’-.…,·\"_/ \u0301\u094d\u0915你。、！ไ\u200dé❤\ufe0f1٣"
    dice = random.Random(0)
    for _ in range(2000):
        once = normalise("".join(dice.choices(characters, k=8)), steps, "tr")
        assert normalise(once, steps, "tr") == once


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (Text(), "as written"),
        (LOWER, "lower case, punctuation stripped (keeps ')"),
        (Text(case="upper", punctuation="strip", keep=""), "upper case, punctuation stripped"),
        (Text(numerals="spell"), "numbers spelled"),
    ],
)
def test_described_in_a_line(steps: Text, line: str) -> None:
    assert describe(steps) == line
