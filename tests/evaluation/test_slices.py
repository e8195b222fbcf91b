"""Facts of sounds made by formula, slices of clips whose errors are known, confusions counted by hand."""

import time
from typing import Any

import numpy as np
import pytest

from hf_asr.evaluation.metrics import score
from hf_asr.evaluation.slices import confusions, facts, frame_energies, round_limits, signal_to_noise, slices

RATE = 16_000


def tone(seconds: float, amplitude: float) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 400 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def fact(samples: np.ndarray | None, name: str) -> Any:
    return facts(samples, 1.0, "a", {"a"})[name]


@pytest.mark.parametrize(
    ("samples", "level"),
    [
        (tone(1, 1.0), -3.0),  # a full-scale sine
        (tone(1, 0.1), -23.0),
        (np.full(RATE, 0.1, np.float32), -20.0),
        (np.full(100, 0.1, np.float32), -20.0),  # shorter than a frame
        (np.zeros(RATE, np.float32), -100.0),
        (np.zeros(0, np.float32), None),
        (np.array([0.1, np.nan], np.float32), None),
        (np.array([np.inf] * RATE, np.float32), None),
        (None, None),
    ],
)
def test_loudness(samples: np.ndarray | None, level: float | None) -> None:
    assert fact(samples, "loudness") == level
    assert (fact(samples, "signal-to-noise") is None) == (level is None)


@pytest.mark.parametrize("decibels", [10, 20, 30, 40])
def test_signal_to_noise_of_tones_between_pauses(decibels: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1 / np.sqrt(2) / 10 ** (decibels / 20), 10 * RATE).astype(np.float32)
    spoken = np.tile(np.concatenate([tone(0.6, 0.1), np.zeros(round(0.4 * RATE), np.float32)]), 10)
    assert fact(spoken + noise, "signal-to-noise") == pytest.approx(decibels, abs=1.5)


def test_signal_to_noise_knows_its_limits() -> None:
    assert fact(tone(2, 0.1), "signal-to-noise") == pytest.approx(0, abs=0.1)  # no pauses: nothing to tell noise by
    gated = np.concatenate([tone(1, 0.1), np.zeros(RATE, np.float32)])
    assert fact(gated, "signal-to-noise") == pytest.approx(77, abs=0.1)  # -23 over the -100 of digital silence


def test_frame_energies_are_mean_squares_of_20_ms() -> None:
    samples = np.concatenate([np.full(320, 0.5), np.full(320, 0.1), np.full(100, 9.0)]).astype(np.float32)
    energies = frame_energies(samples)
    assert energies is not None
    assert energies == pytest.approx([0.25, 0.01])
    assert signal_to_noise(np.linspace(1, 101, 101).astype(np.float32)) == pytest.approx(10 * np.log10(96 / 11))


def test_facts_of_a_clip() -> None:
    found = facts(
        tone(2.345, 0.1), 2.345, "the cat sat on the mat", {"the", "sat", "on"}, {"accent": "Leeds", "age": 7}
    )
    assert found == {
        "duration": 2.35,
        "speech rate": 2.56,
        "loudness": -23.0,
        "signal-to-noise": pytest.approx(0, abs=0.1),
        "words unseen in training": 2,
        "accent": "Leeds",
        "age": 7,
    }
    assert list(found)[-2:] == ["accent", "age"]


def test_metadata_takes_no_name_of_ours_and_brings_nothing_that_json_lacks() -> None:
    brought = {"loudness": 3, "speaker": "x", "none": None, "rate": float("nan"), "more": [1], "ok": True, "word": "w"}
    found = facts(None, 0.0, "", set(), brought)
    assert found == {
        "duration": 0.0,
        "speech rate": None,
        "loudness": None,
        "signal-to-noise": None,
        "words unseen in training": 0,
        "ok": True,
        "word": "w",
    }


def test_facts_cost_less_than_a_millisecond() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 30 * RATE).astype(np.float32)
    facts(samples, 30.0, "a", {"a"})
    started = time.process_time()
    for _ in range(50):
        facts(samples, 30.0, "a few words " * 30, {"a"})
    assert (time.process_time() - started) / 50 < 0.001  # measured: 0.0002


