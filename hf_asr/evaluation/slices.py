"""Where the errors are: facts about each clip, error rates of groups of clips, and words taken for others.

A fact is named as people read it; the names are keys of predictions.jsonl and headings of reports.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hf_asr.evaluation.metrics import per_utterance, word_diff
from hf_asr.evaluation.significance import Counts, error_rates

FRAME = 320  # samples in 20 ms at 16 kHz
SILENCE = 1e-10  # mean square, -100 dBFS: below the rounding of 16 bits; digital silence would be minus infinity

DURATION, SPEECH_RATE, LOUDNESS, NOISE = "duration", "speech rate", "loudness", "signal-to-noise"
UNSEEN, SPEAKER = "words unseen in training", "speaker"
UNITS = {DURATION: "s", SPEECH_RATE: "words/s", LOUDNESS: "dBFS", NOISE: "dB"}

FEWEST = 5  # clips in a slice
MOST = 10  # slices of one kind: the worst speakers, the commonest values of a metadata column
RESAMPLES = 2_000  # there are some 30 slices

Parts = list[tuple[str, NDArray[np.intp]]]  # label and rows of each slice


def facts(
    samples: NDArray[np.float32] | None,
    seconds: float,
    reference: str,
    trained: Set[str],
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What is known of a clip beside its text, by name: numbers, texts or None.

    `samples`: mono at 16 kHz, full scale 1, or None when it cannot be read. `reference` and the words of `trained`,
    the train side, are as the metric normalises them. Loudness is the root mean square in dBFS (0.1 is -20), never
    below -100. Numbers and texts of `metadata` follow, but for names taken here.
    """
    words = reference.split()
    energies = None if samples is None else frame_energies(samples)
    found: dict[str, Any] = {
        DURATION: round(seconds, 2),
        SPEECH_RATE: round(len(words) / seconds, 2) if seconds > 0 else None,
        LOUDNESS: None if energies is None else round(decibels(float(energies.mean())), 1),
        NOISE: None if energies is None else round(signal_to_noise(energies), 1),
        UNSEEN: sum(word not in trained for word in words),
    }
    for name, value in (metadata or {}).items():
        plain = isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))
        if plain and name != SPEAKER:
            found.setdefault(name, value)
    return found


def frame_energies(samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Mean square of each 20 ms; None when there are no samples, or some that are not numbers."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) if len(samples) >= FRAME else samples[None]
    energies: NDArray[np.float32] = np.einsum("ij,ij->i", frames, frames) / np.float32(max(frames.shape[1], 1))
    return energies if len(samples) and np.isfinite(energies).all() else None


def signal_to_noise(energies: NDArray[np.float32]) -> float:
    """dB of the frame louder than 95 % of all over the one louder than 10 %: speech over what is heard in pauses.

    An estimate without a model. In a clip with no pauses the softest sounds count as noise, so that it is too low;
    music and other voices count as speech; a noise gate or a codec that empties the pauses makes it too high.
    """
    soft, loud = np.quantile(energies, [0.10, 0.95])
    return decibels(float(loud)) - decibels(float(soft))


def decibels(power: float) -> float:
    return 10 * math.log10(max(power, SILENCE))


def slices(
    rows: Sequence[Mapping[str, Any]], heard: Mapping[str, Sequence[str]], worst_of: str = "fine-tuned"
) -> list[dict[str, Any]]:
    """Error rates with intervals of groups of clips, as results.json holds them.

    `rows`: of predictions.jsonl (reference, seconds, speaker, facts). `heard`: by system, the hypotheses of all rows
    as the metric normalises them. Numbers are cut near their thirds, at round values; of speakers those are listed
    that `worst_of` (else the first system) hears worst. A slice has at least 5 clips and a word, and company.
    """
    if not heard:
        return []
    errors = {name: per_utterance([row["reference"] for row in rows], texts)[0] for name, texts in heard.items()}
    words = np.array([len(row["reference"].split()) for row in rows], dtype=np.int64)
    found = []
    for by, parts in _divisions(rows, errors.get(worst_of, next(iter(errors.values()))), words):
        kept = [(label, some) for label, some in parts if len(some) >= FEWEST and words[some].sum()]
        if len(kept) > 1:
            found += [_slice(by, label, rows, some, errors, words) for label, some in kept]
    return found


def confusions(references: Sequence[str], hypotheses: Sequence[str], limit: int = 20) -> list[dict[str, Any]]:
    """Words most often taken for others in a shortest alignment; "" for the hypothesis of a word left out and for the
    reference of one put in. [{"reference", "hypothesis", "count"}], most frequent first."""
    counts = Counter[tuple[str, str]]()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        if reference != hypothesis:
            for kind, said, heard in word_diff(reference, hypothesis):
                if kind != "equal":
                    longest = max(len(said), len(heard))
                    counts.update(zip(said or [""] * longest, heard or [""] * longest, strict=True))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"reference": said, "hypothesis": heard, "count": count} for (said, heard), count in ranked[:limit]]


