"""Which clips make which optimiser step.

A step's clips, and with Whisper its window, follow from (seed, epoch) alone. How many devices share
the step and in how many parts they take it comes after, so that neither changes what is learned.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hf_asr.models.whisper import FULL_SECONDS, own_window

NEIGHBOURS = 0.1  # lengths are blurred by this share before sorting, so that batches differ from epoch to epoch


@dataclass(frozen=True)
class Pick:
    """One clip of one step. `window` is Whisper's, in seconds; 0 for CTC, which masks its padding."""

    index: int
    epoch: int
    window: float
    turn: int = 0  # times that this epoch has had the clip before: weights above 1 repeat it


@dataclass(frozen=True)
class Plan:
    """What epochs are made of."""

    seconds: np.ndarray  # [clips]
    weights: np.ndarray  # [clips], how often an epoch sees each
    batch_seconds: float
    parts: int  # devices x accumulation: a step has at least this many clips
    seed: int
    trailing_silence: float | None = None  # Whisper at its own length; None: no windows
    full_context_share: float = 0.0

    def epoch(self, number: int) -> list[list[Pick]]:
        """The optimiser steps of an epoch, each clip `weight` times in it."""
        draw = np.random.default_rng([self.seed, number])
        whole = np.floor(self.weights)
        times = (whole + (draw.random(len(self.weights)) < self.weights - whole)).astype(int)
        clips = draw.permutation(np.repeat(np.arange(len(times)), times))
        full, own = self._divide(clips, draw.random())
        blurred = self.seconds[own] * (1 + NEIGHBOURS * draw.random(len(own)))
        batches = self._fill(own[np.argsort(blurred, kind="stable")], 0.0)
        steps = [self._picks(batch, False, number) for batch in batches]
        steps += [self._picks(batch, True, number) for batch in self._fill(full, FULL_SECONDS)]
        steps = [steps[i] for i in draw.permutation(len(steps))]
        return _in_turn(steps) if times.max(initial=0) > 1 else steps

    def _divide(self, clips: np.ndarray, chance: float) -> tuple[np.ndarray, np.ndarray]:
        """The clips for steps padded to 30 s, enough to make `full_context_share` of the steps, and the rest."""
        if self.trailing_silence is None or self.full_context_share == 0:
            return clips[:0], clips
        if self.full_context_share == 1:
            return clips, clips[:0]
        cost_own = self.seconds[clips].sum() + self.trailing_silence * len(clips)
        a_step = max(self.parts, int(self.batch_seconds // FULL_SECONDS), 1)
        # k full steps beside own_steps - k * taken others, since every full step takes its clips from those
        own_steps, share = cost_own / self.batch_seconds, self.full_context_share
        taken = a_step * cost_own / len(clips) / self.batch_seconds
        count = a_step * int(own_steps * share / (1 - share + share * taken) + chance)
        if len(clips) - count < self.parts:  # too few for a step of their own
            count = len(clips)
        return clips[:count], clips[count:]

    def _fill(self, clips: np.ndarray, window: float) -> list[list[int]]:
        """Consecutive clips into batches of at most `batch_seconds`, counted with their padding."""
        batches: list[list[int]] = []
        longest = 0.0
        for clip in clips.tolist():
            longest = max(longest, window or self._cost(clip))
            if batches and (len(batches[-1]) < self.parts or longest * (len(batches[-1]) + 1) <= self.batch_seconds):
                batches[-1].append(clip)
            else:
                longest = window or self._cost(clip)
                batches.append([clip])
        if len(batches) > 1 and len(batches[-1]) < self.parts:
            last = batches.pop()
            batches[-1] += last
        return batches

    def _cost(self, clip: int) -> float:
        return float(self.seconds[clip]) + (self.trailing_silence or 0.0)

    def _picks(self, clips: list[int], full: bool, epoch: int) -> list[Pick]:
        window = 0.0
        if self.trailing_silence is not None:
            window = FULL_SECONDS if full else own_window(float(self.seconds[clips].max()), self.trailing_silence)
        # longest first, so that the parts, every n-th clip each, are alike in size
        return [Pick(clip, epoch, window) for clip in sorted(clips, key=lambda clip: (-self.seconds[clip], clip))]


def _in_turn(steps: list[list[Pick]]) -> list[list[Pick]]:
    seen: Counter[int] = Counter()

    def counted(pick: Pick) -> Pick:
        seen[pick.index] += 1
        return replace(pick, turn=seen[pick.index] - 1)

    return [[counted(pick) for pick in step] for step in steps]


@dataclass(frozen=True)
class Steps:
    """A batch sampler: this process's parts of every step, epoch after epoch until `steps` are made."""

    plan: Plan
    steps: int
    accumulation: int
    process: int
    processes: int

    def __len__(self) -> int:
        return self.steps * self.accumulation

    def __iter__(self) -> Iterator[list[Pick]]:
        made, epoch = 0, 0
        while made < self.steps:
            for step in self.plan.epoch(epoch)[: self.steps - made]:
                made += 1
                for turn in range(self.accumulation):
                    yield step[turn * self.processes + self.process :: self.processes * self.accumulation]
            epoch += 1
