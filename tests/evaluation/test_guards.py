"""Guards: clips known by construction, a network whose every hypothesis is known, and what must not happen."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Dataset

from hf_asr import recipe
from hf_asr.data.clips import load_clips
from hf_asr.data.tables import DataError
from hf_asr.evaluation.guards import Guarded, guard_account, guard_rows, load_guards, measure_guards
from hf_asr.evaluation.results import FINE_TUNED, ZERO_SHOT
from hf_asr.evaluation.standalone import evaluate_data
from hf_asr.models import checkpoints
from tests.evaluation import rigged

METRIC, DECODING = recipe.Text(case="lower", punctuation="strip"), recipe.Decoding()
ROW = {"wer", "wer_low", "wer_high", "cer", "cer_low", "cer_high", "words", "characters", "substitutions"}
ROW |= {"deletions", "insertions", "utterances", "empty_references", "seconds", "real_time_factor", "unreadable"}
COMPARISON = {"system", "against", "context", "difference", "low", "high", "p_value", "verdict"}


def folder(path: Path, texts: list[str], seconds: float = 0.5) -> Path:
    """Recordings of noise, each its own by the folder's name and number, with these transcripts."""
    path.mkdir(parents=True, exist_ok=True)
    for number in range(len(texts)):
        noise = np.random.default_rng([number, *path.name.encode()]).normal(0, 0.1, round(seconds * 16_000))
        soundfile.write(path / f"{number}.wav", noise, 16_000)
    rows = [f"{number}.wav,{text}" for number, text in enumerate(texts)]
    (path / "metadata.csv").write_text("\n".join(["file_name,text", *rows]) + "\n")
    return path


def guard(path: Path, name: str = "books", **source: object) -> recipe.Guard:
    return recipe.Guard(name=name, source=recipe.Source(path=str(path), **source))


def load(*guards: recipe.Guard, trained: Dataset) -> tuple[Guarded, ...]:
    return load_guards(guards, METRIC, "en", trained)


@pytest.fixture
def trained(tmp_path: Path) -> Dataset:
    source = recipe.Source(path=str(folder(tmp_path / "train", ["one", "two", "three"])), use="train")
    return load_clips(recipe.Data(sources=[source]), METRIC, "en").train


def test_clips_without_a_word_are_told_before_a_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="test: `metric` leaves no word of any of its 2 transcripts"):
        evaluate_data("no model", str(folder(tmp_path / "songs", ["♪♪", "..."])), "en")


def test_before_and_after_are_known_beforehand(tmp_path: Path, trained: Dataset) -> None:
    texts = ["a"] * 6 + ["B!"] * 2
    guards = load(
        guard(folder(tmp_path / "books", texts)),
        guard(folder(tmp_path / "news", ["b"] * 40, 0.2), "news"),
        trained=trained,
    )
    measured = {
        system: measure_guards(rigged.recogniser(unit), guards, METRIC, "en", DECODING)
        for system, unit in ((ZERO_SHOT, "a"), (FINE_TUNED, "b"))
    }
    assert [one.warnings for one in guards] == [(), ()]
    books, news = guard_rows(guards, measured)
    assert (books["name"], books["clips"], news["name"], news["clips"]) == ("books", 8, "news", 40)
    assert [books["systems"][system]["wer"] for system in (ZERO_SHOT, FINE_TUNED)] == [0.25, 0.75]
    assert [news["systems"][system]["wer"] for system in (ZERO_SHOT, FINE_TUNED)] == [1.0, 0.0]
    assert books["systems"][FINE_TUNED].keys() >= ROW
    assert books["comparison"].keys() >= COMPARISON
    assert (books["comparison"]["system"], books["comparison"]["against"]) == (FINE_TUNED, ZERO_SHOT)
    assert books["comparison"]["difference"] == 0.5
    assert news["comparison"]["difference"] == -1.0 and news["comparison"]["verdict"] == "better"


def test_a_network_that_had_no_head_is_measured_after_only(tmp_path: Path, trained: Dataset) -> None:
    guards = load(guard(folder(tmp_path / "books", ["a", "b"])), trained=trained)
    (row,) = guard_rows(guards, {FINE_TUNED: measure_guards(rigged.recogniser("a"), guards, METRIC, "en", DECODING)})
    assert row["comparison"] is None and row["systems"].keys() == {FINE_TUNED}
    assert guard_rows((), {}) == [] and load_guards((), METRIC, "en", trained) == ()


