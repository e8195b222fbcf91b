"""Two processes or two parts of a step learn what one does: same losses, same gradients."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hf_asr import run
from tests import small

pytestmark = pytest.mark.slow

STEPS = 20


def first_steps(folder: Path) -> list[tuple[float, float]]:
    rows = [row for row in run.read_lines(folder / run.LOG) if "loss" in row]
    return [(row["loss"], row["grad_norm"]) for row in rows][:STEPS]


def trained(folder: Path, *launcher: str, **settings: object) -> list[tuple[float, float]]:
    # the plan makes steps of at least as many clips as there are parts: 30 s hold more than 2 either way
    settings = {
        "training__max_steps": STEPS,
        "training__evaluate_every": STEPS,
        "training__learning_rate": 5e-4,
        "training__precision": "float32",
        **settings,
    }
    arguments = small.command(small.write(folder), folder / "run", **{**small.QUIET, **settings})
    done = small.hf_asr(*launcher, *arguments, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    return first_steps(folder / "run")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, float]]:
    return trained(tmp_path_factory.mktemp("one"))


def assert_equal(found: list[tuple[float, float]], expected: list[tuple[float, float]]) -> None:
    assert len(found) == len(expected) == STEPS
    for step, (here, there) in enumerate(zip(found, expected, strict=True)):
        assert here == pytest.approx(there, rel=1e-4), f"step {step + 1}"


def test_accumulation(tmp_path: Path, one: list[tuple[float, float]]) -> None:
    assert_equal(trained(tmp_path, training__accumulation=2), one)


def test_two_processes(tmp_path: Path, one: list[tuple[float, float]]) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    assert_equal(trained(tmp_path, *launcher), one)


def test_two_processes_go_on_after_their_minutes_are_over(tmp_path: Path) -> None:
    """Killed while the trained model was tested: both processes see that there is no more to train."""
    settings = {"training__max_steps": "null", "training__max_minutes": 0.05, "decoding__lm": "{}"}
    arguments = small.command(small.write(tmp_path), tmp_path / "run", **settings)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *arguments]
    with subprocess.Popen(command, cwd=small.ROOT, stdout=-3, stderr=-3, start_new_session=True) as process:
        while process.poll() is None and not (tmp_path / "run" / run.MODEL).exists():
            time.sleep(0.02)
        children = subprocess.run(["pgrep", "-f", str(tmp_path / "run")], capture_output=True, text=True).stdout
        for child in [process.pid, *map(int, children.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    assert not (tmp_path / "run" / run.RESULTS).exists(), "the kill came too late to show anything"
    steps = len(run.read_lines(tmp_path / "run" / run.LOG))
    done = small.hf_asr(*command[1:], OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert len(run.read_lines(tmp_path / "run" / run.LOG)) == steps
