"""How the beam grows from frame to frame, and what a language model changes: the search of transcribe, watched."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np
import torch
from torch.nn.functional import ctc_loss

from hf_asr.decoding import beam
from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.beam import LN10, Beginning, Fusion
from hf_asr.decoding.decoder import Decoder, Weights
from hf_asr.decoding.decoder import fused as fusion_of
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import END, Floats, LanguageModel
from hf_asr.evaluation.metrics import word_diff
from hf_asr.text.pronunciation import Pronunciations

SHOWN = 5  # beginnings of every frame
GREEDY, BEAM, FUSED = "greedy", "beam", "beam + LM"


@dataclass(frozen=True)
class Kept:
    """A beginning of a text after some frames, and the parts of its score; all are natural logarithms."""

    units: tuple[int, ...]
    acoustic: float  # log of the sum over its paths so far
    lm: float  # alpha * log p(complete words), and what hotwords add
    words: float  # beta * number of complete words
    hope: float  # what the word that is being written may add at best
    score: float


@dataclass(frozen=True)
class Reading:
    """A text that one way of decoding ends with, and its score."""

    way: str
    text: str
    acoustic: float  # log of the sum over its paths
    lm: float  # alpha * log p(words), and what hotwords add; 0 without a language model
    words: float  # beta * number of words

    @property
    def score(self) -> float:
        return self.acoustic + self.lm + self.words


@dataclass(frozen=True)
class Change:
    """Words that the language model changed; both empty: what the words around them and the end gain or lose by it."""

    before: str
    after: str
    log_p: float  # of those after, less that of those before, to the language model
    gain: float  # alpha times that: what the sum gains


@dataclass(frozen=True)
class Search:
    alphabet: Alphabet
    weights: Weights
    lm: bool
    growth: tuple[tuple[Kept, ...], ...]  # after each frame the best beginnings
    readings: tuple[Reading, ...]  # greedy, beam, beam + LM
    best: tuple[Reading, ...]  # what the watched search ends with, its best texts
    changes: tuple[Change, ...]  # from beam to beam + LM


@dataclass(frozen=True)
class Way:
    """A search and the weights that go with it."""

    fusion: Fusion
    weights: Weights
    said: Pronunciations | None = None


def plain(alphabet: Alphabet, said: Pronunciations | None = None) -> Way:
    """A search without a language model; `said`: where units are phonemes, the words they are read as."""
    return Way(Fusion(words=lexicon(alphabet, None, (), said)), Weights(alpha=0, beta=0), said)


def with_lm(alphabet: Alphabet, decoder: Decoder, said: Pronunciations | None = None) -> Way:
    """The search that transcribe makes with a decoder."""
    return Way(fusion_of(alphabet, decoder, said), decoder.weights, said)


def search(frames: Floats, alphabet: Alphabet, way: Way, path: Sequence[int], greedy: str) -> Search:
    """The beam through natural log probabilities [frames, units]; `path`: the best unit of each, `greedy`: its text.

    With a language model the growth is that of the search with it, and the texts without it stand beside.
    """
    weights, growth = way.weights, list[tuple[Kept, ...]]()

    def watch(beginnings: Iterator[Beginning]) -> None:
        growth.append(tuple(_parts(one, alphabet, weights) for one in islice(beginnings, SHOWN)))

    fused = beam.search(frames, alphabet, way.fusion, weights.beam, weights.least, weights.beam, watch)
    alone, lm = fused, way.fusion.lm is not None
    if lm:
        without = plain(alphabet, way.said).fusion
        alone = beam.search(frames, alphabet, without, weights.beam, weights.least, weights.beam)
    # of pronunciations none may be complete at the end: transcribe has the best path then, too
    texts = {GREEDY: greedy, BEAM: alone[0].text if alone else greedy}
    if lm:
        texts[FUSED] = fused[0].text if fused else greedy
    # as the search that was watched has them, if it has
    sums = {_spaced(greedy): log_p(frames, path, alphabet)} | {one.text: one.acoustic for one in (*alone, *fused)}
    readings = tuple(_reading(name, text, sums, way) for name, text in texts.items())
    best = tuple(_reading(str(rank), one.text, sums, way) for rank, one in enumerate(fused[:SHOWN], 1))
    changes = _changes(readings[1], readings[2], way.fusion) if lm else ()
    return Search(alphabet, weights, lm, tuple(growth), readings, best, changes)


def _parts(one: Beginning, alphabet: Alphabet, weights: Weights) -> Kept:
    words = alphabet.text(one.units).split()
    complete = len(words) - int(bool(words) and one.units[-1] != alphabet.delimiter)
    beta = weights.beta * complete
    return Kept(one.units, one.acoustic, one.fused - beta, beta, one.hope, one.score)


def _reading(way: str, text: str, sums: Mapping[str, float], by: Way) -> Reading:
    text, fusion, weights = _spaced(text), by.fusion, by.weights
    lm = 0.0 if fusion.lm is None else fusion.alpha * sum(word_scores(fusion.lm, text))
    hotwords = {word for phrase in weights.hotwords for word in phrase.split()}
    hot = weights.hotword_bonus * sum(len(word) for word in text.split() if word in hotwords)
    return Reading(way, text, sums[text], lm + hot, weights.beta * len(text.split()))


def _spaced(text: str) -> str:
    return " ".join(text.split())


def log_p(frames: Floats, path: Sequence[int], alphabet: Alphabet) -> float:
    """Log of the sum over all paths that merge to the units that `path` merges to."""
    units = [unit for unit, _ in groupby(path) if unit != alphabet.blank]
    known = torch.from_numpy(np.asarray(frames, dtype=np.float64))[:, None]
    target = torch.tensor([units], dtype=torch.long)
    heard, written = torch.tensor([len(frames)]), torch.tensor([len(units)])
    return -float(ctc_loss(known, target, heard, written, blank=alphabet.blank, reduction="sum"))


def word_scores(lm: LanguageModel, text: str) -> list[float]:
    """Natural log p of every word after those before it, and of the sentence's end."""
    state, found = np.array([lm.start]), []
    for word in [*text.split(), END]:
        log10, state = lm.step(state, [word])
        found.append(LN10 * float(log10[0]))
    return found


def _changes(before: Reading, after: Reading, fusion: Fusion) -> tuple[Change, ...]:
    """Stretches of words that differ, and last the others, which have new neighbours."""
    assert fusion.lm is not None
    old, new = (word_scores(fusion.lm, side.text) for side in (before, after))
    found: list[Change] = []
    rest = sum(new) - sum(old)
    for same, stretch in groupby(word_diff(before.text, after.text), key=lambda part: part[0] == "equal"):
        parts = list(stretch)
        said, heard = ([word for part in parts for word in part[side]] for side in (1, 2))
        if not same:
            gain = sum(new[: len(heard)]) - sum(old[: len(said)])
            found.append(Change(" ".join(said), " ".join(heard), gain, fusion.alpha * gain))
            rest -= gain
        del old[: len(said)], new[: len(heard)]
    return (*found, Change("", "", rest, fusion.alpha * rest)) if found else ()
