"""The learning rate over a budget of steps or minutes."""

import numpy as np
import pytest

from hf_asr.recipe import Training
from hf_asr.training.batches import Plan
from hf_asr.training.budget import ENDLESS, Clock, budget, learning_rate

PLAN = Plan(np.full(100, 2.0), np.ones(100), batch_seconds=20.0, parts=1, seed=0)


@pytest.mark.parametrize(
    ("training", "steps"),
    [
        ({"epochs": 3}, 30),
        ({"epochs": 0.5}, 5),
        ({"epochs": 3, "max_steps": 7}, 7),
        ({"max_steps": 50}, 50),
        ({"max_minutes": 2}, ENDLESS),
    ],
)
def test_steps(training: dict[str, float], steps: int) -> None:
    # 100 clips of 2 s in batches of 20 s: 10 steps an epoch
    found = budget(PLAN, Training(**training))  # type: ignore[arg-type]
    assert (found.steps, found.steps_per_epoch) == (steps, 10)


def test_progress_takes_the_first_bound_reached() -> None:
    found = budget(PLAN, Training(max_steps=100, max_minutes=10))
    assert found.progress(50, 1) == 0.5
    assert found.progress(50, 9) == 0.9
    assert found.progress(50, 30) == 1.0


def test_the_clock_goes_on_from_before_an_interruption() -> None:
    found = budget(PLAN, Training(max_minutes=3))
    assert found.progress(0, Clock(3.0, shared=False).minutes) == 1.0  # over, before a step is taken
    assert found.progress(0, Clock(1.5, shared=False).minutes) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("schedule", "progress", "rate"),
    [
        ("linear", 0.05, 0.5),
        ("linear", 0.1, 1.0),
        ("linear", 0.55, 0.5),
        ("linear", 1.0, 0.0),
        ("cosine", 0.55, 0.5),
        ("cosine", 1.0, 0.0),
        ("constant", 0.9, 1.0),
    ],
)
def test_learning_rate(schedule: str, progress: float, rate: float) -> None:
    assert learning_rate(schedule, 0.1, progress, 100 * progress) == pytest.approx(rate, abs=1e-9)


def test_warmup_in_steps() -> None:
    assert learning_rate("constant", 20, 0.01, 10) == 0.5
    # 20 of 1000 steps, then down from where the rise ended: no jump
    assert learning_rate("linear", 20, 0.02, 20) == 1.0
    assert learning_rate("linear", 500, 0.501, 501) == pytest.approx(1.0, abs=0.01)
    assert learning_rate("linear", 500, 0.75, 750) == pytest.approx(0.5)
    assert learning_rate("linear", 500, 1.0, 1000) == pytest.approx(0.0)
