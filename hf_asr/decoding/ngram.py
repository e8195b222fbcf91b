"""An n-gram language model: how probable is a word after the words before it?

p(word | history) is stored for the word sequences of the training text; for all others the model backs off: it
forgets the first word of the history and multiplies with that history's back-off weight (Katz 1987). Estimation is
in hf_asr.decoding.kneser_ney, files in hf_asr.decoding.arpa.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hf_asr.errors import UserError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
SPECIAL = (UNKNOWN, BEGIN, END)

Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class LanguageModelError(UserError):
    """A language model cannot be made or read; the message says why and what to do."""


class LanguageModel(Protocol):
    """What the beam search asks: states are numbers, and stand for the words so far as far as they matter."""

    @property
    def start(self) -> int:
        """The state at the beginning of a sentence."""
        ...

    @property
    def empty(self) -> int:
        """The state without any word before."""
        ...

    @property
    def vocabulary(self) -> Collection[str]:
        """The words it is known to know."""
        ...

    def step(self, states: Integers, words: Sequence[str]) -> tuple[Floats, Integers]:
        """log10 p(word | state) and the state after it, each [n], for n states with a word each."""
        ...


@dataclass(frozen=True)
class Trie:
    """N-grams as nodes of a tree in arrays, 0 the empty history; 20 bytes an n-gram.

    Nodes are in order of `keys`: node of the n-gram without its last word x size of the vocabulary + last word. So
    shorter n-grams come first, and one binary search finds a word after a history of any length.
    """

    keys: Integers
    log10: NDArray[np.float32]  # of the probability of the last word after the others
    backoff: NDArray[np.float32]  # log10 of the weight
    suffix: NDArray[np.int32]  # the longest n-gram in the tree that a node's n-gram ends with, itself excepted

    def find(self, nodes: Integers, words: Integers, size: int) -> tuple[Integers, Floats]:
        """Of each history and word: the longest n-gram in the tree that they end with, and log10 of the way to it."""
        nodes, spent = nodes.copy(), np.zeros(len(nodes))
        found, left = np.empty_like(nodes), np.arange(len(nodes))
        while len(left):
            keys = nodes[left] * size + words[left]
            at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            hit = self.keys[at] == keys
            found[left[hit]] = at[hit]
            left = left[~hit]
            spent[left] += self.backoff[nodes[left]]
            nodes[left] = self.suffix[nodes[left]]
        return found, spent

    def child(self, nodes: Integers, words: Integers, size: int) -> Integers:
        """The node of each history with one word more, -1 where there is none."""
        keys = nodes * size + words
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((self.keys[at] == keys) & (nodes >= 0), at, -1)

    def grown(
        self, history: Integers, words: Integers, log10: Floats, backoff: Floats, size: int
    ) -> tuple["Trie", Integers]:
        """With all n-grams of the next length, each a node and a word after it, in any order; and their nodes.

        Raises LanguageModelError for an n-gram that is given twice.
        """
        keys = history * size + words
        order = np.argsort(keys)
        keys = keys[order]
        if (keys[1:] == keys[:-1]).any():
            raise LanguageModelError("an n-gram stands there twice")
        if len(self.keys) == 1:
            suffix = np.zeros(len(keys), np.int64)
        else:
            suffix, _ = self.find(self.suffix[keys // size].astype(np.int64), keys % size, size)
        nodes = np.empty(len(keys), np.int64)
        nodes[order] = len(self.keys) + np.arange(len(keys))
        grown = Trie(
            np.concatenate([self.keys, keys]),
            np.concatenate([self.log10, log10[order].astype(np.float32)]),
            np.concatenate([self.backoff, backoff[order].astype(np.float32)]),
            np.concatenate([self.suffix, suffix.astype(np.int32)]),
        )
        return grown, nodes


EMPTY = Trie(np.array([-1]), np.zeros(1, np.float32), np.zeros(1, np.float32), np.zeros(1, np.int32))


@dataclass(frozen=True)
class NGram:
    """A back-off model; a word it does not know counts as <unk>."""

    words: Mapping[str, int]
    trie: Trie
    first: tuple[int, ...]  # node of the first n-gram of each length, and the number of nodes
    empty: int = 0

    @property
    def order(self) -> int:
        return len(self.first) - 1

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of n-grams of each length."""
        return tuple(int(count) for count in np.diff(self.first))

    @property
    def start(self) -> int:
        return int(np.searchsorted(self.trie.keys, self.words[BEGIN])) if BEGIN in self.words else 0

    @property
    def vocabulary(self) -> list[str]:
        return [word for word in self.words if word not in SPECIAL]

    def step(self, states: Integers, words: Sequence[str]) -> tuple[Floats, Integers]:
        """log10 p(word | state) and the state after it, each [n], for n states with a word each."""
        unknown = self.words[UNKNOWN]
        ids = np.array([self.words.get(word, unknown) for word in words], dtype=np.int64)
        found, spent = self.trie.find(states, ids, len(self.words))
        # no n-gram is longer, so the longest have nothing after them
        after = np.where(found < self.first[-2], found, self.trie.suffix[found])
        return spent + self.trie.log10[found], after


@dataclass(frozen=True)
class Penalised:
    """A model of which unknown words are less probable by `unknown`, log10: most of them are known ones misheard."""

    lm: LanguageModel
    unknown: float
    known: Collection[str]

    @property
    def start(self) -> int:
        return self.lm.start

    @property
    def empty(self) -> int:
        return self.lm.empty

    @property
    def vocabulary(self) -> Collection[str]:
        return self.lm.vocabulary

    def step(self, states: Integers, words: Sequence[str]) -> tuple[Floats, Integers]:
        """log10 p(word | state), the penalty with it, and the state after it, each [n]."""
        log10, after = self.lm.step(states, words)
        return log10 + self.unknown * np.array([word not in self.known for word in words]), after


def known_words(lm: LanguageModel, hotwords: Iterable[str]) -> Collection[str]:
    """All that are not new: the model's and those of hotwords, which are phrases; none, where a model tells none."""
    hot = {word for phrase in hotwords for word in phrase.split()}
    return {*lm.vocabulary, *hot, BEGIN, END} if lm.vocabulary else set()


def log10_probability(model: LanguageModel, sentences: Sequence[str]) -> Floats:
    """log10 of the probability of each sentence [sentences], its end included."""
    texts = [[*sentence.split(), END] for sentence in sentences]
    total, states = np.zeros(len(texts)), np.full(len(texts), model.start, dtype=np.int64)
    for place in range(max(map(len, texts), default=0)):
        going = np.array([number for number, text in enumerate(texts) if place < len(text)], dtype=np.int64)
        found, states[going] = model.step(states[going], [texts[number][place] for number in going])
        total[going] += found
    return total


def perplexity(model: LanguageModel, sentences: Iterable[str]) -> float:
    """10 ** -(mean log10 p of a word), sentence ends counted as words and unknown words as <unk>.

    Raises LanguageModelError when there are no sentences.
    """
    texts = list(sentences)
    if not texts:
        raise LanguageModelError("no sentences: a perplexity has no meaning")
    count = sum(len(text.split()) + 1 for text in texts)
    return float(10 ** (-log10_probability(model, texts).sum() / count))
