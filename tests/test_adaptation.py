"""A finished run adapted to a new voice by the shipped recipe: what is trained, what is measured, what is kept."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from hf_asr import run
from hf_asr.data.clips import DataError, load_clips
from hf_asr.evaluation.standalone import evaluate_recipe
from hf_asr.recipe import Data, Source, Splits, Text
from hf_asr.recipe import file as recipe_file
from tests import small

pytestmark = pytest.mark.slow
PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en" / "clips"
SHAPE = "{model_type: deepspeech2, hidden_size: 24, num_hidden_layers: 1, conv_channels: 4}"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("old")
    settings = {"model": f"{{from_scratch: {SHAPE}}}", "training__max_steps": 6}
    done = small.hf_asr(*small.command(small.write(folder), folder / "run", **settings))
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new speaker: twelve recordings played a fifth faster."""
    folder = tmp_path_factory.mktemp("voice")
    lines = ["file_name,text"]
    for number, name in enumerate(sorted(PROMPTS.glob("en-conf*.ogg"))[:12]):
        samples, rate = soundfile.read(name)
        places = np.arange(0, len(samples) - 1, 1.2)
        soundfile.write(folder / f"{number}.wav", np.interp(places, np.arange(len(samples)), samples), rate)
        lines.append(f"{number}.wav,new words {'abcdefghijkl'[number]} of the conference")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


def adapt(old: Path, voice: Path, output: Path, **settings: object) -> Path:
    paths = {
        "model__checkpoint": old / "model",
        "data__sources__0__path": voice,
        "training__replay__sources__0__path": old,
        "guards__0__source__path": old,
        "training__max_steps": 3,
    }
    done = small.hf_asr(*small.command(Path("adapt-speaker"), output, **paths, **settings))
    assert done.returncode == 0, done.stderr
    return output


def test_scales_alone_are_trained_and_both_voices_measured(old: Path, voice: Path, tmp_path: Path) -> None:
    output = adapt(old, voice, tmp_path / "run", model__lora="null", model__freeze="[all_but_norms]")
    before, after = (load_file(folder / "model" / "model.safetensors") for folder in (old, output))
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed
    assert all("norm" in name for name in changed)
    assert any(name.endswith("running_mean") for name in changed)
    results, data = run.read_json(output / run.RESULTS), run.read_json(output / run.DATA)
    (guard,) = results["guards"]
    assert guard["name"] == "old voices"
    assert guard["clips"] == run.read_json(old / run.DATA)["sides"]["test"]["clips"]
    assert set(guard["systems"]) == {"zero-shot", "fine-tuned"}
    assert set(results["systems"]) == {"zero-shot", "fine-tuned"}
    assert data["replay"]["share_of_epoch"] == pytest.approx(0.5)


def test_a_side_of_a_run_is_what_it_was(old: Path) -> None:
    def side(split: str | None) -> list[str]:
        source = Source(path=str(old), split=split, use="train")
        splits = Splits(validation=0, test=0)
        return list(load_clips(Data(sources=(source,), splits=splits), Text(), "en").train["id"])

    told = recipe_file.load(str(old))
    clips = load_clips(told.data, told.text, told.language)
    assert side("test") == clips.test["id"][:]
    assert side("train") == clips.train["id"][:]
    for wrong in (None, "exam"):
        with pytest.raises(DataError, match="train, validation, test"):
            side(wrong)
    kept = run.read_json(old / run.DATA)
    run.write_json(old / run.DATA, kept | {"own_checksum": "0" * 64})
    with pytest.raises(DataError, match="changed since it ran"):
        side("test")
    with pytest.raises(DataError, match="changed since it ran"):
        evaluate_recipe("no model is loaded before", str(old), ())
    run.write_json(old / run.DATA, kept)