@pytest.mark.parametrize(
    ("thirds", "limits"),
    [
        ((1.13, 2.47), (1.0, 2.5)),
        ((-23.4, -19.8), (-23.0, -20.0)),
        ((118.0, 342.0), (100.0, 300.0)),
        ((2.31, 2.44), (2.3, 2.45)),
        ((0.0, 1.0), (0.0, 1.0)),
        ((0.0123, 0.0177), (0.012, 0.018)),
    ],
)
def test_limits_are_round(thirds: tuple[float, float], limits: tuple[float, float]) -> None:
    assert round_limits(*thirds) == limits


def test_limits_differ_and_stay_near() -> None:
    generator = np.random.default_rng(0)
    for _ in range(500):
        lower = generator.normal(0, 10 ** generator.uniform(-3, 4))
        upper = lower + 10 ** generator.uniform(-3, 4)
        a, b = round_limits(lower, upper)
        assert a < b
        assert abs(a - lower) <= 0.27 * (upper - lower)
        assert abs(b - upper) <= 0.27 * (upper - lower)


def clips(count: int, **columns: Any) -> list[dict[str, Any]]:
    """Rows of predictions.jsonl; columns by fact, "speaker" among them, as functions of the clip's number."""
    return [
        {
            "reference": "a b c d",
            "seconds": 2.0,
            "speaker": columns["speaker"](n) if "speaker" in columns else None,
            "facts": {name.replace("_", " "): of(n) for name, of in columns.items() if name != "speaker"},
        }
        for n in range(count)
    ]


def table(found: list[dict[str, Any]], system: str = "fine-tuned") -> dict[tuple[str, str], tuple[int, float]]:
    return {(row["by"], row["slice"]): (row["clips"], round(row["systems"][system]["wer"], 3)) for row in found}


def test_numbers_are_cut_in_thirds_with_readable_limits() -> None:
    rows = clips(30, duration=lambda n: 0.5 + n / 10)
    heard = ["a b c d"] * 9 + ["a b c x"] * 10 + ["x x x x"] * 11
    found = slices(rows, {"zero-shot": ["a b c d"] * 30, "fine-tuned": heard})
    assert table(found) == {
        ("duration", "under 1.4 s"): (9, 0.0),
        ("duration", "1.4 to 2.4 s"): (10, 0.25),
        ("duration", "2.4 s and more"): (11, 1.0),
    }
    assert {rate for _, rate in table(found, "zero-shot").values()} == {0.0}
    assert list(found[0]) == ["by", "slice", "clips", "words", "systems"]
    assert list(found[0]["systems"]) == ["zero-shot", "fine-tuned"]


def test_a_slice_has_the_rates_of_its_clips() -> None:
    generator = np.random.default_rng(0)
    rows = clips(90, loudness=lambda n: -30 + n / 5, speaker=lambda n: f"s{n % 7}")
    heard = [" ".join(generator.choice(["a", "b", "c", "d", "x"], size=4)) for _ in rows]
    found = [row for row in slices(rows, {"fine-tuned": heard}) if row["by"] == "loudness"]
    assert sum(row["clips"] for row in found) == 90
    soft = [n for n, row in enumerate(rows) if row["facts"]["loudness"] < -24]
    expected = score([rows[n]["reference"] for n in soft], [heard[n] for n in soft], resamples=2000)
    whole = score(
        [rows[n]["reference"] for n in soft],
        [heard[n] for n in soft],
        resamples=2000,
        speakers=[rows[n]["speaker"] for n in soft],
    )
    assert found[0]["slice"] == "under -24 dBFS"
    assert found[0]["words"] == whole.words
    assert found[0]["systems"]["fine-tuned"] == {"wer": whole.wer, "wer_low": whole.wer_low, "wer_high": whole.wer_high}
    assert whole.resampled == "speakers" != expected.resampled


def test_unseen_words_are_counted_by_one_and_more() -> None:
    rows = clips(30, words_unseen_in_training=lambda n: [0, 0, 0, 1, 2, 5][n % 6])
    found = table(slices(rows, {"fine-tuned": ["a b c x"] * 30}))
    assert {key: value[0] for key, value in found.items()} == {
        ("words unseen in training", "none"): 15,
        ("words unseen in training", "1"): 5,
        ("words unseen in training", "2 and more"): 10,
    }


