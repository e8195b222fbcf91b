"""Intervals and tests against published tables, slower independent code and simulated truth."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hf_asr.evaluation import significance
from hf_asr.evaluation.significance import (
    error_rates,
    group,
    matched_pairs,
    paired_difference,
    resampled_sums,
    student,
)

Counts = NDArray[np.int64]
NOTHING = "no evidence of a difference"


def counts(*values: int) -> Counts:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("freedom", "t"),
    # the 5 % column of any table of Student's t (Abramowitz & Stegun 26.10)
    [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (10, 2.228), (30, 2.042), (120, 1.980)],
)
def test_students_t_of_the_tables(freedom: int, t: float) -> None:
    assert student(t, freedom) == pytest.approx(0.05, abs=3e-5)
    assert student(-t, freedom) == student(t, freedom)
    assert student(0, freedom) == 1


def test_students_t_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 2, 5, 20, 99, 9999):
        for t in (0.01, 0.5, 1.0, 2.5, 6.0):
            assert student(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-12)


def test_resamples_are_of_as_many_rows_and_spread_like_a_multinomial() -> None:
    rows = np.random.default_rng(0).integers(0, 9, size=(50, 2))
    columns = np.concatenate([rows, np.ones((50, 1), dtype=np.int64)], axis=1)
    sums = resampled_sums(columns, seed=1, resamples=40_000)
    assert (sums[:, 2] == 50).all()
    assert sums.mean(axis=0) == pytest.approx(columns.sum(axis=0), rel=0.005)
    # covariance of the sums of n draws: that of the rows, n times
    assert np.cov(sums[:, :2].T) == pytest.approx(np.cov(rows.T, bias=True) * 50, rel=0.03, abs=6)


def test_resamples_do_not_depend_on_how_many_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.random.default_rng(0).integers(0, 9, size=(70, 2))
    whole = resampled_sums(columns, 3, 500)
    for block in (1, 71, 700):
        monkeypatch.setattr(significance, "BLOCK", block)
        assert (resampled_sums(columns, 3, 500) == whole).all()
    assert (resampled_sums(columns, 4, 500) != whole).any()


@pytest.mark.parametrize(
    ("errors", "words", "low", "high"),
    # Newcombe, Statistics in Medicine 1998, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_one_utterance_is_told_by_wilsons_interval(errors: int, words: int, low: float, high: float) -> None:
    [rate], unit = error_rates([(counts(errors), counts(words))])
    assert (rate.rate, unit) == (errors / words, "utterances")
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("clips", [1, 9])
def test_more_errors_than_words_are_no_certainty_either(clips: int) -> None:
    [rate], _ = error_rates([(counts(*[3] * clips), counts(*[1] * clips))])
    assert rate.rate == 3
    assert rate.low < 3 - 1.9 / clips < 3 + 1.9 / clips < rate.high


def test_no_errors_are_not_certainty() -> None:
    [rate], _ = error_rates([(counts(*[0] * 10), counts(*[2] * 10))])
    assert (rate.rate, rate.low) == (0, 0)
    assert rate.high == pytest.approx(0.1611, abs=5e-5)


def test_the_interval_is_that_of_slow_code() -> None:
    generator = np.random.default_rng(2)
    words = generator.integers(3, 20, size=60)
    errors = generator.binomial(words, words / 25)  # long ones are worse
    rate = errors.sum() / words.sum()

    def deviation(e: Counts, w: Counts) -> float:
        ratio = e.sum() / w.sum()
        return float(np.std(e - ratio * w) * np.sqrt(len(e)) / w.sum())

    distances = []
    for _ in range(20_000):
        some = generator.choice(60, size=60)
        e, w = errors[some], words[some]
        distances.append((e.sum() / w.sum() - rate) / deviation(e, w))
    below, above = np.quantile(distances, [0.025, 0.975])
    [found], _ = error_rates([(errors, words)], resamples=20_000)
    expected = (rate - above * deviation(errors, words), rate - below * deviation(errors, words))
    assert (found.low, found.high) == pytest.approx(expected, rel=0.005)


def test_the_standard_error_is_that_of_the_residuals() -> None:
    generator = np.random.default_rng(2)
    words = generator.integers(3, 20, size=60)
    errors = generator.binomial(words, words / 25)
    sums = [column.sum() for column in (errors, words, errors**2, errors * words, words**2)]
    residuals = errors - errors.sum() / words.sum() * words
    expected = np.sqrt((residuals**2).sum()) / words.sum()
    assert significance._standard_error(np.array(sums, dtype=np.float64)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([3, 0], [0, 2]),
        ([0, 0, 0], [1, 0, 0]),
        ([9, 9, 9], [2, 3, 4]),
        ([1, 0, 0, 0], [1, 1, 1, 1]),
        ([5] * 5, [5] * 5),
        ([7], [2]),
    ],
)
def test_intervals_of_odd_cases_are_finite_and_hold_the_rate(errors: list[int], words: list[int]) -> None:
    [rate, same], _ = error_rates([(counts(*errors), counts(*words))] * 2)
    assert rate == same
    assert 0 <= rate.low <= rate.rate <= rate.high < 1000


def test_without_words_there_is_no_rate() -> None:
    with pytest.raises(ValueError, match="no words"):
        error_rates([(counts(1, 2), counts(0, 0))])
    with pytest.raises(ValueError, match="no words"):
        error_rates([(counts(), counts())])
    with pytest.raises(ValueError, match="no words"):
        paired_difference(counts(1, 2), counts(0, 0))


def test_utterances_are_summed_by_speaker() -> None:
    columns = np.arange(14).reshape(7, 2)
    sums, unit = group(columns, ["a", "b", "c", "d", "e", "a", "b"])
    assert unit == "speakers"
    assert sums.tolist() == [[10, 12], [14, 16], [4, 5], [6, 7], [8, 9]]
    # who is unknown stands alone and is no speaker
    sums, unit = group(columns, ["a", None, "c", "d", "e", None, "b"])
    assert unit == "speakers"
    assert len(sums) == 7
    assert group(columns, ["a", None, "c", "d", "b", None, "b"])[1] == "utterances"


def lengths(count: int, generator: np.random.Generator) -> Counts:
    return 1 + generator.negative_binomial(3, 0.25, count)


def clustered(words: Counts, rate: float, generator: np.random.Generator) -> Counts:
    """Errors when utterances differ in difficulty."""
    return generator.binomial(words, generator.beta(5 * rate, 5 * (1 - rate), len(words)))


@pytest.mark.parametrize(
    ("utterances", "rate", "least", "most"),
    [
        (200, 0.1, 0.93, 0.97),
        pytest.param(1000, 0.1, 0.93, 0.97, marks=pytest.mark.slow),
        pytest.param(200, 0.02, 0.92, 0.97, marks=pytest.mark.slow),
        (50, 0.02, 0.85, 0.97),
    ],
)
def test_intervals_hold_the_truth_nineteen_times_in_twenty(
    utterances: int, rate: float, least: float, most: float
) -> None:
    generator, covered = np.random.default_rng(0), 0
    for run in range(1000):
        words = lengths(utterances, generator)
        [one], _ = error_rates([(clustered(words, rate, generator), words)], seed=run, resamples=1000)
        covered += one.low <= rate <= one.high
    assert least <= covered / 1000 <= most


def test_with_speaker_effects_only_the_interval_over_speakers_holds_the_truth() -> None:
    generator, covered = np.random.default_rng(0), np.zeros(2)
    who = np.arange(400) % 20
    names = [str(speaker) for speaker in who]
    for run in range(300):
        words, voices = lengths(400, generator), generator.beta(3, 27, 20)
        errors = generator.binomial(words, generator.beta(5 * voices[who], 5 * (1 - voices[who])))
        for at, speakers in enumerate((names, None)):
            [one], _ = error_rates([(errors, words)], speakers, seed=run, resamples=1000)
            covered[at] += one.low <= 0.1 <= one.high
    assert covered[0] / 300 >= 0.92
    assert covered[1] / 300 <= 0.85


def equals(words: Counts, generator: np.random.Generator) -> tuple[Counts, Counts]:
    """Errors of two systems that are equally good and share half of their errors."""
    chance = generator.beta(0.5, 4.5, len(words))
    common = generator.binomial(words, chance / 2)
    a, b = (common + generator.binomial(words - common, chance / (2 - chance)) for _ in range(2))
    return a, b


@pytest.mark.parametrize("utterances", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_equals_are_told_apart_one_time_in_twenty(utterances: int) -> None:
    generator, bootstrap, pairs = np.random.default_rng(0), 0, 0
    for run in range(1000):
        words = lengths(utterances, generator)
        a, b = equals(words, generator)
        one = paired_difference(b - a, words, seed=run, resamples=1000)
        bootstrap += one.verdict != NOTHING
        pairs += one.matched_pairs_p <= 0.05
    assert 0.03 <= bootstrap / 1000 <= 0.07
    assert 0.03 <= pairs / 1000 <= 0.07


def test_a_better_one_is_found() -> None:
    generator, found = np.random.default_rng(0), 0
    for run in range(200):
        words = lengths(300, generator)
        a, b = equals(words, generator)
        better = b - generator.binomial(b, 0.3)
        found += paired_difference(better - a, words, seed=run, resamples=1000).verdict == "better"
    assert found / 200 >= 0.8


@pytest.mark.parametrize("people", [0, 7])
def test_the_verdict_the_p_value_and_the_interval_say_the_same(people: int) -> None:
    generator, verdicts = np.random.default_rng(1), set()
    for run in range(150):
        words = lengths(40, generator)
        more = generator.integers(-2, 3, 40) + generator.integers(-1, 2)
        speakers = [str(number % people) for number in range(40)] if people else None
        one = paired_difference(more, words, speakers, seed=run, resamples=2000)
        verdicts.add(one.verdict)
        assert one.low <= one.difference <= one.high
        assert (one.p_value <= 0.05) == (one.verdict != NOTHING) == (not one.low <= 0 <= one.high)
        if one.verdict != NOTHING:
            assert one.verdict == ("better" if one.difference < 0 else "worse")
    assert len(verdicts) == 3


@pytest.mark.parametrize(("differing", "verdict"), [(0, NOTHING), (5, NOTHING), (6, "worse")])
def test_fewer_than_six_utterances_that_differ_say_nothing(differing: int, verdict: str) -> None:
    more = counts(*[1] * differing, *[0] * (200 - differing))
    one = paired_difference(more, np.full(200, 10))
    assert one.verdict == verdict
    assert one.p_value >= min(1.0, 2.0 ** (1 - differing))
    assert (one.low > 0) == (verdict == "worse")


def test_few_are_read_by_students_t() -> None:
    # ten speakers: the 95 % interval is wider than the percentiles' by about t / z, 2.26 / 1.96 x sqrt(10 / 9)
    generator = np.random.default_rng(0)
    more, words = generator.integers(-40, 60, 10), np.full(10, 1000)
    one = paired_difference(more, words, resamples=100_000)
    sums = resampled_sums(np.stack([more, words], axis=1), 0, 100_000)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    assert (one.high - one.low) / (high - low) == pytest.approx(2.262 / 1.96 * np.sqrt(10 / 9), rel=0.03)


SAMPLES: list[Callable[[np.random.Generator], Counts]] = [
    lambda generator: generator.integers(-3, 4, 12),
    lambda generator: generator.poisson(0.5, 80) - generator.poisson(0.6, 80),
]


@pytest.mark.parametrize("draw", SAMPLES)
def test_matched_pairs_are_scipys_t_test(draw: Callable[[np.random.Generator], Counts]) -> None:
    stats = pytest.importorskip("scipy.stats")
    for seed in range(20):
        more = draw(np.random.default_rng(seed))
        assert matched_pairs(more) == pytest.approx(stats.ttest_1samp(more, 0).pvalue, abs=1e-10)


def test_matched_pairs_of_many_segments_are_those_of_gillick_and_cox() -> None:
    # W = mean / (deviation / sqrt(n)), read as normal: 0.045500 at 2, 0.002700 at 3
    for w, p in ((2, 0.0455), (3, 0.0027)):
        segments = 20_000
        ones = round((segments + w * np.sqrt(segments)) / 2)
        more = counts(*[1] * ones, *[-1] * (segments - ones))
        assert matched_pairs(more) == pytest.approx(p, rel=0.02)


def test_with_speakers_everything_is_of_their_sums() -> None:
    more, speakers = np.random.default_rng(0).integers(-1, 3, 60), [str(number % 6) for number in range(60)]
    one = paired_difference(more, np.full(60, 9), speakers)
    summed = paired_difference(more.reshape(10, 6).sum(axis=0), np.full(6, 90))
    alone = paired_difference(more, np.full(60, 9))
    assert (one.resampled, summed.resampled) == ("speakers", "utterances")
    assert (one.low, one.high, one.matched_pairs_p) == (summed.low, summed.high, summed.matched_pairs_p)
    assert one.matched_pairs_p != alone.matched_pairs_p


def test_matched_pairs_without_spread() -> None:
    assert matched_pairs(counts(0, 0, 0, 0)) == 1
    assert matched_pairs(counts(3)) == 1
    assert matched_pairs(counts(1, 1, 1, 1, 1)) == 2**-4  # five heads or five tails
