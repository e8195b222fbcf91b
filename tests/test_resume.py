"""kill -9 at any moment, then the same command again: the weights of a run that was never killed."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_asr import run
from tests import small

pytestmark = pytest.mark.slow

LONGER = {"training__max_steps": 200, "training__evaluate_every": 9}  # some ten seconds, with dropout and masking


@pytest.mark.parametrize("seed", [0])
def test_three_kills_change_nothing(tmp_path: Path, seed: int) -> None:
    recipe, draw = small.write(tmp_path), random.Random(seed)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = small.hf_asr(*small.command(recipe, whole, **LONGER))
    assert done.returncode == 0, done.stderr
    moments = []
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, *small.command(recipe, killed, **LONGER)],
            cwd=small.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        at = len(run.read_lines(killed / run.LOG))
        # until it is training, then a little further: in a step, a look at validation, or a checkpoint half written
        while process.poll() is None and len(run.read_lines(killed / run.LOG)) <= at:
            time.sleep(0.02)
        time.sleep(draw.uniform(0.0, 1.2))
        process.kill()
        process.wait()
        moments.append(len(run.read_lines(killed / run.LOG)))
    assert not (killed / run.RESULTS).exists(), "the kills came too late to show anything"
    done = small.hf_asr(*small.command(recipe, killed, **LONGER))
    assert done.returncode == 0, done.stderr
    weights = [(folder / run.MODEL / "model.safetensors").read_bytes() for folder in (whole, killed)]
    assert weights[0] == weights[1], moments
    steps = [[(row["step"], row.get("loss")) for row in run.read_lines(folder / run.LOG)] for folder in (whole, killed)]
    assert steps[0] == steps[1]


def test_a_finished_run_refuses(tmp_path: Path) -> None:
    recipe = small.write(tmp_path)
    assert small.hf_asr(*small.command(recipe, tmp_path / "run", training__max_steps=2)).returncode == 0
    again = small.hf_asr(*small.command(recipe, tmp_path / "run", training__max_steps=2))
    assert again.returncode == 2
    assert "finished run" in again.stderr
    assert "Traceback" not in again.stderr
