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

Where units are phonemes, what stands between two spaces is a pronunciation of the lexicon, or else the text is none: it
reads as each of the words that are said so, and the search follows every reading (hf_asr.text.pronunciation).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.lexicon import BEGINNING, OTHER, Lexicon, lexicon
from hf_asr.decoding.ngram import END, Floats, Integers, LanguageModel
from hf_asr.decoding.prefixes import Beams, Prefixes, beam_type

LN10 = float(np.log(10))


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


@dataclass(frozen=True)
class Beginning:
    """What the search follows after some frames, and what it is compared by."""

    units: tuple[int, ...]
    acoustic: float  # log of the sum over its paths so far
    fused: float  # of its complete words
    hope: float  # what the word that is being written may add at best

    @property
    def score(self) -> float:
        return self.acoustic + self.fused + self.hope


def search(
    frames: Floats,
    alphabet: Alphabet,
    fusion: Fusion | None = None,
    beam: int = 50,
    least: float = 0.0,
    best: int = 1,
    watch: Callable[[Iterator[Beginning]], None] | None = None,
) -> list[Found]:
    """The `best` texts of natural log probabilities [frames, units], the first the best.

    beam: how many beginnings are followed from frame to frame. least: no letter begins with a unit that is less
    probable than this in a frame. With a wide beam and least = 0 every path is followed. watch: called after each
    frame with the beginnings that were kept, the best first.
    """
    fusion = fusion or Fusion()
    walk = _Walk.through(alphabet, fusion, beam)
    writing, reading = walk.ways()
    floor = np.log(least) if least > 0 else -np.inf
    beams = walk.root()
    # a network that diverged says nan: nothing was heard
    for frame in np.nan_to_num(np.asarray(frames, dtype=np.float64), nan=-np.inf, neginf=-np.inf):
        likely = frame[writing] >= floor
        beams = walk.advance(beams, frame, writing[likely], reading[likely])
        if watch is not None:
            watch(walk.followed(beams))
        if len(walk.tree.parents) > walk.tree.limit:
            walk.tree.forget(beams)
    return walk.finish(beams)[:best]


