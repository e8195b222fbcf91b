"""A training step of `embedded:micro` on one core: as the journey makes it, and with one thing left out at a time.

    ./scripts/bench cpu_step [--steps 12] [--seconds 24]

Audio seconds a CPU second, the variants in turn on the same batches of random samples, lengths as short sentences have
them. "memory given back" is the same in a process in which freed memory goes back to the system (glibc's default)
against one that keeps it; MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ can only be set from outside.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any
from unittest import mock

import numpy as np
import torch

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.ctc import OwnLengthGroupNorm
from hf_asr.models.recogniser import Recogniser
from hf_asr.training import loading
from hf_asr.training.attention import quick_attention
from hf_asr.training.loss import summed_loss
from hf_asr.training.precision import computes_in_bf16

KEPT = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "8589934592"}
BF16 = computes_in_bf16(torch.device("cpu"))
VARIANTS: dict[str, dict[str, Any]] = {
    f"as it is, {'bfloat16' if BF16 else 'float32'}": {},
    "front end frozen": {"frozen": True},
    "front end frozen by requires_grad alone": {"frozen": True, "told": False},
    "group norm by masks": {"together": True},
    "padded to the longest clip only": {"grid": 1},
}
if BF16:
    VARIANTS |= {"float32": {"bf16": False}, "torch's fused attention": {"quick": False}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=24.0)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recogniser = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en")
    names = list(VARIANTS)[:1] if given.alone else list(VARIANTS)
    speeds = measured(recogniser, names, given.steps, given.seconds)
    if given.alone:
        print(speeds[names[0]])
        return
    print("| step | audio s / CPU s | of the first |\n|---|---|---|")
    for name in names:
        print(f"| {name} | {speeds[name]:.0f} | {speeds[name] / speeds[names[0]]:.2f} |")
    command = [sys.executable, __file__, "--alone", "--steps", str(given.steps), "--seconds", str(given.seconds)]
    bare = {key: value for key, value in os.environ.items() if key not in KEPT}
    back, kept = (
        float(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
        for env in (bare, bare | KEPT)
    )
    print(f"| as it is, memory given back | {back:.0f} | |\n| as it is, memory kept | {kept:.0f} | |")


def measured(recogniser: Recogniser, names: list[str], steps: int, seconds: float) -> dict[str, float]:
    took, heard = dict.fromkeys(names, 0.0), 0.0
    for number, clips in zip(range(-3, steps), batches(seconds), strict=False):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:  # who comes first pays for oneDNN's programs of a new shape
            began = time.process_time()
            step(recogniser, clips, **VARIANTS[name])
            took[name] += (time.process_time() - began) * (number >= 0)  # the first ones warm up
        heard += sum(len(clip.samples) for clip in clips) / loading.RATE * (number >= 0)
    return {name: heard / spent for name, spent in took.items()}


def batches(seconds: float) -> Iterator[list[loading.Loaded]]:
    draw = np.random.default_rng(0)
    while True:
        longest = draw.uniform(1.2, 3.5)
        lengths = (loading.RATE * longest * draw.uniform(0.93, 1, round(seconds / longest))).astype(int)
        yield [
            loading.Loaded(str(n), draw.normal(size=n).astype(np.float32), draw.integers(5, 30, n // 1_300).tolist(), 0)
            for n in lengths
        ]


def step(
    recogniser: Recogniser,
    clips: list[loading.Loaded],
    bf16: bool = BF16,
    frozen: bool = False,
    told: bool = True,
    quick: bool = True,
    together: bool = False,
    grid: int = loading.GRID,
) -> None:
    model = recogniser.model.train()
    front: Any = model.wav2vec2.feature_extractor
    front.requires_grad_(not frozen)
    front._requires_grad = not (frozen and told)
    norm: Callable[..., object] = OwnLengthGroupNorm._together if together else OwnLengthGroupNorm._each
    with (
        mock.patch.object(loading, "GRID", grid),
        mock.patch.object(OwnLengthGroupNorm, "_each", norm),
        quick_attention(model, bf16, 3.5) if quick else nullcontext(),
    ):
        batch = loading.collate(recogniser)(clips)
        batch.pop("lost")
        labels = batch.pop("labels")
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = summed_loss(recogniser, model, batch, labels)
        loss.backward()
        for weights in model.parameters():
            weights.grad = None


if __name__ == "__main__":
    main()
