"""Gradients that are no numbers: such a step is left out, and told."""

from typing import Any

import torch
from transformers import TrainerCallback

from hf_asr.errors import UserError
from hf_asr.screen import say

MANY = 5  # steps in a row; one alone happens by chance


class NotANumber(UserError):
    """Training broke down; going on would only waste time."""


class FiniteGradients(TrainerCallback):
    """Keeps the weights from a step whose gradient holds NaN or infinities, as a scaler does in fp16.

    In bfloat16 on a CPU with AMX one step in some 600: for the kernel of a strided convolution oneDNN reads past the
    end of its input and multiplies by zero, which only shows where no number lies (docs/log.md). One such step makes
    all weights NaN.
    """

    def __init__(self) -> None:
        self.in_a_row = 0

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Clipping has been: it made all gradients NaN where one was, and infinite ones NaN."""
        if args.fp16:  # whose scaler does this
            return
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        if torch.nn.utils.get_total_norm(gradients).isfinite():
            self.in_a_row = 0
            return
        self.in_a_row += 1
        step = state.global_step + 1
        if self.in_a_row == MANY:
            raise NotANumber(
                f"the gradients of {MANY} steps up to step {step} are no numbers: try a lower training.learning_rate,"
                " a longer training.warmup or training.precision: float32, and another output"
            )
        for weight in model.parameters():
            weight.grad = None  # optimisers pass over these
        say(f"[yellow]warning[/] the gradient of step {step} holds numbers that are none: the step is left out")
