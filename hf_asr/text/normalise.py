"""From the transcript as written to the text used: declared steps, in one order, for any script."""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from hf_asr.recipe import Text
from hf_asr.text.numerals import spell

# Latin alphabets with both dotted and dotless i
DOTTED_I = {"az", "crh", "gag", "tr", "tt"}

# soft hyphen, zero-width space, direction marks, emoji selectors, byte order mark; not the two joiners (in letters)
INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufe00-\ufe0f\ufeff]")

# a zero-width non-joiner that stands between nothing; the joiner may end a word (Malayalam chillu letters)
AT_AN_END = re.compile("\u200c+(?=\\s|$)")

# neither letter, digit nor space by Python's \w: punctuation and symbols, but combining marks, too
CANDIDATES = re.compile(r"(?:[^\w\s]|_)+")

# stand inside one word (U.S., rock'n'roll, Catalan l·l, Hebrew צה״ל, Armenian ո՞ւ), so nothing remains in their place;
# other punctuation inside a word joins two (yes,no and/or), so a space does
WITHIN_WORDS = set("'’‘ʼ`´\"“”„«».·׳״՚՛՜՝՞՟")

# scripts that write no spaces between words, by the first word of a character's Unicode name
UNSPACED = {"CJK", "FULLWIDTH", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA", "KHMER", "LAO", "MYANMAR", "THAI"}

MANY_CUT_OFF = 0.01  # of all words; quotation marks and dogs' are fewer


def normalise(text: str, steps: Text, language: str | None) -> str:
    """NFC, numerals, case, punctuation, white space, in this order; doing it twice changes nothing more.

    `language` is a code such as tr, en or pt-BR. Raises `NumeralsUnavailable` when numbers cannot be spelled.
    """
    text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    if steps.numerals == "spell":
        text = spell(text, language)
    if steps.case != "keep":
        text = _case(text, steps.case, language)
    if steps.punctuation == "strip":
        text = _strip(text, steps.keep)
    # NFC again: upper case may decompose (ΐ)
    return unicodedata.normalize("NFC", " ".join(AT_AN_END.sub("", text).split()))


def describe(steps: Text) -> str:
    """One line for tables and cards, e.g. "lower case, punctuation stripped (keeps ')"."""
    parts = []
    if steps.numerals == "spell":
        parts.append("numbers spelled")
    if steps.case != "keep":
        parts.append(f"{steps.case} case")
    if steps.punctuation == "strip":
        parts.append(
            "punctuation stripped" + (f" (keeps {' '.join(steps.keep.split())})" if steps.keep.strip() else "")
        )
    return ", ".join(parts) or "as written"


def cut_off(raw: Sequence[str], steps: Text) -> list[str]:
    """A warning when `strip` takes letters: an apostrophe that begins or ends words is a sound in many languages."""
    if steps.punctuation != "strip" or not steps.keep.strip():
        return []
    marks = re.escape("".join(steps.keep.split()) + ("’" if "'" in steps.keep else ""))
    word = r"\w\u0300-\u036f"
    at_ends = re.compile(f"(?<![{word}{marks}])[{marks}]+[{word}]|[{word}][{marks}]+(?![{word}{marks}])")
    lost = sum(len(at_ends.findall(one)) for one in raw)
    if lost <= MANY_CUT_OFF * sum(len(one.split()) for one in raw):
        return []
    return [
        f"{lost} words begin or end with {' '.join(steps.keep.split())}, which `strip` removes there; if it is a"
        " letter: write ʼ (U+02BC) in the transcripts, or set punctuation: keep in text and metric"
    ]


def _case(text: str, case: str, language: str | None) -> str:
    dotted = language is not None and re.split("[-_]", language)[0].lower() in DOTTED_I
    if case == "lower":
        return (text.replace("İ", "i").replace("I", "ı") if dotted else text).lower()
    return (text.replace("i", "İ") if dotted else text).upper()


def _strip(text: str, keep: str) -> str:
    """Without Unicode categories P and S, except characters of `keep` between two letters or digits."""
    if "'" in keep:
        text = text.replace("’", "'")

    def instead(match: re.Match[str]) -> str:
        run, last, out = match.group(), text[match.start() - 1 : match.start()], ""
        following = text[match.end() : match.end() + 1]
        for at, char in enumerate(run):
            before, after = (run[at - 1 : at] or last)[-1:], run[at + 1 : at + 2] or following
            kept = (out or last)[-1:]
            if unicodedata.category(char)[0] not in "PS":
                # a mark or joiner belongs to the letter before it, and goes when that was a symbol
                out += char if _in_word(kept) and before == kept else ""
            elif char in keep and _in_word(kept) and after.isalnum():
                out += char
            elif not (_unspaced(before) or _unspaced(after)) and (
                char not in WITHIN_WORDS or char in (before, after) or (before.isdigit() and after.isdigit())
            ):
                out += " "  # "wait...what" is two words, "U.S." one; 3.5 is not 35
        return out

    return CANDIDATES.sub(instead, text)


@cache
def _in_word(char: str) -> bool:
    return char != "" and (unicodedata.category(char)[0] in "LMN" or char in "\u200c\u200d")


@cache
def _unspaced(char: str) -> bool:
    return char != "" and unicodedata.name(char, "").partition(" ")[0] in UNSPACED
