"""Whole runs with changed training clips: killed, with workers, and with validation and test as they were."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import AutoModelForCTC

from hf_asr import run
from tests import small

pytestmark = pytest.mark.slow

AUGMENT = (
    "{speed: [0.8, 1.2], gain_db: [-10, 5], noise: {}, reverb: {}, telephone: 0.2,"
    " spec_augment: {time_masks: 4, time_share: 0.2}}"
)
# masks that the network was not built for, so that it must be lent what it masks with
SETTINGS = {"training__augment": AUGMENT, "model__config": "{mask_time_prob: 0.0, apply_spec_augment: false}"}


def test_an_interruption_and_workers_change_nothing(tmp_path: Path) -> None:
    recipe, whole, killed = small.write(tmp_path), tmp_path / "whole", tmp_path / "killed"
    settings = {**SETTINGS, "training__max_steps": 36, "training__evaluate_every": 9}
    done = small.hf_asr(*small.command(recipe, whole, **settings, training__workers=0))
    assert done.returncode == 0, done.stderr
    again = small.command(recipe, killed, **settings, training__workers=1)
    process = subprocess.Popen(
        [sys.executable, *again], cwd=small.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(run.read_lines(killed / run.LOG)) <= 14:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (killed / run.RESULTS).exists(), "the kill came too late to show anything"
    done = small.hf_asr(*again)
    assert done.returncode == 0, done.stderr
    weights = [(folder / run.MODEL / "model.safetensors").read_bytes() for folder in (whole, killed)]
    assert weights[0] == weights[1]
    config = json.loads((whole / run.MODEL / "config.json").read_text())
    assert (config["mask_time_prob"], config["apply_spec_augment"]) == (0.0, False)
    _, about = AutoModelForCTC.from_pretrained(whole / run.MODEL, output_loading_info=True)
    assert not any(about.values()), about


def test_validation_and_test_clips_stay_as_they_are(tmp_path: Path) -> None:
    # so small a learning rate leaves the random weights, whose hypotheses follow every sample of the clip
    recipe, looks, read = small.write(tmp_path), [], []
    settings = {"training__max_steps": 2, "training__evaluate_every": 1, "training__learning_rate": 1e-12}
    losses = []
    for name, more in (("plain", {}), ("changed", {"training__augment": AUGMENT})):
        done = small.hf_asr(*small.command(recipe, tmp_path / name, **settings, **more))
        assert done.returncode == 0, done.stderr
        rows = run.read_lines(tmp_path / name / run.LOG)
        losses.append([row["loss"] for row in rows if "loss" in row])
        looks.append([(row["eval_wer"], row["eval_cer"]) for row in rows if "eval_wer" in row])
        read.append(run.read_lines(tmp_path / name / run.PREDICTIONS))
    assert losses[0] != losses[1]
    assert looks[0] == looks[1] and len(looks[0]) == 2
    assert read[0] == read[1]