@dataclass(frozen=True)
class _Walk:
    """A way through the frames of one recording."""

    alphabet: Alphabet
    fusion: Fusion
    width: int
    tree: Prefixes
    words: Lexicon
    hope: Floats  # by place in the lexicon: what a word that is being written may add at best
    kept: Floats  # by place in the lexicon and reading: what it adds as a hotword when it ends there

    @classmethod
    def through(cls, alphabet: Alphabet, fusion: Fusion, width: int) -> "_Walk":
        words = fusion.words or lexicon(alphabet, None)
        counted = np.arange(len(words.log10)) != BEGINNING
        hope = fusion.alpha * LN10 * words.log10 + fusion.beta * counted + fusion.bonus * words.hot
        if words.readings is not None:
            hope[OTHER] = -np.inf  # no word is said so
        return cls(alphabet, fusion, width, Prefixes(alphabet), words, hope, fusion.bonus * words.whole)

    def ways(self) -> tuple[Integers, Integers]:
        """Units that may follow, the one that divides words once for each reading of a word; and these readings."""
        found = [
            (unit, reading)
            for unit, letters in enumerate(self.alphabet.written)
            for reading in range(self.kept.shape[1] if unit == self.alphabet.delimiter else 1)
            if letters is not None
        ]
        units, readings = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return units, readings

    def root(self) -> Beams:
        """Before the first frame: nothing is written, as after a blank; to the words, as after a space."""
        beams = np.zeros(1, beam_type(self.kept.shape[1]))
        beams["parent"], beams["unit"], beams["word"][:, 1:] = -1, -np.inf, -np.inf
        beams["last"] = self.alphabet.blank if self.alphabet.delimiter is None else self.alphabet.delimiter
        beams["state"] = beams["after"] = 0 if self.fusion.lm is None else self.fusion.lm.start
        return beams

    def advance(self, beams: Beams, frame: Floats, likely: Integers, reading: Integers) -> Beams:
        """One frame on. frame: log probabilities [units]; likely, reading: those of `ways` that may begin a letter."""
        total = np.logaddexp(beams["blank"], beams["unit"])
        divided = beams["last"] == self.alphabet.delimiter
        # a space after a space is the same space, with or without a blank between
        repeated = np.where(divided, total, beams["unit"]) + frame[beams["last"]]
        if not len(likely):  # blank alone is probable: a fifth of the frames or more
            beams["blank"], beams["unit"] = total + frame[self.alphabet.blank], repeated
            possible: Beams = beams[np.logaddexp(beams["blank"], beams["unit"]) > -np.inf]
            return possible
        longer = np.where(beams["last"][:, None] == likely, beams["blank"][:, None], total[:, None]) + frame[likely]
        # what is longer by a unit may be followed already
        child, parent = np.nonzero(beams["parent"][:, None] == beams["node"])
        column = np.full(len(frame), -1)
        column[likely[::-1]] = np.arange(len(likely))[::-1]  # of a unit's readings the first
        which = column[beams["last"][child]]
        which = np.where(which >= 0, which + beams["reading"][child], -1)
        child, parent, which = child[which >= 0], parent[which >= 0], which[which >= 0]
        repeated[child] = np.logaddexp(repeated[child], longer[parent, which])
        longer[parent, which] = -np.inf
        beams["blank"], beams["unit"] = total + frame[self.alphabet.blank], repeated
        dividing = likely == self.alphabet.delimiter
        if dividing.any():
            longer[divided, int(dividing.argmax())] = -np.inf  # after a space there is one reading, of no word
            self._ask(beams)
        return self._best(beams, likely, reading, longer)

    def _ask(self, beams: Beams) -> None:
        """What completing the word that each is in would add."""
        new = np.flatnonzero(np.isnan(beams["word"][:, 0]))
        if not len(new):
            return
        beams["word"][new] = -np.inf
        readings = list(map(self._readings, beams["node"][new].tolist(), beams["place"][new].tolist()))
        row = np.repeat(new, [len(words) for words in readings])
        which = np.array([one for words in readings for one in range(len(words))], dtype=np.int64)
        beams["word"][row, which] = self.fusion.beta + self.kept[beams["place"][row], which]
        if self.fusion.lm is not None and len(row):
            log10, after = self.fusion.lm.step(beams["state"][row], [word for words in readings for word in words])
            beams["word"][row, which] += self.fusion.alpha * LN10 * log10
            beams["after"][row, which] = after

    def _readings(self, node: int, place: int) -> Sequence[str]:
        """What the word that is being written may be if it ends here."""
        return (self.tree.letters[node],) if self.words.readings is None else self.words.readings[place]

    def _best(self, beams: Beams, likely: Integers, reading: Integers, longer: Floats) -> Beams:
        """The most promising of the beginnings as they are and of those longer by a likely unit."""
        dividing = likely == self.alphabet.delimiter
        place = self.words.after(beams["place"][:, None], likely, len(self.alphabet.written))
        place[:, dividing] = BEGINNING
        added = np.where(dividing, beams["word"][:, reading], self.hope[place])
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
        which = new["reading"] = reading[column]
        columns = (new["parent"], new["place"], unit, which, ended)
        new["node"] = [
            self.tree.child(node, unit, self._readings(node, place)[one] if space else "")
            for node, place, unit, one, space in zip(*(column.tolist() for column in columns), strict=True)
        ]
        new["place"] = place[row, column]
        new["fused"] += np.where(ended, beams["word"][row, which], 0.0)
        new["state"] = np.where(ended, beams["after"][row, which], new["state"])
        new["word"], new["word"][ended], new["word"][ended, 0] = np.nan, -np.inf, 0.0
        new["after"] = new["state"][:, None]
        # np.concatenate compares the types of all fields first: 5 % of the time
        both = np.empty(len(chosen), beams.dtype)
        both[: len(kept)], both[len(kept) :] = beams[kept], new
        return both

    def followed(self, beams: Beams) -> Iterator[Beginning]:
        """The best first."""
        acoustic, hope = np.logaddexp(beams["blank"], beams["unit"]), self.hope[beams["place"]]
        for row in np.argsort(-(acoustic + beams["fused"] + hope), kind="stable").tolist():
            units = self.tree.spelled(int(beams["node"][row]))
            yield Beginning(units, float(acoustic[row]), float(beams["fused"][row]), float(hope[row]))

    def finish(self, beams: Beams) -> list[Found]:
        """All texts, the best first: last words are completed, and sentences."""
        self._ask(beams)
        row, which = np.nonzero(beams["word"] > -np.inf)
        beams, fused, after = beams[row], beams["fused"][row] + beams["word"][row, which], beams["after"][row, which]
        if self.fusion.lm is not None:
            fused += self.fusion.alpha * LN10 * self.fusion.lm.step(after, [END] * len(beams))[0]
        spelled = [self.tree.spelled(node) for node in beams["node"].tolist()]
        rows: dict[str, list[int]] = {}
        columns = (beams["node"], beams["place"], which)
        for number, (node, place, one) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            rows.setdefault(self.tree.text(node, self._readings(node, place)[one]), []).append(number)
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
