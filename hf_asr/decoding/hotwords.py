"""Words that are to be preferred, such as names: letter by letter while they are written."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.ngram import Floats, Integers

BEGINNING, OTHER = 0, 1  # states before the first letter of a word, and in a word that is no hotword


@dataclass(frozen=True)
class Hotwords:
    """The beginnings of the hotwords as states of an automaton; every unit leads from each to another."""

    after: Integers  # [states, units]
    so_far: Floats  # [states] the bonus while a word may still become a hotword
    kept: Floats  # [states] what is left of it when the word ends there: all of it, or nothing


def hotwords(words: Iterable[str], alphabet: Alphabet, bonus: float) -> Hotwords:
    """`bonus` is added for every letter of the words; a phrase counts as its words."""
    whole = {word for phrase in words for word in phrase.split()}
    beginnings = sorted({word[:end] for word in whole for end in range(1, len(word) + 1)})
    states = {"": BEGINNING} | {text: number for number, text in enumerate(beginnings, OTHER + 1)}
    after = np.full((len(states) + 1, len(alphabet.written)), OTHER)
    so_far, kept = np.zeros(len(after)), np.zeros(len(after))
    for text, state in states.items():
        for unit, letters in enumerate(alphabet.written):
            after[state, unit] = states.get(text + (letters or ""), OTHER)
        so_far[state] = bonus * len(text)
        kept[state] = so_far[state] if text in whole else 0.0
    if alphabet.delimiter is not None:
        after[:, alphabet.delimiter] = BEGINNING
    return Hotwords(after, so_far, kept)