def test_all_clips_are_measured_whatever_their_transcripts_share(tmp_path: Path, trained: Dataset) -> None:
    # the same transcript many times, and one that is trained on: a division would lose them
    (found,) = load(guard(folder(tmp_path / "books", ["a"] * 9 + ["one"])), trained=trained)
    assert found.given == len(found.clips) == 10 and found.left_out == ()
    assert found.warnings == (
        "1 of 10 transcripts of guards.0 (books) are in train, too: it may look better kept than it is",
    )
    (short,) = load(guard(folder(tmp_path / "long", ["a"] * 4, 1.0), hours=1.5 / 3600), trained=trained)
    assert len(short.clips) == 2


def test_a_recording_that_is_trained_on_is_no_guard(tmp_path: Path, trained: Dataset) -> None:
    path = folder(tmp_path / "books", ["a", "b", ""])
    (path / "1.wav").write_bytes((tmp_path / "train" / "0.wav").read_bytes())
    (found,) = load(guard(path), trained=trained)
    assert found.clips["id"][:] == ["0"]
    assert {one.id: one.reason for one in found.left_out} == {"1": "recording also in train", "2": "empty transcript"}
    (told,) = guard_account([found])
    assert (told["name"], told["given"], told["clips"]) == ("books", 3, 1)
    assert told["given"] == told["clips"] + len(told["left_out"])
    (path / "0.wav").write_bytes((tmp_path / "train" / "1.wav").read_bytes())
    with pytest.raises(DataError, match=r"^guards\.0 \(books\): each of its recordings is in train, too"):
        load(guard(path), trained=trained)


def test_a_guard_that_cannot_be_measured_is_told_by_name(tmp_path: Path, trained: Dataset) -> None:
    good = guard(folder(tmp_path / "good", ["a"]), "good")
    with pytest.raises(DataError, match=r"^guards\.1 \(no words\): `metric` leaves no word"):
        load(good, guard(folder(tmp_path / "dots", ["...", "?!"]), "no words"), trained=trained)
    empty = tmp_path / "empty.csv"
    empty.write_text("file_name,text\n")
    with pytest.raises(DataError, match=r"^guards\.1 \(empty\): the sources hold no clips at all"):
        load(good, guard(empty, "empty"), trained=trained)
    broken = folder(tmp_path / "broken", ["a", "b"])
    for file in broken.glob("*.wav"):
        file.write_bytes(b"RIFF....")
    with pytest.raises(DataError, match=r"^guards\.0 \(books\): none of 2 clips can be used:\n  2 unreadable"):
        load(guard(broken), trained=trained)


def test_the_measurement_before_survives_an_interruption(tmp_path: Path, trained: Dataset) -> None:
    path, run_folder = folder(tmp_path / "books", ["a", "b", "b", "b"]), tmp_path / "run"
    run_folder.mkdir()

    def wer(unit: str, kept: Path | None) -> float:
        guards = load(guard(path), guard(path, "again"), trained=trained)
        found = measure_guards(rigged.recogniser(unit), guards, METRIC, "en", DECODING, kept)
        assert found["books"].score.wer == found["again"].score.wer
        return found["books"].score.wer

    assert wer("a", run_folder) == 0.75
    assert wer("b", run_folder) == 0.75  # read, not measured
    assert wer("b", None) == 0.25
    folder(path, ["a", "a", "b", "b"])  # other transcripts: what was kept is of other data
    assert wer("a", run_folder) == 0.5
    assert all(file.name.startswith("zero-shot-") for file in run_folder.iterdir())  # which run.clean removes


@pytest.mark.slow
def test_whisper_is_measured_as_pipeline_hears_it(whisper_checkpoint: Path, trained: Dataset) -> None:
    guards = load(
        recipe.Guard(name="prompts", source=recipe.Source(path="embedded:prompts-en", hours=0.005)), trained=trained
    )
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    found = measure_guards(recogniser, guards, METRIC, "en", DECODING)
    assert found["prompts"].score.wer < 0.5  # at the clips' own length it loops, to some 400 %