def test_the_ten_worst_speakers_are_listed_worst_first() -> None:
    rows = clips(75, speaker=lambda n: f"s{n // 6:02d}")  # s00 to s11 with six clips, s12 with three
    heard = [" ".join(["x"] * min(n // 6, 4) + ["a", "b", "c", "d"][min(n // 6, 4) :]) for n in range(75)]
    found = slices(rows, {"zero-shot": ["x x x x"] * 75, "fine-tuned": heard})
    assert [row["slice"] for row in found] == [f"s{n:02d}" for n in (*range(4, 12), 3, 2)]
    assert {row["clips"] for row in found} == {6}
    other = slices(rows, {"zero-shot": ["a b c d"] * 75, "fine-tuned": heard}, worst_of="zero-shot")
    assert [row["slice"] for row in other] == [f"s{n:02d}" for n in range(10)]


def test_metadata_is_sliced_by_value_and_long_lists_of_numbers_in_thirds() -> None:
    rows = clips(
        60,
        accent=lambda n: ["Leeds", "York", None, ""][n % 4],
        age=lambda n: str(20 + n % 30),  # from a CSV
        dose=lambda n: n % 3,
        session=lambda n: f"one of its own {n}",
    )
    found = table(slices(rows, {"fine-tuned": ["a b c d"] * 60}))
    assert {key: clips for key, (clips, _) in found.items()} == {
        ("accent", "Leeds"): 15,
        ("accent", "York"): 15,
        ("age", "under 30"): 20,
        ("age", "30 to 40"): 20,
        ("age", "40 and more"): 20,
        ("dose", "0"): 20,
        ("dose", "1"): 20,
        ("dose", "2"): 20,
    }


def test_the_ten_commonest_values_of_metadata_are_listed() -> None:
    accents = [f"a{size:02d}" for size in range(1, 16) for _ in range(size)]
    found = table(slices(clips(120, accent=lambda n: accents[n]), {"fine-tuned": ["a b c d"] * 120}))
    assert {label: clips for (_, label), (clips, _) in found.items()} == {f"a{n:02d}": n for n in range(6, 16)}
    assert next(iter(found)) == ("accent", "a15")


def test_what_cannot_be_a_slice_is_none() -> None:
    rows = clips(20, speaker=lambda n: "one", loudness=lambda n: -20, accent=lambda n: "b" if n < 4 else "a")
    assert slices(rows, {"fine-tuned": ["a b c d"] * 20}) == []  # one speaker, one level, four clips of the other
    assert slices([], {"fine-tuned": []}) == []
    assert slices(rows, {}) == []
    silent = [
        {"reference": "" if n < 10 else "a", "seconds": 1.0, "speaker": None, "facts": {"accent": "abc"[n // 10]}}
        for n in range(30)
    ]
    assert list(table(slices(silent, {"fine-tuned": ["a"] * 30}))) == [("accent", "b"), ("accent", "c")]


def test_rows_without_facts_are_sliced_by_what_is_there() -> None:
    rows = [{"reference": "a", "seconds": n / 10, "speaker": None, "facts": {}} for n in range(1, 31)]
    assert {row["by"] for row in slices(rows, {"fine-tuned": ["a"] * 30})} == {"duration"}


def test_confusions_are_counted_with_what_is_left_out_and_put_in() -> None:
    references = ["four and five", "four", "four or more", "yes", "the end", "the", ""]
    hypotheses = ["for and five", "for", "for or", "yes yes", "end", "", "you"]
    assert confusions(references, hypotheses) == [
        {"reference": "four", "hypothesis": "for", "count": 3},
        {"reference": "the", "hypothesis": "", "count": 2},
        {"reference": "", "hypothesis": "yes", "count": 1},
        {"reference": "", "hypothesis": "you", "count": 1},
        {"reference": "more", "hypothesis": "", "count": 1},
    ]
    assert len(confusions(references, hypotheses, limit=2)) == 2
    assert confusions(["a"], ["a"]) == confusions([], []) == []
    with pytest.raises(ValueError, match="zip"):
        confusions(["a"], [])


def test_confusions_add_up_to_the_errors() -> None:
    generator = np.random.default_rng(0)
    sides = [
        [" ".join(generator.choice(list("abcd"), size=generator.integers(0, 9))) for _ in range(200)] for _ in "rh"
    ]
    counted = score(*sides, resamples=1)
    found = confusions(*sides, limit=1000)
    assert sum(row["count"] for row in found if not row["hypothesis"]) == counted.deletions
    assert sum(row["count"] for row in found if not row["reference"]) == counted.insertions
    assert sum(row["count"] for row in found if row["reference"] and row["hypothesis"]) == counted.substitutions
