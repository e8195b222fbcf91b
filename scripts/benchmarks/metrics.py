"""What the statistics promise, measured: time, equality with jiwer, coverage of intervals, false alarms.

    ./scripts/bench metrics [speed] [jiwer] [coverage] [speakers] [alarms] [facts] [--runs 1000]

Coverage: how often the 95 % interval of simulated tests holds the true rate. Lengths are 1 + a negative binomial
(mean 10 words), the error rate of each utterance is drawn from a beta distribution (so that errors come in clusters),
its errors from a binomial. With speakers, each has an error rate of their own, around which those of the utterances
lie. For comparison the interval of the plain percentile bootstrap.
False alarms: two systems of equal quality that share half of their errors; how often a difference is seen.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator, Sequence

import jiwer
import numpy as np
from numpy.typing import NDArray

from hf_asr.evaluation.metrics import per_utterance, score
from hf_asr.evaluation.significance import Counts, error_rates, group, paired_difference, resampled_sums
from hf_asr.evaluation.slices import facts

Generator = np.random.Generator
RESAMPLES = 2_000  # of a simulated test, in coverage; a run uses 10,000
SCRIPTS = {  # each character of Han is a word
    "Latin": ["the", "of", "and", "a", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are"],
    "Cyrillic": ["и", "в", "не", "на", "я", "быть", "он", "с", "что", "а", "по", "это", "она", "этот", "мы"],
    "Devanagari": ["यह", "है", "और", "का", "की", "के", "में", "से", "को", "नहीं", "हिन्दी", "भाषा", "एक", "पर"],
    "Han": [*"的一是不了在人有我他这个们中来上大为和国地到以说时要就出会"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=[], metavar="PART")
    parser.add_argument("--runs", type=int, default=1000)
    given = parser.parse_args()
    parts: dict[str, Callable[[int], Iterator[Sequence[object]]]] = {
        "speed": speed,
        "jiwer": equality,
        "coverage": coverage,
        "speakers": speakers,
        "alarms": alarms,
        "facts": clip_facts,
    }
    for name in given.parts or parts:
        for number, row in enumerate(parts[name](given.runs)):
            cells = [f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row]
            print(f"| {' | '.join(cells)} |" + ("" if number else "\n" + "|---" * len(row) + "|"), flush=True)
        print()


def pairs(count: int, words: Sequence[str], dice: random.Random, length: tuple[int, int]) -> list[list[str]]:
    """References, and hypotheses with some 12 % of errors."""
    references, hypotheses = [], []
    for _ in range(count):
        said = dice.choices(words, k=dice.randint(*length))
        heard = [part for word in said for part in misheard(word, words, dice)]
        references.append(" ".join(said))
        hypotheses.append(" ".join(heard))
    return [references, hypotheses]


def misheard(word: str, words: Sequence[str], dice: random.Random) -> list[str]:
    what = dice.random()
    if what < 0.12:
        return [dice.choice(words)] if what < 0.06 else [] if what < 0.09 else [word, dice.choice(words)]
    return [word]


def equality(runs: int) -> Iterator[Sequence[object]]:
    yield "script", "pairs", "substitutions, deletions, insertions", "jiwer's", "WER", "jiwer's", "CER", "jiwer's"
    for name, words in SCRIPTS.items():
        references, hypotheses = pairs(5 * runs, words, random.Random(1), (1, 25))
        ours, theirs = score(references, hypotheses, resamples=1), jiwer.process_words(references, hypotheses)
        counts = f"{ours.substitutions}, {ours.deletions}, {ours.insertions}"
        said = f"{theirs.substitutions}, {theirs.deletions}, {theirs.insertions}"
        cer = jiwer.cer(references, hypotheses)
        yield name, len(references), counts, said, *(f"{rate:.6%}" for rate in (ours.wer, theirs.wer, ours.cer, cer))


def speed(runs: int) -> Iterator[Sequence[object]]:
    yield "what", "s"
    dice = random.Random(0)
    words = ["".join(dice.choices("abcdefghij", k=dice.randint(2, 8))) for _ in range(20_000)]
    references, hypotheses = pairs(100 * runs, words, dice, (5, 25))

    def timed(what: str, act: Callable[[], object]) -> tuple[str, str]:
        started = time.process_time()
        act()
        return what, f"{time.process_time() - started:.2f}"

    some = slice(0, 10 * runs)
    yield timed(f"word errors, {len(references):,} pairs", lambda: per_utterance(references, hypotheses))
    yield timed("the same by jiwer.process_words", lambda: jiwer.process_words(references, hypotheses))
    columns = np.stack([*per_utterance(references[some], hypotheses[some])], axis=1)
    yield timed(
        f"{10 * runs:,} resamples of {len(columns):,} utterances", lambda: resampled_sums(columns, 0, 10 * runs)
    )
    yield timed("score() of the same, WER and CER with intervals", lambda: score(references[some], hypotheses[some]))


def clip_facts(runs: int) -> Iterator[Sequence[object]]:
    yield "clip", "ms for its facts"
    for seconds in (3, 10, 30):
        samples = np.random.default_rng(0).normal(size=16_000 * seconds).astype(np.float32) / 10
        started = time.process_time()
        for _ in range(runs // 5):
            facts(samples, seconds, "some words " * seconds, {"some"})
        yield f"{seconds} s", f"{(time.process_time() - started) / (runs // 5) * 1000:.2f}"


def lengths(count: int, generator: Generator) -> Counts:
    return 1 + generator.negative_binomial(3, 0.25, count).astype(np.int64)


def beta(mean: NDArray[np.float64], strength: float, generator: Generator) -> NDArray[np.float64]:
    mean = np.clip(mean, 1e-6, 1 - 1e-6)
    return generator.beta(mean * strength, (1 - mean) * strength)


def percentile(errors: Counts, words: Counts, seed: int) -> tuple[float, float]:
    sums = resampled_sums(np.stack([errors, words], axis=1), seed, RESAMPLES)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return float(low), float(high)


def coverage(runs: int) -> Iterator[Sequence[object]]:
    yield "utterances", "true WER", "covered", "truth below", "truth above", "mean width", "percentiles: covered"
    for rate in (0.1, 0.02):
        for count in (50, 200, 1000):
            generator, found, plain = np.random.default_rng(count), [], 0
            for run in range(runs):
                words = lengths(count, generator)
                errors = generator.binomial(words, beta(np.full(count, rate), 5, generator))
                one = error_rates([(errors, words)], seed=run, resamples=RESAMPLES)[0][0]
                low, high = percentile(errors, words, run)
                plain += low <= rate <= high
                found.append((rate < one.low, rate > one.high, one.high - one.low))
            below, above, width = np.mean(found, axis=0)
            yield count, rate, float(1 - below - above), float(below), float(above), float(width), plain / runs


def speakers(runs: int) -> Iterator[Sequence[object]]:
    yield "speakers", "utterances", "true WER", "over speakers: covered", "percentiles", "over utterances: covered"
    for rate in (0.1, 0.02):
        for people in (5, 10, 20, 50):
            generator, covered = np.random.default_rng(people), np.zeros(3)
            who = np.arange(400) % people
            names = [str(one) for one in who]
            for run in range(runs):
                words = lengths(400, generator)
                voices = beta(np.full(people, rate), 30, generator)
                errors = generator.binomial(words, beta(voices[who], 5, generator))
                summed = group(np.stack([errors, words], axis=1), names)[0]
                by_speaker, plain = (error_rates([(errors, words)], s, run, RESAMPLES)[0][0] for s in (names, None))
                low, high = percentile(summed[:, 0], summed[:, 1], run)
                ends = [(by_speaker.low, by_speaker.high), (low, high), (plain.low, plain.high)]
                covered += [low <= rate <= high for low, high in ends]
            yield people, 400, rate, *(float(share) for share in covered / runs)


def alarms(runs: int) -> Iterator[Sequence[object]]:
    yield "utterances", "speakers", "WER of both", "paired bootstrap", "matched pairs", "bootstrap over utterances"
    for count, people, rate in [(20, 0, 0.1), (50, 0, 0.1), (200, 0, 0.1), (200, 0, 0.02), (1000, 0, 0.1)] + [
        (400, people, 0.1) for people in (5, 10, 20)
    ]:
        generator, seen = np.random.default_rng(count + people), np.zeros(3)
        who = np.arange(count) % max(people, 1)
        names = [str(one) for one in who] if people else None
        for run in range(runs):
            words = lengths(count, generator)
            a, b = equals(words, who, people, rate, generator)
            one = paired_difference(b - a, words, names, run)
            other = paired_difference(b - a, words, None, run) if people else one
            seen += [one.verdict != "no evidence of a difference", one.matched_pairs_p <= 0.05, other.p_value <= 0.05]
        yield count, people or "", rate, *(float(share) for share in seen / runs)


def equals(words: Counts, who: Counts, people: int, rate: float, generator: Generator) -> tuple[Counts, Counts]:
    """Errors of two systems that share half of theirs; with speakers, each system suits each of them differently."""
    chance = beta(np.full(len(words), rate), 5, generator)
    common = generator.binomial(words, chance / 2)
    errors = []
    for _ in range(2):
        suits = np.exp(0.3 * generator.standard_normal(max(people, 1)))[who] if people else 1.0
        rest = np.clip(chance / (2 - chance) * suits, 0, 1)
        errors.append(common + generator.binomial(words - common, rest))
    return errors[0], errors[1]


if __name__ == "__main__":
    main()
