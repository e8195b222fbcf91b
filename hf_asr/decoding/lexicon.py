"""The words a search knows beforehand: what a word that is being written may become.

A beginning like "knig" is judged before its word is complete: by the most frequent word of the language model's that
begins so, as smearing does it in speech decoders (S. Ortmanns, H. Ney and A. Eiden, Language-model look-ahead for large
vocabulary speech recognition, ICSLP 1996); and by hotwords. When the word ends, what it is takes the place of what it
might have become, so no final score depends on this, only which beginnings live long enough to have one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ngram import UNKNOWN, Floats, Integers, LanguageModel

BEGINNING, OTHER = 0, 1  # states: before the first letter of a word, and in one that begins no known word


@dataclass(frozen=True)
class Lexicon:
    """The beginnings of known words as states of an automaton; every unit leads from each to another."""

    keys: Integers  # ascending: state x units + unit, of those that lead to a known beginning
    next: Integers  # the state that each leads to
    log10: Floats  # [states] of the most frequent word that begins so, at least that of an unknown word; 0 at BEGINNING
    hot: Floats  # [states] letters, where a hotword begins so
    whole: Floats  # [states] letters, where it is a hotword

    def after(self, states: Integers, units: Integers, size: int) -> Integers:
        """The states that units lead to from states, shapes broadcast together; `size`: number of units."""
        keys = states * size + units
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.next[at], OTHER)


def lexicon(alphabet: Alphabet, lm: LanguageModel | None, hotwords: Iterable[str] = ()) -> Lexicon:
    """Of the model's vocabulary and of hotwords; a phrase counts as its words."""
    preferred = {word for phrase in hotwords for word in phrase.split()}
    known = [] if lm is None else list(lm.vocabulary)
    asked = [UNKNOWN, *known]
    unigrams = np.zeros(len(asked)) if lm is None else lm.step(np.full(len(asked), lm.empty), asked)[0]
    floor = float(unigrams[0])
    states, log10 = {"": BEGINNING}, [0.0, floor]
    for word, value in zip([*preferred, *known], [floor] * len(preferred) + unigrams[1:].tolist(), strict=True):
        for end in range(1, len(word) + 1):
            state = states.setdefault(word[:end], len(log10))
            if state == len(log10):
                log10.append(max(value, floor))
            elif value > log10[state]:
                log10[state] = value
    keys, reached = _ways(states, alphabet)
    hot, whole = np.zeros(len(log10)), np.zeros(len(log10))
    for word in preferred:
        for end in range(1, len(word) + 1):
            hot[states[word[:end]]] = end
        whole[states[word]] = len(word)
    order = np.argsort(keys)
    return Lexicon(keys[order], reached[order], np.array(log10), hot, whole)


def _ways(states: dict[str, int], alphabet: Alphabet) -> tuple[Integers, Integers]:
    """state x units + unit, and the state that it leads to: any unit that ends a beginning may have led to it."""
    units = {letters: unit for unit, letters in enumerate(alphabet.written) if letters and unit != alphabet.delimiter}
    size, longest = len(alphabet.written), max(map(len, units), default=0)
    keys, reached = [-1], [OTHER]  # never asked for; so that there is one
    for text, state in states.items():
        for length in range(1, min(longest, len(text)) + 1):
            if (unit := units.get(text[-length:])) is not None:
                keys.append(states[text[:-length]] * size + unit)
                reached.append(state)
    return np.array(keys), np.array(reached)
