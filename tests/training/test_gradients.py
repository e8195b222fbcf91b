"""One gradient without a number costs one step; many in a row end the training; weights are never lost."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from hf_asr import run
from hf_asr.training.gradients import MANY, FiniteGradients, NotANumber
from hf_asr.training.muon import muon
from tests import small

ARGUMENTS, STATE = SimpleNamespace(fp16=False), SimpleNamespace(global_step=7)


def network() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))


def a_step(model: torch.nn.Module, guard: FiniteGradients, optimizer: torch.optim.Optimizer, spoil: float) -> None:
    """As the Trainer has it: backward, clip, the callbacks, the optimiser."""
    model(torch.ones(1, 3)).sum().backward()
    first = next(model.parameters())
    assert first.grad is not None
    first.grad[0, 0] += spoil
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    given: Any = {"model": model, "optimizer": optimizer}
    guard.on_pre_optimizer_step(ARGUMENTS, STATE, None, **given)
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("spoil", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_step_is_left_out_and_the_next_one_made(spoil: float, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, guard = network(), FiniteGradients()
    optimizer = muon(model, set(), 0.1, 0.0) if kind == "muon" else torch.optim.AdamW(model.parameters(), lr=0.1)
    a_step(model, guard, optimizer, 0.0)
    before = [weight.detach().clone() for weight in model.parameters()]
    a_step(model, guard, optimizer, spoil)
    assert all(map(torch.equal, before, model.parameters()))
    assert "step 8" in "".join(capsys.readouterr())
    a_step(model, guard, optimizer, 0.0)
    assert not any(map(torch.equal, before, model.parameters()))
    assert all(weight.isfinite().all() for weight in model.parameters())


def test_many_in_a_row_end_it_and_single_ones_do_not() -> None:
    model, guard = network(), FiniteGradients()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(2):
        for _ in range(MANY - 1):
            a_step(model, guard, optimizer, float("nan"))
        a_step(model, guard, optimizer, 0.0)
    for _ in range(MANY - 1):
        a_step(model, guard, optimizer, float("nan"))
    with pytest.raises(NotANumber, match="learning_rate"):
        a_step(model, guard, optimizer, float("nan"))


SPOILED = """
import math, sys
from hf_asr.cli import main
from hf_asr.training import trainer

whole, calls = trainer.summed_loss, []

def spoiled(*given):
    total = whole(*given)
    calls.append(total)
    if len(calls) == 3:
        total.register_hook(lambda gradient: gradient * math.nan)
    return total

trainer.summed_loss = spoiled
main()
"""


def test_a_run_outlives_one_and_its_log_says_so(tmp_path: Path) -> None:
    recipe, output = small.write(tmp_path), tmp_path / "run"
    command = small.command(recipe, output, training__max_steps=6, training__evaluate_every=6)
    done = small.hf_asr("-c", SPOILED, *command[2:])
    assert done.returncode == 0, done.stderr
    assert "the gradient of step 3 " in done.stdout + done.stderr
    text = (output / run.LOG).read_text(encoding="utf-8")
    assert "NaN" not in text
    norms = [row["grad_norm"] for row in map(json.loads, text.splitlines()) if "grad_norm" in row]
    assert [norm is None for norm in norms] == [False, False, True, False, False, False]
    assert all(tensor.isfinite().all() for tensor in load_file(output / run.MODEL / "model.safetensors").values())
