"""The words a search knows beforehand: what a word that is being written may become.

A beginning like "knig" is judged before its word is complete: by the most frequent word of the language model's that
begins so, as smearing does it in speech decoders (S. Ortmanns, H. Ney and A. Eiden, Language-model look-ahead for large
vocabulary speech recognition, ICSLP 1996); and by hotwords. When the word ends, what it is takes the place of what it
might have become, so no final score depends on this, only which beginnings live long enough to have one.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ngram import UNKNOWN, Floats, Integers, LanguageModel
from hf_asr.text.pronunciation import Pronunciations

BEGINNING, OTHER = 0, 1  # states: before the first letter of a word, and in one that begins no known word


@dataclass(frozen=True)
class Lexicon:
    """The beginnings of known words as states of an automaton; every unit leads from each to another."""

    keys: Integers  # ascending: state x units + unit, of those that lead to a known beginning
    next: Integers  # the state that each leads to
    log10: Floats  # [states] of the most frequent word that begins so, at least that of an unknown word; 0 at BEGINNING
    hot: Floats  # [states] letters, where a hotword begins so
    whole: Floats  # [states, readings] letters, where it is a hotword
    readings: tuple[tuple[str, ...], ...] | None = None  # [states] words that are said so; None: words are as spelled

    def after(self, states: Integers, units: Integers, size: int) -> Integers:
        """The states that units lead to from states, shapes broadcast together; `size`: number of units."""
        keys = states * size + units
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.next[at], OTHER)


def lexicon(
    alphabet: Alphabet, lm: LanguageModel | None, hotwords: Iterable[str] = (), said: Pronunciations | None = None
) -> Lexicon:
    """Of the model's vocabulary and of hotwords, a phrase counts as its words; or, where units are phonemes, of these.

    How frequent words are that the model does not know is a matter of <unk>.
    """
    preferred = {word for phrase in hotwords for word in phrase.split()}
    known = list(said.of) if said is not None else [] if lm is None else list(lm.vocabulary)
    asked = [UNKNOWN, *known]
    unigrams = np.zeros(len(asked)) if lm is None else lm.step(np.full(len(asked), lm.empty), asked)[0]
    floor = float(unigrams[0])
    values = dict.fromkeys(preferred, floor) | dict(zip(known, unigrams[1:].tolist(), strict=True))
    spellings: Mapping[Any, tuple[str, ...]] = {word: (word,) for word in values} if said is None else said.words
    states: dict[Sequence[str], int] = {"" if said is None else (): BEGINNING}
    log10 = [0.0, floor]
    for spelling, words in spellings.items():
        value = max(values[word] for word in words)
        for end in range(1, len(spelling) + 1):
            state = states.setdefault(spelling[:end], len(log10))
            if state == len(log10):
                log10.append(max(value, floor))
            elif value > log10[state]:
                log10[state] = value
    keys, reached = _ways(states, alphabet, said is not None)
    order = np.argsort(keys)
    hot, whole = _hot(states, spellings, preferred, len(log10))
    readings = None if said is None else _readings(states, said, len(log10))
    return Lexicon(keys[order], reached[order], np.array(log10), hot, whole, readings)


def _hot(
    states: Mapping[Sequence[str], int],
    spellings: Mapping[Sequence[str], tuple[str, ...]],
    preferred: Collection[str],
    count: int,
) -> tuple[Floats, Floats]:
    """Letters that the beginning of a hotword counts for [states], and a whole one [states, readings]."""
    hot, whole = np.zeros(count), np.zeros((count, max(map(len, spellings.values()), default=1)))
    for spelling, words in spellings.items():
        letters = [len(word) if word in preferred else 0 for word in words]
        whole[states[spelling], : len(words)] = letters
        for end in range(1, len(spelling) + 1):
            state = states[spelling[:end]]
            hot[state] = max(hot[state], min(end, max(letters)))
    return hot, whole


def _readings(states: Mapping[Sequence[str], int], said: Pronunciations, count: int) -> tuple[tuple[str, ...], ...]:
    found: list[tuple[str, ...]] = [()] * count
    found[BEGINNING] = ("",)
    for spelling, words in said.words.items():
        found[states[spelling]] = words
    return tuple(found)


def _ways(states: Mapping[Sequence[str], int], alphabet: Alphabet, said: bool) -> tuple[Integers, Integers]:
    """state x units + unit, and the state that it leads to: any unit that ends a beginning may have led to it."""
    units: dict[Sequence[str], int] = {
        (letters,) if said else letters: unit
        for unit, letters in enumerate(alphabet.written)
        if letters and unit != alphabet.delimiter
    }
    size, longest = len(alphabet.written), max(map(len, units), default=0)
    keys, reached = [-1], [OTHER]  # never asked for; so that there is one
    for text, state in states.items():
        for length in range(1, min(longest, len(text)) + 1):
            if (unit := units.get(text[-length:])) is not None:
                keys.append(states[text[:-length]] * size + unit)
                reached.append(state)
    return np.array(keys), np.array(reached)
