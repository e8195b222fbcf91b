"""The beginnings of texts that a beam search follows, as a tree: each is another one and a unit."""

import numpy as np
from numpy.typing import NDArray

from hf_asr.decoding.alphabet import Alphabet

LIMIT = 200_000  # remembered at once, some 50 MB; beyond it those that nothing followed grows from are forgotten
Beams = NDArray[np.void]


def beam_type(readings: int) -> np.dtype[np.void]:
    """A beginning that is followed.

    node, parent: in the tree of beginnings. blank, unit: logs of the two sums. last: its last unit; reading: which of
    its word's readings a space completed. state: of the language model after the complete words, fused: what they add.
    place: in the lexicon, of the word that is being written. Of each reading of it, word: what completing it adds
    (nan: the model was not asked yet, -inf: there is none), after: the model's state then.
    """
    one = [(name, np.int64) for name in ("node", "parent", "last", "reading", "state", "place")]
    sums = [(name, np.float64) for name in ("blank", "unit", "fused")]
    return np.dtype([*one, *sums, ("word", np.float64, (readings,)), ("after", np.int64, (readings,))])


class Prefixes:
    """Beginnings by number; 0 is the empty one."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet, self.children = alphabet, dict[tuple[int, int, str], int]()
        self.parents, self.units = [-1], [-1]
        self.letters = [""]  # of the last word, as far as it is written
        self.ended = [""]  # the word that was complete when its last unit, a space, came
        self.limit = LIMIT

    def child(self, node: int, unit: int, word: str = "") -> int:
        """The same number for the same beginning, however often the search comes to it.

        word: what a space completes, where that does not follow from the letters.
        """
        found = self.children.setdefault((node, unit, word), len(self.parents))
        if found == len(self.parents):
            self.parents.append(node)
            self.units.append(unit)
            divides = unit == self.alphabet.delimiter
            self.letters.append("" if divides else self.letters[node] + (self.alphabet.written[unit] or ""))
            self.ended.append(word)
        return found

    def spelled(self, node: int) -> tuple[int, ...]:
        """The units of a beginning."""
        units = []
        while node > 0:
            units.append(self.units[node])
            node = self.parents[node]
        return tuple(units[::-1])

    def text(self, node: int, last: str) -> str:
        """The complete words of a beginning, and a last one."""
        words = [last]
        while node > 0:
            words.append(self.ended[node])
            node = self.parents[node]
        return " ".join(filter(None, words[::-1]))

    def forget(self, beams: Beams) -> None:
        """Keep the beginnings of what is followed, under new numbers."""
        kept = {0}
        for node in beams["node"].tolist():
            while node not in kept:
                kept.add(node)
                node = self.parents[node]
        order = sorted(kept)
        number = {-1: -1} | {node: new for new, node in enumerate(order)}
        for name in ("node", "parent"):
            beams[name] = [number[node] for node in beams[name].tolist()]
        self.parents = [number[self.parents[node]] for node in order]
        self.units = [self.units[node] for node in order]
        self.letters = [self.letters[node] for node in order]
        self.ended = [self.ended[node] for node in order]
        rows = zip(self.parents, self.units, self.ended, strict=True)
        self.children = {row: node for node, row in enumerate(rows) if node}
        self.limit = max(LIMIT, 2 * len(kept))
