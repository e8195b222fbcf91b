"""Which clips make which optimiser step, and the tensors of a batch.

A step's clips, and with Whisper its window, follow from (seed, epoch) alone. How many devices share
the step and in how many parts they take it comes after, so that neither changes what is learned.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.models.recogniser import Recogniser, frame_counter
from hf_asr.models.whisper import FULL_SECONDS, own_window

NEIGHBOURS = 0.1  # lengths are blurred by this share before sorting, so that batches differ from epoch to epoch


@dataclass(frozen=True)
class Pick:
    """One clip of one step. `window` is Whisper's, in seconds; 0 for CTC, which masks its padding."""

    index: int
    epoch: int
    window: float


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
        return [steps[i] for i in draw.permutation(len(steps))]

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


@dataclass(frozen=True)
class Loaded:
    """A clip in memory."""

    id: str
    samples: np.ndarray | None  # None when it could not be read after all
    labels: list[int]
    window: float


class TrainingClips(torch.utils.data.Dataset[Loaded]):
    """The training table as the loader's workers read it: audio decoded when asked for, never kept."""

    def __init__(self, clips: Dataset, encode: Callable[[str], list[int]]) -> None:
        self.clips, self.encode = clips, encode

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, pick: Pick) -> Loaded:
        row = self.clips[pick.index]
        try:
            samples = decode(row["audio"])
        except AudioError:
            samples = None
        return Loaded(row["id"], samples, self.encode(row["text"]), pick.window)


Batch = dict[str, Any]  # tensors for the network, `labels` [batch, longest] padded by -100, and the lost ids


def collate(recogniser: Recogniser) -> Callable[[Sequence[Loaded]], Batch]:
    """Clips to padded tensors; features are computed here, in the loader's workers, and never stored."""
    extract, prefix = recogniser.processor.feature_extractor, list(recogniser.prefix)
    frames = frame_counter(recogniser)
    end = int(getattr(recogniser.processor.tokenizer, "eos_token_id", None) or 0)  # Whisper's alone is used

    def ctc(clips: Sequence[Loaded], samples: list[np.ndarray]) -> Batch:
        batch = extract(samples, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt")
        counts = [frames(len(one)) for one in samples] if frames else []
        return {**batch, "labels": _padded([clip.labels for clip in clips], -100), "frames": torch.tensor(counts)}

    def whisper(clips: Sequence[Loaded], samples: list[np.ndarray]) -> Batch:
        window = clips[0].window
        features = extract(
            samples, sampling_rate=RATE, padding="max_length", max_length=round(window * RATE), return_tensors="pt"
        )["input_features"]
        # the prefix is given at decoding, so it is heard but not asked for
        labels = [[-100] * (len(prefix) - 1) + clip.labels + [end] for clip in clips]
        heard = [prefix + clip.labels for clip in clips]
        return {
            "input_features": features,
            "decoder_input_ids": _padded(heard, end),
            "labels": _padded(labels, -100),
        }

    def to_batch(clips: Sequence[Loaded]) -> Batch:
        lost = [clip.id for clip in clips if clip.samples is None]
        # a lost clip is heard as silence and asks for nothing: sizes stay, and no other clip is touched
        samples = [np.zeros(RATE, np.float32) if clip.samples is None else clip.samples for clip in clips]
        batch = (whisper if recogniser.family == "whisper" else ctc)(clips, samples)
        for row, clip in enumerate(clips):
            if clip.samples is None:
                batch["labels"][row] = -100
        return {**batch, "lost": lost}

    return to_batch


def _padded(rows: list[list[int]], value: int) -> Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows], dtype=torch.long)
