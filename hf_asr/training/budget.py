"""How much training there is, in steps and minutes, and the learning rate on the way."""

import math
import time
from dataclasses import dataclass

from accelerate.utils import broadcast_object_list

from hf_asr import recipe
from hf_asr.training.batches import Plan

ENDLESS = 1_000_000  # steps, when only minutes bound the training


@dataclass(frozen=True)
class Budget:
    """How much training there is, and how far it has come."""

    steps: int
    minutes: float | None
    steps_per_epoch: int

    def progress(self, step: float, minutes: float) -> float:
        """0 at the start, 1 when the first bound is reached."""
        by_clock = 0.0 if self.minutes is None else minutes / self.minutes
        return min(1.0, max(step / self.steps, by_clock))


class Clock:
    """Minutes trained, those before an interruption included; read once a step.

    With `shared`, all processes go by the first one's: each by its own, they would stop at different steps.
    """

    def __init__(self, spent: float, shared: bool) -> None:
        self.minutes, self.shared = spent, shared
        self.began = time.monotonic() - 60 * spent
        self.tick()  # at once: whether the training was over already is asked before its first step

    def tick(self) -> None:
        read = [(time.monotonic() - self.began) / 60]
        self.minutes = float((broadcast_object_list(read) if self.shared else read)[0])


def budget(plan: Plan, training: recipe.Training) -> Budget:
    steps = total_steps(plan, training.epochs, training.max_steps)
    return Budget(steps or ENDLESS, training.max_minutes, len(plan.epoch(0)))


def learning_rate(schedule: str, warmup: float, progress: float, step: float) -> float:
    """The factor on the peak: a linear rise, then linear or cosine decay to 0, or none."""
    rising = step / warmup if warmup >= 1 else progress / warmup if warmup > 0 else 1.0
    if rising < 1:
        return rising
    if schedule == "constant":
        return 1.0
    top = warmup if warmup < 1 else progress * warmup / step  # the progress at which it stopped rising
    share = (progress - top) / (1 - top) if top < 1 else 0.0
    return 1 - share if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * share))


def total_steps(plan: Plan, epochs: float | None, max_steps: int | None) -> int | None:
    """Optimiser steps of the budget; None when only minutes bound it."""
    if epochs is None:
        return max_steps
    steps = sum(len(plan.epoch(number)) for number in range(math.floor(epochs)))
    if epochs % 1:
        steps += max(1, round(len(plan.epoch(math.floor(epochs))) * (epochs % 1)))
    return steps if max_steps is None else min(steps, max_steps)
