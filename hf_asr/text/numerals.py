"""Numbers as words, by num2words (extra `numerals`)."""

import re
from decimal import Decimal
from importlib import import_module
from types import ModuleType

from hf_asr.errors import UserError

# where a decimal point, and not a comma, divides; elsewhere 3,5 is three and a half
POINT = {"en", "he", "ja", "ko", "th", "te", "kn", "bn"}

# where years have a reading of their own (nineteen eighty-four); num2words' Japanese one is by eras, so is not here
YEARS = {"en", "da", "de", "nl", "no", "sl"}

# written ordinals: 1st, 2e, 3º; and decades: 1990s
ENDINGS = {"en": "st|nd|rd|th|'?s", "fr": "er|re|ère|e|ème", "es": "º|ª", "it": "º|ª", "pt": "º|ª"}

# num2words' Amharic never returns from 1234567
BROKEN = {"am"}

# num2words reads decimals wrong here (3.05 as 3.5, or as nothing); in Welsh and Italian it does not when given text
BROKEN_DECIMALS = {"ar", "bn", "ce", "fa", "tr", "vi"}
DECIMALS_AS_TEXT = {"cy", "it"}

# no spaces around words
UNSPACED = {"ja", "th"}


class NumeralsUnavailable(UserError):
    """Numbers cannot be spelled here; the message says what to do."""


def spell(text: str, language: str | None) -> str:
    """3.5 -> three point five, 1984 -> nineteen eighty-four, 2nd -> second, 007 -> zero zero seven.

    Raises `NumeralsUnavailable` without num2words, without a language it knows, or for a number it cannot read.
    """
    if not any(char.isdecimal() for char in text):
        return text
    package = _num2words()
    code = _code(package, language)
    base = code.partition("_")[0]
    comma, point = (",", ".") if base in POINT else (".", ",")
    number = re.compile(
        rf"(?P<sign>(?<!\S)[-−](?=\d))?(?P<whole>\d{{1,3}}(?:[{comma}\u00a0\u202f]\d{{3}})+(?!\d)|\d+)"
        rf"(?:[{point}](?P<part>\d+)(?![{point}]?\d)|(?P<ending>{ENDINGS.get(base, '(?!)')})(?!\w))?"
    )

    def words(match: re.Match[str]) -> str:
        try:
            spoken = _words(package, match, code)
        except Exception as error:  # num2words raises whatever it happens to meet
            raise NumeralsUnavailable(
                f"num2words cannot spell {match.group()!r} in {language!r}: write it out in the transcript, "
                "or use `numerals: keep`"
            ) from error
        if base in UNSPACED:
            return spoken
        # B2B is "B two B", 1.2.3 "one. two point three"
        before = re.search(r"\w$|\d[.,]$", text[max(0, match.start() - 2) : match.start()])
        after = text[match.end() : match.end() + 1].isalnum()
        return " " * bool(before) + spoken + " " * after

    return number.sub(words, text)


def _words(package: ModuleType, match: re.Match[str], code: str) -> str:
    whole = re.sub(r"\D", "", match["whole"])
    base = code.partition("_")[0]

    def say(number: Decimal | int | str, to: str = "cardinal") -> str:
        # "one thousand, two hundred": the comma is num2words', nobody's transcript has it
        return str(package.num2words(number, lang=code, to=to)).replace(",", "")

    is_year = base in YEARS and match["whole"] == whole and not match["sign"] and 1100 <= int(whole) < 2100
    ending = match["ending"]
    if ending and ending.endswith("s") and base == "en":
        spoken = say(int(whole), "year" if is_year else "cardinal") + "s"
        return re.sub("ys$", "ies", spoken)
    if ending:
        spoken = say(int(whole), "ordinal")
        return re.sub(r"o\b", "a", spoken) if ending == "ª" else spoken
    if match["part"]:
        if base in BROKEN_DECIMALS:
            raise ValueError("wrong decimals")
        decimal = Decimal(f"{whole}.{match['part']}")
        spoken = say(str(decimal) if base in DECIMALS_AS_TEXT else decimal)
    elif len(whole) > 1 and int(whole[0]) == 0:
        spoken = " ".join(say(int(digit)) for digit in whole)
    else:
        spoken = say(int(whole), "year" if is_year else "cardinal")
    if match["sign"]:
        negative = say(-int(whole))
        minus = negative.removesuffix(say(int(whole)))
        if minus == negative:
            raise ValueError("wrong negative numbers")  # Vietnamese: -5 reads as 15
        spoken = minus + spoken
    return spoken


def _num2words() -> ModuleType:
    try:
        return import_module("num2words")
    except ImportError as error:
        raise NumeralsUnavailable('`numerals: spell` needs num2words: pip install "hf-asr[numerals]"') from error


def _code(package: ModuleType, language: str | None) -> str:
    """num2words' own code: en-GB -> en, pt-BR -> pt_BR. Not left to num2words, which reads fil (Filipino) as fi."""
    if language is None:
        raise NumeralsUnavailable("`numerals: spell` needs the recipe's `language`, e.g. language: en")
    base, _, region = language.replace("-", "_").partition("_")
    base = {"nb": "no", "nn": "no"}.get(base.lower(), base.lower())
    for code in (f"{base}_{region.upper()}", base):
        if code in package.CONVERTER_CLASSES and code not in BROKEN:
            return code
    known = ", ".join(sorted({code.partition("_")[0] for code in package.CONVERTER_CLASSES} - BROKEN))
    raise NumeralsUnavailable(f"num2words does not know {language!r}: use `numerals: keep`. It knows {known}")
