"""A real Whisper checkpoint: the same text from training's decode path, evaluate and plain pipeline(); LoRA merged."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from transformers import pipeline

from hf_asr import recipe, run
from hf_asr.data.audio import decode
from hf_asr.decoding.transcribe import transcribe, transcribe_recording
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Recogniser
from tests import small

pytestmark = pytest.mark.slow

CLIPS = sorted((small.ROOT / "hf_asr" / "assets" / "prompts-en" / "clips").iterdir())


@pytest.fixture(scope="module")
def recogniser(whisper_checkpoint: Path) -> Recogniser:
    return checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")


def test_positions_stay_sinusoids(recogniser: Recogniser) -> None:
    # trained, they would be in 30 s steps only, and two processes would wait for a gradient that never comes
    assert not recogniser.model.get_encoder().embed_positions.weight.requires_grad


def test_batches_and_pipeline_agree(recogniser: Recogniser, tmp_path: Path) -> None:
    clips = [decode({"path": str(path), "bytes": None}) for path in CLIPS[:12]]
    checkpoints.save(recogniser, tmp_path, beams=1)
    plain = pipeline("automatic-speech-recognition", model=str(tmp_path))
    expected = [str(plain(clip)["text"]).strip() for clip in clips]
    seconds = [len(clip) / 16_000 for clip in clips]
    found = dict(transcribe(recogniser, clips.__getitem__, seconds, full_context=True, batch_seconds=150))
    assert [found[index].text for index in range(len(clips))] == expected


def test_own_length_does_not_depend_on_the_batch(recogniser: Recogniser) -> None:
    clips = [decode({"path": str(path), "bytes": None}) for path in CLIPS[2:8]]
    seconds = [len(clip) / 16_000 for clip in clips]
    together, alone = (
        dict(transcribe(recogniser, clips.__getitem__, seconds, full_context=False, batch_seconds=budget))
        for budget in (200.0, 1.0)
    )
    assert together == alone


def test_a_long_recording_gets_segments(recogniser: Recogniser) -> None:
    pieces = [decode({"path": str(path), "bytes": None}) for path in CLIPS[2:12]]
    long = np.concatenate([part for piece in pieces for part in (piece, np.zeros(8000, np.float32))])
    long = np.concatenate([long, long])[: 45 * 16_000]
    found = transcribe_recording(recogniser, long, times=True)
    assert len(found.words) > 5
    assert found.words[-1].end > 30
    assert "agent" in found.text.lower()


def test_lora_is_merged_and_loads_plainly(whisper_checkpoint: Path, tmp_path: Path) -> None:
    recipe_file = small.write(tmp_path)
    settings = {
        "model__checkpoint": whisper_checkpoint,
        "model__lora": "{rank: 4}",
        "text": "{case: keep, punctuation: keep}",
        "training__max_steps": 3,
        "training__evaluate_every": 3,
        "data__sources__0__hours": 0.03,
    }
    done = small.hf_asr(*small.command(recipe_file, tmp_path / "run", **settings))
    assert done.returncode == 0, done.stderr
    results = run.read_json(tmp_path / "run" / run.RESULTS)
    trained = results["training"]
    # two matrices of rank 4 on q and v of 4 encoder layers and twice 4 decoder attentions, 384 wide
    assert trained["trainable"] == 2 * 12 * 2 * 4 * 384
    assert trained["parameters"] > 37_000_000
    assert results["parity"]["equal"] == results["parity"]["clips"]
    assert not list((tmp_path / "run" / run.MODEL).glob("adapter*"))
    assert set(results["systems"]["zero-shot"]["contexts"]) == {"pipeline", "own length"}


def test_a_clip_of_silence_is_no_crash(recogniser: Recogniser, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    samples = decode({"path": str(tmp_path / "silence.wav"), "bytes": None})
    assert isinstance(transcribe_recording(recogniser, samples).text, str)
