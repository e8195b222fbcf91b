"""Sounds whose loudness and colour are checked by arithmetic of their own, and networks that always or never speak."""

from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline

from hf_asr import recipe
from hf_asr.evaluation.probes import probe, probe_rows, sounds
from hf_asr.models import checkpoints
from hf_asr.text.normalise import normalise
from tests.evaluation import rigged

METRIC, DECODING = recipe.Text(case="lower", punctuation="strip"), recipe.Decoding()
NAMES = ["silence", "white noise", "pink noise"]


def slope(sound: np.ndarray) -> float:
    """Of power over frequency, both as logarithms: 0 for white noise, -1 for pink."""
    pieces = sound[: len(sound) // 1024 * 1024].astype(float).reshape(-1, 1024)
    power = np.square(np.abs(np.fft.rfft(pieces * np.hanning(1024)))).mean(axis=0)[4:400]
    return float(np.polyfit(np.log(np.arange(4, 400)), np.log(power), 1)[0])


def test_the_sounds_are_what_they_are_called() -> None:
    made = sounds()
    assert list(made) == NAMES
    for clips in made.values():
        assert len(clips) == 20 and {clip.dtype for clip in clips} == {np.dtype(np.float32)}
        assert (len(clips[0]), len(clips[-1])) == (16_000, 160_000)
        assert len({len(clip) for clip in clips}) == 20
    assert not any(clip.any() for clip in made["silence"])
    for name, dbfs, colour in (("white noise", -40, 0.0), ("pink noise", -30, -1.0)):
        for clip in made[name]:
            assert 10 * np.log10(np.mean(np.square(clip, dtype=float))) == pytest.approx(dbfs, abs=0.01)
            assert np.abs(clip).max() < 1 and abs(clip.mean()) < 0.001
        assert slope(np.concatenate(made[name])) == pytest.approx(colour, abs=0.1)


def test_the_sounds_are_the_same_every_time() -> None:
    one, other, different = sounds(), sounds(), sounds(seed=1)
    for name in NAMES[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(one[name], other[name], strict=True))
        assert not np.array_equal(one[name][0], different[name][0])
        assert not np.array_equal(one[name][0], one[name][1][:16_000])


@pytest.mark.parametrize(("unit", "spoke"), [("a", 3), (None, 0)])
def test_what_is_written_is_counted(unit: str | None, spoke: int) -> None:
    found = probe(rigged.recogniser(unit), METRIC, "en", DECODING, clips=3)
    assert found == {key: {"spoke": spoke, "words": spoke} for key in NAMES}


def test_only_words_count() -> None:
    # what a metric strips was not said
    strip = recipe.Text(case="lower", punctuation="strip", keep="")
    found = probe(rigged.recogniser("a"), strip, "en", DECODING, clips=2)
    assert found["silence"] == {"spoke": 2, "words": 2}
    assert probe(rigged.recogniser("|"), strip, "en", DECODING, clips=2)["silence"] == {"spoke": 0, "words": 0}


def test_rows() -> None:
    before, after = ({name: {"spoke": count, "words": 2 * count} for name in NAMES} for count in (1, 5))
    rows = probe_rows({"zero-shot": before, "fine-tuned": after})
    assert rows[1] == {
        "probe": "white noise",
        "clips": 20,
        "systems": {"zero-shot": {"spoke": 1, "words": 2}, "fine-tuned": {"spoke": 5, "words": 10}},
    }
    assert [row["probe"] for row in rows] == NAMES and probe_rows({}) == []


@pytest.mark.slow
def test_whisper_is_counted_as_pipeline_hears_it(whisper_checkpoint: Path, tmp_path: Path) -> None:
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    found = probe(recogniser, METRIC, "en", DECODING, clips=2)
    checkpoints.save(recogniser, tmp_path, beams=1)
    plain = pipeline("automatic-speech-recognition", model=str(tmp_path))
    for name, clips in sounds(2).items():
        words = [len(normalise(str(plain(clip)["text"]), METRIC, "en").split()) for clip in clips]
        assert found[name] == {"spoke": sum(map(bool, words)), "words": sum(words)}, name
