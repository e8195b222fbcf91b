"""CTC prefix beam search with an n-gram language model and hotwords (arXiv:1408.2873, arXiv:1412.5567).

A network with a CTC head gives each frame a probability for every unit and for blank. A path, one of them a frame,
reads as the text that is left when repeats are merged and blanks dropped, and a text's probability is the sum over all
paths that read so. The search goes through the frames with the most promising beginnings of texts, each with two
sums: over its paths that end in blank and over those that end in its last unit, since only after a blank is the same
unit once more a new letter. Beginnings are compared by

    log p(text | audio) + alpha * log p(words of text) + beta * number of words + bonus * letters of hotwords

with natural logarithms, where the word that is being written counts as the best that it may become (see
hf_asr.decoding.lexicon) until the unit that divides words comes after it, or the end. Runs of that unit read as one
space, and none is read at the ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.lexicon import BEGINNING, Lexicon, lexicon
from hf_asr.decoding.ngram import END, Floats, Integers, LanguageModel

LN10 = float(np.log(10))
PREFIXES = 200_000  # remembered at once, some 50 MB; beyond it those that nothing followed grows from are forgotten

# A beginning that is followed. node, parent: in the tree of beginnings. blank, unit: logs of the two sums. state: of
# the language model after the complete words, fused: what they add. place: in the lexicon, of the word that is being
# written, word: what completing it adds (nan: the model was not asked yet), after: the model's state then.
BEAM = np.dtype(
    [(name, np.int64) for name in ("node", "parent", "last", "state", "after", "place")]
    + [(name, np.float64) for name in ("blank", "unit", "fused", "word")]
)
Beams = NDArray[np.void]


@dataclass(frozen=True)
class Fusion:
    """What is added to the sums over paths."""

    lm: LanguageModel | None = None
    alpha: float = 0.0
    beta: float = 0.0
    words: Lexicon | None = None  # of the model's vocabulary and hotwords; without it neither is looked ahead to
    bonus: float = 0.0  # for a letter of a hotword


@dataclass(frozen=True)
class Found:
    """A text and its score."""

    text: str
    acoustic: float  # log of the sum over its paths, as far as they were followed
    fused: float  # from language model, number of words and hotwords
    units: tuple[int, ...]  # the likeliest of its spellings in units

    @property
    def score(self) -> float:
        return self.acoustic + self.fused


def search(
    frames: Floats, alphabet: Alphabet, fusion: Fusion | None = None, beam: int = 50, least: float = 0.0, best: int = 1
) -> list[Found]:
    """The `best` texts of natural log probabilities [frames, units], the first the best.

    beam: how many beginnings are followed from frame to frame. least: no letter begins with a unit that is less
    probable than this in a frame. With a wide beam and least = 0 every path is followed.
    """
    fusion = fusion or Fusion()
    walk = _Walk.through(alphabet, fusion, beam)
    writing = np.array([unit for unit, letters in enumerate(alphabet.written) if letters is not None])
    floor = np.log(least) if least > 0 else -np.inf
    beams = walk.root()
    # a network that diverged says nan: nothing was heard
    for frame in np.nan_to_num(np.asarray(frames, dtype=np.float64), nan=-np.inf, neginf=-np.inf):
        beams = walk.advance(beams, frame, writing[frame[writing] >= floor])
        if len(walk.tree.parents) > walk.tree.limit:
            walk.tree.forget(beams)
    return walk.finish(beams)[:best]


class _Tree:
    """Beginnings of texts: each is another one and a unit; 0 is the empty one."""

    def __init__(self, alphabet: Alphabet) -> None:
        self.alphabet, self.children = alphabet, dict[tuple[int, int], int]()
        self.parents, self.units, self.words = [-1], [-1], [""]  # words: as far as the last is written
        self.limit = PREFIXES

    def child(self, node: int, unit: int) -> int:
        """The same number for the same beginning, however often the search comes to it."""
        found = self.children.setdefault((node, unit), len(self.parents))
        if found == len(self.parents):
            self.parents.append(node)
            self.units.append(unit)
            letters = self.alphabet.written[unit] or ""
            self.words.append("" if unit == self.alphabet.delimiter else self.words[node] + letters)
        return found

    def spelled(self, node: int) -> tuple[int, ...]:
        """The units of a beginning."""
        units = []
        while node > 0:
            units.append(self.units[node])
            node = self.parents[node]
        return tuple(units[::-1])

    def forget(self, beams: Beams) -> None:
        """Keep the beginnings of what is followed, under new numbers."""
        kept = {0}
        for node in beams["node"].tolist():
            while node not in kept:
                kept.add(node)
                node = self.parents[node]
        number = {-1: -1} | {node: new for new, node in enumerate(sorted(kept))}
        for name in ("node", "parent"):
            beams[name] = [number[node] for node in beams[name].tolist()]
        self.parents = [number[self.parents[node]] for node in sorted(kept)]
        self.units = [self.units[node] for node in sorted(kept)]
        self.words = [self.words[node] for node in sorted(kept)]
        self.children = {(self.parents[node], self.units[node]): node for node in range(1, len(self.parents))}
        self.limit = max(PREFIXES, 2 * len(kept))


@dataclass(frozen=True)
class _Walk:
    """A way through the frames of one recording."""

    alphabet: Alphabet
    fusion: Fusion
    width: int
    tree: _Tree
    words: Lexicon
    hope: Floats  # by place in the lexicon: what a word that is being written may add at best
    kept: Floats  # by place in the lexicon: what it adds as a hotword when it ends there

    @classmethod
    def through(cls, alphabet: Alphabet, fusion: Fusion, width: int) -> "_Walk":
        words = fusion.words or lexicon(alphabet, None)
        counted = np.arange(len(words.log10)) != BEGINNING
        hope = fusion.alpha * LN10 * words.log10 + fusion.beta * counted + fusion.bonus * words.hot
        return cls(alphabet, fusion, width, _Tree(alphabet), words, hope, fusion.bonus * words.whole)

    def root(self) -> Beams:
        """Before the first frame: nothing is written, as after a blank; to the words, as after a space."""
        beams = np.zeros(1, BEAM)
        beams["parent"], beams["unit"] = -1, -np.inf
        beams["last"] = self.alphabet.blank if self.alphabet.delimiter is None else self.alphabet.delimiter
        beams["state"] = beams["after"] = 0 if self.fusion.lm is None else self.fusion.lm.start
        return beams

    def advance(self, beams: Beams, frame: Floats, likely: Integers) -> Beams:
        """One frame on. frame: log probabilities [units]; likely: units that may begin a letter."""
        total = np.logaddexp(beams["blank"], beams["unit"])
        divided = beams["last"] == self.alphabet.delimiter
        # a space after a space is the same space, with or without a blank between
        repeated = np.where(divided, total, beams["unit"]) + frame[beams["last"]]
        longer = np.where(beams["last"][:, None] == likely, beams["blank"][:, None], total[:, None]) + frame[likely]
        dividing = likely == self.alphabet.delimiter
        longer[np.ix_(divided, dividing)] = -np.inf
        # what is longer by a unit may be followed already
        child, parent = np.nonzero(beams["parent"][:, None] == beams["node"])
        column = np.full(len(frame), -1)
        column[likely] = np.arange(len(likely))
        which = column[beams["last"][child]]
        child, parent, which = child[which >= 0], parent[which >= 0], which[which >= 0]
        repeated[child] = np.logaddexp(repeated[child], longer[parent, which])
        longer[parent, which] = -np.inf
        beams["blank"], beams["unit"] = total + frame[self.alphabet.blank], repeated
        if dividing.any():
            self._ask(beams)
        return self._best(beams, likely, longer, dividing)

    def _ask(self, beams: Beams) -> None:
        """What completing the word that each is in would add."""
        new = np.flatnonzero(np.isnan(beams["word"]))
        if not len(new):
            return
        beams["word"][new] = self.fusion.beta + self.kept[beams["place"][new]]
        if self.fusion.lm is not None:
            words = [self.tree.words[node] for node in beams["node"][new].tolist()]
            log10, after = self.fusion.lm.step(beams["state"][new], words)
            beams["word"][new] += self.fusion.alpha * LN10 * log10
            beams["after"][new] = after

    def _best(self, beams: Beams, likely: Integers, longer: Floats, dividing: NDArray[np.bool_]) -> Beams:
        """The most promising of the beginnings as they are and of those longer by a likely unit."""
        place = self.words.after(beams["place"][:, None], likely, len(self.alphabet.written))
        place[:, dividing] = BEGINNING
        added = np.where(dividing, beams["word"][:, None], self.hope[place])
        same = np.logaddexp(beams["blank"], beams["unit"]) + beams["fused"] + self.hope[beams["place"]]
        scores = np.concatenate([same, (longer + beams["fused"][:, None] + added).ravel()])
        chosen = np.flatnonzero(scores > -np.inf)
        if len(chosen) > self.width:
            chosen = chosen[np.argpartition(scores[chosen], -self.width)[-self.width :]]
        kept, grown = chosen[chosen < len(beams)], chosen[chosen >= len(beams)] - len(beams)
        if not len(grown):
            return beams[kept]
        row, column = np.divmod(grown, len(likely))
        new, unit, ended = beams[row], likely[column], dividing[column]
        new["blank"], new["unit"], new["last"], new["parent"] = -np.inf, longer[row, column], unit, new["node"]
        new["node"] = [self.tree.child(*pair) for pair in zip(new["parent"].tolist(), unit.tolist(), strict=True)]
        new["place"] = place[row, column]
        new["fused"] += np.where(ended, new["word"], 0.0)
        new["state"] = np.where(ended, new["after"], new["state"])
        new["word"] = np.where(ended, 0.0, np.nan)
        return np.concatenate([beams[kept], new])

    def finish(self, beams: Beams) -> list[Found]:
        """All texts, the best first: last words are completed, and sentences."""
        self._ask(beams)
        fused = beams["fused"] + beams["word"]
        if self.fusion.lm is not None:
            fused += self.fusion.alpha * LN10 * self.fusion.lm.step(beams["after"], [END] * len(beams))[0]
        spelled = [self.tree.spelled(node) for node in beams["node"].tolist()]
        rows: dict[str, list[int]] = {}
        for row, units in enumerate(spelled):
            rows.setdefault(self.alphabet.text(units), []).append(row)
        acoustic = np.logaddexp(beams["blank"], beams["unit"])
        found = [
            Found(
                text, float(np.logaddexp.reduce(acoustic[own])), float(fused[own[0]]), spelled[_argmax(acoustic, own)]
            )
            for text, own in rows.items()
        ]
        return sorted(found, key=lambda one: (-one.score, one.text))


def _argmax(values: Floats, rows: Sequence[int]) -> int:
    return max(rows, key=lambda row: float(values[row]))
