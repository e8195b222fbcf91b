"""How sure an error rate is, and whether a difference is more than chance, from error counts.

What is resampled, a unit, is an utterance, or a speaker when there are at least five: the utterances of one speaker
resemble each other, so that resampling them alone promises too much. How often the intervals hold the true rate, and
how often equals are told apart, was measured and stands in docs/evaluation.md.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Sums = NDArray[np.float64]
Unit = Literal["utterances", "speakers"]
Verdict = Literal["better", "worse", "no evidence of a difference"]

RESAMPLES = 10_000
ALPHA = 0.05  # of every interval and verdict
SPEAKERS = 5  # from so many different ones on, speakers are resampled
BLOCK = 1 << 16  # draws in memory at once, 8 bytes each: the fastest of 2^14 to 2^22, as it stays in the cache
NORMAL = NormalDist()
NORMAL_95 = NORMAL.inv_cdf(1 - ALPHA / 2)


@dataclass(frozen=True)
class Rate:
    """Errors per word (or per character), a fraction, and its 95 % interval."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Paired:
    """WER of b minus WER of a on the same utterances, two-sided p-values; the verdict is on b."""

    difference: float
    low: float
    high: float
    p_value: float  # of the paired bootstrap, on which the verdict rests
    matched_pairs_p: float
    verdict: Verdict
    resampled: Unit = "utterances"


def group(columns: Counts, speakers: Sequence[str | None] | None) -> tuple[Counts, Unit]:
    """The rows to resample: `columns` (utterances, k), or their sums by speaker when there are enough of them.

    An utterance whose speaker is unknown stands for itself.
    """
    if speakers is None:
        return columns, "utterances"
    if len(speakers) != len(columns):
        raise ValueError(f"{len(columns)} utterances, but {len(speakers)} speakers")
    if len(set(speakers) - {None}) < SPEAKERS:
        return columns, "utterances"
    names = [number if speaker is None else speaker for number, speaker in enumerate(speakers)]
    index = {name: number for number, name in enumerate(dict.fromkeys(names))}
    sums = np.zeros((len(index), columns.shape[1]), dtype=np.int64)
    np.add.at(sums, [index[name] for name in names], columns)
    return sums, "speakers"