def _slice(
    by: str,
    label: str,
    rows: Sequence[Mapping[str, Any]],
    some: NDArray[np.intp],
    errors: Mapping[str, Counts],
    words: Counts,
) -> dict[str, Any]:
    speakers = [rows[at].get("speaker") for at in some]
    rates, _ = error_rates([(found[some], words[some]) for found in errors.values()], speakers, resamples=RESAMPLES)
    return {
        "by": by,
        "slice": label,
        "clips": len(some),
        "words": int(words[some].sum()),
        "systems": {
            name: {"wer": rate.rate, "wer_low": rate.low, "wer_high": rate.high}
            for name, rate in zip(errors, rates, strict=True)
        },
    }


def _divisions(rows: Sequence[Mapping[str, Any]], errors: Counts, words: Counts) -> Iterator[tuple[str, Parts]]:
    """What the clips are grouped by: measured facts, speakers, metadata."""
    known: list[Mapping[str, Any]] = [{DURATION: row.get("seconds"), **(row.get("facts") or {})} for row in rows]
    for name in UNITS:
        yield name, _thirds([_number(one.get(name)) for one in known], UNITS[name])
    yield UNSEEN, _counted([_number(one.get(UNSEEN)) for one in known])
    yield SPEAKER, _worst(_alike([row.get("speaker") for row in rows]), errors, words)
    for name in dict.fromkeys(name for one in known for name in one if name not in {*UNITS, UNSEEN, SPEAKER}):
        values = [one.get(name) for one in known]
        parts, numbers = _alike(values), [_number(value) for value in values]
        numeric = all((number is None) == (value in (None, "")) for number, value in zip(numbers, values, strict=True))
        many = numeric and len(parts) > MOST
        yield name, _thirds(numbers, "") if many else sorted(parts, key=lambda part: -len(part[1]))[:MOST]


def _number(value: Any) -> float | None:
    """Manifests in CSV hold their numbers as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _thirds(numbers: Sequence[float | None], unit: str) -> Parts:
    """Three groups of about the same size, with round limits."""
    values = np.array([np.nan if number is None else number for number in numbers])
    told = values[~np.isnan(values)]
    if not len(told):
        return []
    lower, upper = (float(value) for value in np.quantile(told, [1 / 3, 2 / 3]))
    if lower == upper:
        return []
    a, b = round_limits(lower, upper)
    unit = f" {unit}" if unit else ""
    groups = {
        f"under {a:g}{unit}": values < a,
        f"{a:g} to {b:g}{unit}": (values >= a) & (values < b),
        f"{b:g}{unit} and more": values >= b,
    }
    return [(label, np.flatnonzero(group)) for label, group in groups.items()]


def round_limits(lower: float, upper: float) -> tuple[float, float]:
    """Two different numbers near lower < upper, in steps of 1, 2 or 5 times a power of ten."""
    half = (upper - lower) / 2
    power = math.floor(math.log10(half))
    step = max(size * 10.0**power for size in (1, 2, 5) if size * 10.0**power <= half * (1 + 1e-9))
    return round(round(lower / step) * step, max(0, -power)), round(round(upper / step) * step, max(0, -power))


def _counted(numbers: Sequence[float | None]) -> Parts:
    values = np.array([np.nan if number is None else number for number in numbers])
    groups = {"none": values == 0, "1": values == 1, "2 and more": values >= 2}
    return [(label, np.flatnonzero(group)) for label, group in groups.items()]


def _alike(values: Sequence[Any]) -> Parts:
    """One group a value, in the order of their first clips; what has no value is in none."""
    groups: dict[str, list[int]] = {}
    for number, value in enumerate(values):
        if value is not None and value != "":
            groups.setdefault(str(value), []).append(number)
    return [(label, np.array(some, dtype=np.intp)) for label, some in groups.items()]


def _worst(parts: Parts, errors: Counts, words: Counts) -> Parts:
    """The groups with the highest error rates, worst first, of those that can be slices."""
    ranked = [part for part in parts if len(part[1]) >= FEWEST and words[part[1]].sum()]
    return sorted(ranked, key=lambda part: (-errors[part[1]].sum() / words[part[1]].sum(), part[0]))[:MOST]
