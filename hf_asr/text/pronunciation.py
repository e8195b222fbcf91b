"""How words are said: from words to phonemes, and back from phonemes to words.

Pronunciations come from a lexicon file or from espeak-ng through the phonemizer package (Bernard and Titeux, Journal
of Open Source Software 6(68), 2021), for the words that are asked for and no others. A word may be said in several
ways, and several words the same way: of those the more frequent one is meant where nothing tells more.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from hf_asr.errors import UserError

Phonemes = tuple[str, ...]

VARIANT = re.compile(r"(?P<word>.+)\(\d+\)")  # CMUdict's second and further pronunciations: READ(2)
STRESS = re.compile(r"(?<=[A-Z])[012]$")  # of ARPABET: AH0; tones of other alphabets follow small letters
COMMENT = re.compile(r"^;;;.*|\s#.*")
# espeak-ng's own names where they differ from a recipe's
VOICES = {"en": "en-us", "fr": "fr-fr", "no": "nb", "zh": "cmn"}


class PronunciationError(UserError):
    """Pronunciations cannot be read or made; the message says why and what to do."""


@dataclass(frozen=True)
class Pronunciations:
    """Words, the most frequent first, each with the ways it is said; the first of them is what labels are made of."""

    of: Mapping[str, tuple[Phonemes, ...]]

    @classmethod
    def read(cls, lines: Iterable[str]) -> "Pronunciations":
        """What `lines` gave: word, tab, phonemes."""
        found: dict[str, tuple[Phonemes, ...]] = {}
        for word, _, said in (line.partition("\t") for line in lines):
            found[word] = (*found.get(word, ()), tuple(said.split()))
        return cls(found)

    @property
    def lines(self) -> list[str]:
        """A pronunciation a line, in order."""
        return [f"{word}\t{' '.join(said)}" for word, ways in self.of.items() for said in ways]

    @cached_property
    def words(self) -> dict[Phonemes, tuple[str, ...]]:
        """The other way: the words that are said so, the most frequent first."""
        found: dict[Phonemes, tuple[str, ...]] = {}
        for word, ways in self.of.items():
            for said in dict.fromkeys(ways):
                found[said] = (*found.get(said, ()), word)
        return found

    @cached_property
    def phonemes(self) -> tuple[str, ...]:
        return tuple(sorted({phoneme for said in self.words for phoneme in said}))

    def outside(self, text: str) -> set[str]:
        """The words of a text that are not here."""
        return {word for word in text.split() if word not in self.of}

    def nearest(self, said: Phonemes) -> str:
        """The word that is said so, else the one whose pronunciation takes the fewest edits.

        Levenshtein distance in phonemes; among equals the most frequent word. Empty for no phonemes.
        """
        if not said or not self.of:
            return ""
        if exact := self.words.get(said):
            return exact[0]
        query = "".join(self._letters.get(phoneme, "\0") for phoneme in said)
        (_, _, place), keys = process.extractOne(query, self._spelled, scorer=Levenshtein.distance), self._ways
        return self.words[keys[place]][0]

    @cached_property
    def _ways(self) -> list[Phonemes]:
        return list(self.words)

    @cached_property
    def _letters(self) -> dict[str, str]:
        """A character a phoneme, so that edits of strings are edits of phonemes."""
        return {phoneme: chr(number) for number, phoneme in enumerate(self.phonemes, 1)}

    @cached_property
    def _spelled(self) -> list[str]:
        return ["".join(self._letters[phoneme] for phoneme in said) for said in self._ways]


def pronounce(
    texts: Iterable[str], more: Iterable[str], file: str | None, language: str | None
) -> tuple[Pronunciations, tuple[str, ...]]:
    """The pronunciations of all words of the texts, then of `more` texts, and the words that have none.

    From a lexicon file, or without one by espeak-ng in this language. Both results have the most frequent words
    first. Raises PronunciationError.
    """
    words = list(dict.fromkeys([*_ranked(texts), *_ranked(more)]))
    found = _looked_up(words, read_lexicon(Path(file).expanduser())) if file else _espeak(words, language)
    return Pronunciations(found), tuple(word for word in words if word not in found)


def _ranked(texts: Iterable[str]) -> list[str]:
    """Words, the most frequent first; of equals, in order of the alphabet."""
    counts = Counter(word for text in texts for word in text.split())
    return sorted(counts, key=lambda word: (-counts[word], word))


def _looked_up(words: list[str], lexicon: Mapping[str, tuple[Phonemes, ...]]) -> dict[str, tuple[Phonemes, ...]]:
    folded: dict[str, tuple[Phonemes, ...]] = {}
    for word, ways in lexicon.items():
        folded.setdefault(word.casefold(), ways)
    found = {word: lexicon.get(word) or folded.get(word.casefold()) for word in words}
    return {word: ways for word, ways in found.items() if ways}


def read_lexicon(path: Path) -> dict[str, tuple[Phonemes, ...]]:
    """A lexicon file in UTF-8, a pronunciation a line: WORD(2)  P1 P2, as CMUdict has it, or word, tab, phonemes.

    Lines with ;;; and what follows a # are comments; ARPABET's stress digits are left out. Raises PronunciationError.
    """
    found: dict[str, tuple[Phonemes, ...]] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        word, said = _entry(COMMENT.sub("", line).rstrip())
        if word and not said:
            raise PronunciationError(f"{path}, line {number}: {word!r} has no phonemes after it")
        if word and said not in found.get(word, ()):
            found[word] = (*found.get(word, ()), said)
    if not found:
        raise PronunciationError(f"{path} holds no pronunciation: a word, a tab and its phonemes make a line")
    return found


def _entry(line: str) -> tuple[str, Phonemes]:
    """The word of a line, without the number of a variant, and its phonemes."""
    word, tab, said = line.partition("\t")
    if not tab:
        word, _, said = line.strip().partition(" ")
    variant = VARIANT.fullmatch(word.strip())
    return variant["word"] if variant else word.strip(), tuple(STRESS.sub("", phoneme) for phoneme in said.split())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        told = f"units.lexicon: {path} is not text in UTF-8; CMUdict 0.7b: iconv -f latin1 -t utf-8 OLD > NEW"
        raise PronunciationError(told) from error
    except OSError as error:
        raise PronunciationError(f"units.lexicon: cannot read {path}: {error.strerror}") from error


def _espeak(words: list[str], language: str | None) -> dict[str, tuple[Phonemes, ...]]:
    """Each word said alone, by espeak-ng; IPA without stress, as in wav2vec2's phoneme checkpoints."""
    separator, backend = _backend(language)
    said = backend.phonemize(words, separator=separator, strip=True)
    ways = ((word, tuple(found.replace("|", " ").split())) for word, found in zip(words, said, strict=True))
    return {word: (way,) for word, way in ways if way}