def resampled_sums(columns: Counts, seed: int, resamples: int) -> Sums:
    """Column sums (resamples, k) of as many rows drawn with replacement; columns (rows, k).

    Each row is drawn by number, and a resample is how often each number came: the multinomial distribution itself,
    0.5 s for 10,000 resamples of 10,000 rows where numpy's `multinomial` takes 11 s.
    """
    generator, rows, values = np.random.default_rng(seed), len(columns), columns.astype(np.float64)
    sums = np.empty((resamples, columns.shape[1]))
    block = max(1, BLOCK // rows)
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        drawn = generator.integers(0, rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        sums[start : start + count] = times.astype(np.float64) @ values
    return sums


def error_rates(
    counts: Sequence[tuple[Counts, Counts]],
    speakers: Sequence[str | None] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[list[Rate], Unit]:
    """A rate for each (errors, words) of the same utterances, each (utterances,), from the same resamples.

    Studentised bootstrap (Hall, Annals of Statistics 1988; Efron & Tibshirani 1993, chapter 12): what is resampled is
    how many standard errors the rate is off, as both grow together where errors are rare. Never narrower than
    Wilson's interval (JASA 1927) for as many errors in independent words, so that no errors in 20 words mean
    0 to 16 %, nor, above 100 %, than a normal one. Raises ValueError when there is not one word.
    """
    for _, words in counts:
        if not words.sum():
            raise ValueError(f"no words in any of the {len(words)} references: an error rate has no meaning")
    rows, unit = group(np.stack([column for pair in counts for column in pair], axis=1), speakers)
    columns = [column for e, w in zip(rows.T[::2], rows.T[1::2], strict=True) for column in (e, w, e * e, e * w, w * w)]
    table = np.stack(columns, axis=1)
    whole, sums = table.sum(axis=0).astype(np.float64), resampled_sums(table, seed, resamples)
    starts = range(0, len(columns), 5)
    return [_studentised(whole[at : at + 5], sums[:, at : at + 5], len(rows)) for at in starts], unit


def _studentised(whole: Sums, sums: Sums, rows: int) -> Rate:
    """From the sums of errors e, words w, ee, ew, ww: of all rows (5,), of resamples (n, 5)."""
    rate = float(whole[0] / whole[1])
    error = float(_standard_error(whole))
    low, high = _wilson(rate, float(whole[1])) if rate <= 1 else (rate - NORMAL_95 * error, rate + NORMAL_95 * error)
    sums = sums[sums[:, 1] > 0]  # empty references only: says nothing
    if rows > 1 and len(sums):
        distance = (sums[:, 0] / sums[:, 1] - rate) / _standard_error(sums.T)
        below, above = np.quantile(distance, [ALPHA / 2, 1 - ALPHA / 2])
        low, high = min(low, rate - float(above) * error), max(high, rate - float(below) * error)
    return Rate(rate, max(0.0, min(low, rate)), max(high, rate))


def _standard_error(sums: Sums) -> Sums:
    """Of a ratio of sums, linearised (Cochran, Sampling Techniques, 1977, 6.3); never below one error."""
    errors, words, ee, ew, ww = sums
    rate = errors / words
    result: Sums = np.sqrt(np.maximum(ee - 2 * rate * ew + rate * rate * ww, 1)) / words
    return result


def _wilson(rate: float, words: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, at most 1, of `words` independent words."""
    c = NORMAL_95**2 / words
    half = math.sqrt(c * rate * (1 - rate) + c * c / 4)
    return (rate + c / 2 - half) / (1 + c), (rate + c / 2 + half) / (1 + c)


def paired_difference(
    more: Counts,
    words: Counts,
    speakers: Sequence[str | None] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Paired:
    """b against a, from the errors that b makes more than a, and the words, of each utterance; both (utterances,).

    Paired bootstrap (Bisani & Ney, ICASSP 2004) with its tails read as Student's, which matters where few are
    resampled (Hesterberg, The American Statistician 2015, "expanded percentile"). When the two differ on n utterances
    only, p is never below 2^(1 - n), the least that exchanging the systems' names on each could give: under six,
    nothing is said. The verdict: better or worse when p_value is at most 0.05, which is when the interval
    leaves 0 out. Raises ValueError when there is not one word.
    """
    if words.sum() == 0:
        raise ValueError(f"no words in any of the {len(words)} references: nothing to compare")
    difference, differing = float(more.sum() / words.sum()), int((more != 0).sum())
    columns, unit = group(np.stack([more, words], axis=1), speakers)
    sums, rows = resampled_sums(columns, seed, resamples), len(columns)
    tail = int(min((sums[:, 0] <= 0).sum(), (sums[:, 0] >= 0).sum()))
    p_value = max(_expanded(tail + 1, resamples, rows), min(1.0, 2.0 ** (1 - differing)))
    low, high = _expanded_interval(sums, rows)
    verdict: Verdict = "no evidence of a difference"
    if p_value > ALPHA:
        low, high = min(low, 0.0), max(high, 0.0)
    else:
        verdict = "better" if difference < 0 else "worse"
    return Paired(difference, low, high, p_value, matched_pairs(columns[:, 0]), verdict, unit)


def _expanded_interval(sums: Sums, rows: int) -> tuple[float, float]:
    """The ratios of the sums beyond which lie, at each end, as many resamples as make p 0.05."""
    beyond = bisect_right(range(1, len(sums) // 2), ALPHA, key=lambda count: _expanded(count, len(sums), rows))
    sums = sums[sums[:, 1] > 0]  # empty references only: says nothing
    ratios = np.sort(sums[:, 0] / sums[:, 1])
    cut = min(max(beyond, 1), (len(ratios) + 1) // 2)
    return float(ratios[cut - 1]), float(ratios[-cut])


def _expanded(beyond: int, resamples: int, rows: int) -> float:
    """Two-sided p when so many of the resamples lie beyond: the normal deviate of that share, read as Student's t."""
    share = beyond / (resamples + 1)  # one more on both sides: chance alone never shows to be impossible
    if share >= 0.5 or rows < 2:
        return 1.0
    return student(NORMAL.inv_cdf(share) * math.sqrt((rows - 1) / rows), rows - 1)


def matched_pairs(more: Counts) -> float:
    """Two-sided p of the matched-pairs test (Gillick & Cox, ICASSP 1989), as NIST's sc_stats has it as MAPSSWE.

    The segments are the rows: utterances (or speakers), where NIST cuts at stretches both systems have right. The
    mean of the differences over its standard error is read as Student's t, as the original's normal distribution
    holds for many segments only; from 50 on, the two differ by less than 0.01.
    """
    segments, mean = len(more), float(more.mean())
    if segments < 2 or mean == 0:
        return 1.0
    error = float(more.std(ddof=1)) / math.sqrt(segments)
    # all differ by the same: what is left is their sign
    return student(mean / error, segments - 1) if error > 0 else 2.0 ** (1 - segments)


def student(t: float, freedom: int) -> float:
    """Two-sided tail of Student's t, by the finite series of Abramowitz & Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(abs(t) / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    start = 3 if freedom % 2 else 2
    steps = np.arange(start, freedom - 1, 2)
    series = 1 + float(np.cumprod((steps - 1) / steps * cosine**2).sum())
    if freedom % 2 == 0:
        inside = sine * series
    else:
        inside = 2 / math.pi * (angle + (sine * cosine * series if freedom > 1 else 0))
    return min(1.0, max(0.0, 1 - inside))
