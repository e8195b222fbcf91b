"""N-gram estimation by interpolated modified Kneser-Ney smoothing, as KenLM's lmplz has it.

S. Chen and J. Goodman, An Empirical Study of Smoothing Techniques for Language Modeling, Harvard TR-10-98, 1998;
K. Heafield, I. Pouzyrevsky, J. Clark and P. Koehn, Scalable Modified Kneser-Ney Language Model Estimation, ACL 2013.

1. The longest n-grams are counted as often as they occur. Of shorter ones one counts the different words before them:
   "Francisco" is frequent, but follows little else than "San". What begins a sentence has none before it and is
   counted as often as it occurs.
2. Each count is discounted by D1, D2 or D3 (counts of one, two, more), estimated from how many n-grams have counts of
   one to four: what is taken away is about what was never seen.
3. p(w | h) = (count - D) / total + share taken away after h * p(w | h without its first word); after the empty
   history every word is as probable, <unk> among them. The share is the back-off weight of h.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.ngram import BEGIN, EMPTY, END, SPECIAL, Floats, Integers, LanguageModelError, NGram

FALLBACK = (0.5, 1.0, 1.5)  # lmplz's --discount_fallback, for texts too small or too even to estimate discounts from


@dataclass(frozen=True)
class Estimate:
    """A model, and how it came about: the discounts D1, D2, D3 of each order, and which of them are FALLBACK."""

    model: NGram
    sentences: int
    tokens: int
    discounts: tuple[tuple[float, float, float], ...]
    fallback: tuple[int, ...]  # orders, 1 for single words


@dataclass(frozen=True)
class _Seen:
    """The different n-grams of one length: which n-gram of the length below each begins and ends with, and counts."""

    history: Integers
    word: Integers
    suffix: Integers
    count: Integers
    begins: Integers  # 1 where the first word is <s>


def estimate(sentences: Iterable[str], order: int = 3) -> Estimate:
    """Every n-gram of the sentences up to `order` words, none pruned; words are what white space divides.

    <s>, </s> and <unk> in the text are passed over. Raises LanguageModelError when there is not a word.
    """
    words: dict[str, int] = {word: number for number, word in enumerate(SPECIAL)}
    stream: list[int] = []
    total = 0
    for sentence in sentences:
        total += 1
        stream.append(words[BEGIN])
        stream += (words.setdefault(word, len(words)) for word in sentence.split() if word not in SPECIAL)
        stream.append(words[END])
    if len(words) == len(SPECIAL):
        raise LanguageModelError("no words to estimate a language model from")
    seen = _count(np.array(stream, dtype=np.int64), len(words), order)
    counts = [_adjusted(seen, length) for length in range(order)]
    found = [_discounts(count) for count in counts]
    discounts = [FALLBACK if one is None else one for one in found]
    fallback = tuple(length for length, one in enumerate(found, 1) if one is None)
    trie, nodes, first = EMPTY, np.zeros(1, np.int64), [1]
    for own, (probability, share) in zip(seen, _smoothed(seen, counts, discounts), strict=True):
        log10 = np.log10(probability).clip(max=0)  # rounding may take one a little above 1
        trie, nodes = trie.grown(nodes[own.history], own.word, log10, np.log10(share), len(words))
        first.append(len(trie.keys))
    return Estimate(NGram(words, trie, tuple(first)), total, len(stream) - 2 * total, tuple(discounts), fallback)


def _count(stream: Integers, size: int, order: int) -> list[_Seen]:
    """The n-grams of each length. No n-gram spans two sentences; <s> stands only at the beginning of one."""
    begin, single = SPECIAL.index(BEGIN), np.arange(size)
    depth = np.arange(len(stream)) - np.maximum.accumulate(np.where(stream == begin, np.arange(len(stream)), 0))
    zeros = np.zeros(size, np.int64)
    seen = [_Seen(zeros, single, zeros, np.bincount(stream, minlength=size), (single == begin).astype(np.int64))]
    here = stream  # number of the n-gram of the length below that ends at each place
    for length in range(2, order + 1):
        ends = np.flatnonzero(depth >= length - 1)
        pairs, which, count = np.unique(here[ends - 1] * size + stream[ends], return_inverse=True, return_counts=True)
        suffix = np.empty(len(pairs), np.int64)
        suffix[which] = here[ends]
        history = pairs // size
        seen.append(_Seen(history, pairs % size, suffix, count, seen[-1].begins[history]))
        here = np.full(len(stream), -1)
        here[ends] = which
    return seen


def _adjusted(seen: Sequence[_Seen], length: int) -> Integers:
    """Counts as Kneser-Ney has them: occurrences of the longest, else the different words before."""
    own = seen[length]
    if length == len(seen) - 1:
        return own.count
    before = np.bincount(seen[length + 1].suffix, minlength=len(own.word))
    # <s> alone is never predicted
    return before if length == 0 else np.where(own.begins == 1, own.count, before)


def _discounts(count: Integers) -> tuple[float, float, float] | None:
    """D1, D2, D3 by equation 26 of Chen and Goodman; None where they cannot be estimated."""
    n = [int((count == times).sum()) for times in range(5)]
    if 0 in n[1:4]:
        return None
    share = n[1] / (n[1] + 2 * n[2])
    one, two, more = (times - (times + 1) * share * n[times + 1] / n[times] for times in (1, 2, 3))
    in_range = 0 <= one <= 1 and 0 <= two <= 2 and 0 <= more <= 3
    return (one, two, more) if in_range else None


def _smoothed(
    seen: Sequence[_Seen], counts: Sequence[Integers], discounts: Sequence[Sequence[float]]
) -> list[tuple[Floats, Floats]]:
    """Of every length: the probability of each n-gram, and its weight as a history."""
    shorter: Floats = np.array([1 / (len(seen[0].word) - 1)])  # of the empty history: any word but <s>
    probabilities, shares = [], []
    for own, count, discount in zip(seen, counts, discounts, strict=True):
        taken = np.array([0.0, *discount])[np.minimum(count, 3)]
        total, free = (np.bincount(own.history, part, minlength=len(shorter)) for part in (count, taken))
        share = np.divide(free, total, out=np.ones(len(shorter)), where=total > 0)  # 1: nothing follows
        found = (count - taken) / np.maximum(total, 1)[own.history] + share[own.history] * shorter[own.suffix]
        if own is seen[0]:
            found[SPECIAL.index(BEGIN)] = 1.0
        probabilities.append(found)
        shares.append(share)
        shorter = found
    return list(zip(probabilities, [*shares[1:], np.ones(len(shorter))], strict=True))