def _backend(language: str | None) -> tuple[Any, Any]:
    try:
        from phonemizer.backend import EspeakBackend
        from phonemizer.logger import get_logger
        from phonemizer.separator import Separator
    except ImportError as error:
        told = 'units.kind: phoneme needs phonemizer: pip install "hf-asr[phonemes]"; or a file in units.lexicon'
        raise PronunciationError(told) from error
    if not EspeakBackend.is_available():
        raise PronunciationError(
            "units.kind: phoneme needs the program espeak-ng (apt install espeak-ng, brew install espeak-ng); "
            "or a file in units.lexicon"
        )
    if language is None:
        raise PronunciationError("units.kind: phoneme needs the recipe's `language`, or a file in units.lexicon")
    voice, known = VOICES.get(language, language).lower(), EspeakBackend.supported_languages()
    if voice not in known:
        near = [name for name in known if name.partition("-")[0] == voice.partition("-")[0]]
        others = f" (it has {', '.join(near)})" if near else ""
        raise PronunciationError(f"espeak-ng does not speak {language!r}{others}: give a file in units.lexicon")
    # a second word inside one, as in rendez-vous, is divided by | and joined above
    separator = Separator(phone=" ", word="|", syllable="")
    return separator, EspeakBackend(voice, language_switch="remove-flags", logger=get_logger(verbosity="quiet"))


def in_words(found: Pronunciations) -> str:
    """How many phonemes, words and homophones there are."""
    ways, shared = sum(map(len, found.of.values())), sum(len(words) > 1 for words in found.words.values())
    return (
        f"{len(found.phonemes)} phonemes; lexicon of {len(found.of):,} words, {ways:,} pronunciations,"
        f" {shared:,} of them of more than one word"
    )


def unpronounced(words: Sequence[str], first: int = 10) -> Iterator[str]:
    """A warning, if there are such words, with the first of them."""
    if words:
        more = ", ..." if len(words) > first else ""
        yield f"{len(words):,} words without a pronunciation: {', '.join(words[:first])}{more}"
