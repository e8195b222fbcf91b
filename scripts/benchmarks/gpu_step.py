"""A training step on a GPU, forward, backward and AdamW: audio seconds a second, and memory, by precision and more.

    ./scripts/bench gpu_step [--steps 10] [--only micro]

Networks of the shapes people fine-tune, from random weights (but for `embedded:micro`), on batches of random samples
with the lengths of real clips: micro on phrases, wav2vec2-base on sentences, Whisper small at the clip's own length
against padded to 30 s. Also how fast the loader's workers read and change clips, the other half of a step's time.
Every row stands as soon as it is measured, so that a lease that ends early still leaves a table.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, WhisperConfig, WhisperForConditionalGeneration

from hf_asr import recipe
from hf_asr.data.clips import load_clips
from hf_asr.models import checkpoints
from hf_asr.models.ctc import ignore_padding
from hf_asr.models.recogniser import Recogniser, frame_counter
from hf_asr.recipe import file as recipe_file
from hf_asr.training.batches import Plan, Steps
from hf_asr.training.loading import RATE, Batch, Loaded, TrainingClips, collate
from hf_asr.training.loss import summed_loss

WHISPER_SMALL = {"d_model": 768, "encoder_layers": 12, "decoder_layers": 12, "encoder_attention_heads": 12}
WHISPER_SMALL |= {"decoder_attention_heads": 12, "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072}
LABELS_A_SECOND = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--only", choices=("micro", "base", "whisper"), help="one network in place of all")
    parser.add_argument("--data", default="embedded:prompts-en", help="clips for the loader: a folder with a table")
    parser.add_argument("--compile", action="store_true", help="torch.compile of wav2vec2-base, too: minutes more")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("gpu_step: no CUDA device here; cpu_step measures a CPU")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {os.cpu_count()} CPU cores")
    print(f"| network | step | variant | audio s / s | of the first | ms a step | peak GiB |\n{'|---' * 7}|")
    if given.only in (None, "micro"):
        micro = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en")
        for seconds in (120, 480, 1920):
            rows("micro", micro, seconds, (1.2, 3.5), given.steps, {"bf16": {}, "float32": {"bf16": False}})
    if given.only in (None, "base"):
        variants: dict[str, dict[str, Any]] = {
            "bf16": {},
            "float32": {"bf16": False},
            "bf16, activation checkpointing": {"checkpointing": True},
        }
        if given.compile:
            variants["bf16, torch.compile"] = {"compiled": True}
        rows("wav2vec2-base", wav2vec2_base(), 240, (4, 12), given.steps, variants)
    if given.only in (None, "whisper"):
        whisper_rows(given.steps)
    loader_rows(given.data, given.steps)


def loader_rows(data: str, steps: int) -> None:
    """What the loader's processes make ready, with the changes of recipes/micro.yaml: the network cannot hear more."""
    settings = recipe_file.load(
        "micro", [f"data.sources=[{{path: '{data}'}}]", "data.splits={validation: 0.05, test: 0.05}", "guards=[]"]
    )
    recogniser = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en")
    train = load_clips(settings.data, settings.text, settings.language).train
    lengths = np.asarray(train["seconds"], float)
    plan = Plan(lengths, np.ones(len(lengths)), batch_seconds=240, parts=1, seed=0)
    clips = TrainingClips(train, recogniser.encode, settings.training.augment, 0, frame_counter(recogniser))
    print("| loader's processes | audio s / s | for each |\n|---|---|---|")
    for workers in (1, 8, 15):
        if workers >= (os.cpu_count() or 1):
            break
        loader = DataLoader(
            clips,
            batch_sampler=Steps(plan, steps * workers, 1, 0, 1),
            collate_fn=collate(recogniser),
            num_workers=workers,
            multiprocessing_context="fork",
        )
        batches, heard = iter(loader), 0.0
        for _ in range(workers):  # each has begun
            next(batches)
        began = time.perf_counter()
        for batch in batches:
            heard += float(batch["attention_mask"].sum()) / RATE
        speed = heard / (time.perf_counter() - began)
        print(f"| {workers} | {speed:,.0f} | {speed / workers:,.0f} |", flush=True)


def wav2vec2_base() -> Recogniser:
    micro = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en")
    network = Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=micro.model.config.vocab_size, layerdrop=0.0))
    ignore_padding(network)
    return replace(micro, model=network)


def whisper_rows(steps: int) -> None:
    network = WhisperForConditionalGeneration(WhisperConfig(**WHISPER_SMALL))
    recogniser = Recogniser("whisper", network, None, list)
    variants: dict[str, dict[str, Any]] = {"bf16, own length": {}, "bf16, padded to 30 s": {"window": 30.0}}
    variants["float32, own length"] = {"bf16": False}
    rows("Whisper small", recogniser, 120, (4, 12), steps, variants)


def rows(
    name: str,
    recogniser: Recogniser,
    seconds: float,
    lengths: tuple[float, float],
    steps: int,
    variants: dict[str, dict[str, Any]],
) -> None:
    first = 0.0
    for variant, settings in variants.items():
        try:
            speed, milliseconds, memory = measured(recogniser, seconds, lengths, steps, **settings)
        except torch.cuda.OutOfMemoryError:
            recogniser.model.zero_grad()
            recogniser.model.activation_checkpointing_disable()
            print(f"| {name} | {seconds:.0f} s | {variant} | out of memory | | | |", flush=True)
            continue
        first = first or speed
        row = f"{speed:,.0f} | {speed / first:.2f} | {milliseconds:.0f} | {memory / 2**30:.1f}"
        print(f"| {name} | {seconds:.0f} s | {variant} | {row} |", flush=True)


def measured(
    recogniser: Recogniser,
    seconds: float,
    lengths: tuple[float, float],
    steps: int,
    bf16: bool = True,
    checkpointing: bool = False,
    compiled: bool = False,
    window: float | None = None,
) -> tuple[float, float, int]:
    """Audio seconds a second, milliseconds a step, and bytes of GPU memory at most."""
    network = recogniser.model.to("cuda").train()
    if checkpointing:
        network.activation_checkpointing_enable()
    called: Any = torch.compile(network) if compiled else network
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=True)
    make = whisper_batches if recogniser.family == "whisper" else ctc_batches
    made = list(islice(make(recogniser, seconds, lengths, window), 4))
    torch.cuda.reset_peak_memory_stats()

    def step(batch: Batch) -> None:
        inputs = {key: value.to("cuda", non_blocking=True) for key, value in batch.items()}
        labels = inputs.pop("labels")
        with torch.autocast("cuda", torch.bfloat16) if bf16 else nullcontext():
            loss = summed_loss(recogniser, called, inputs, labels) / (labels != -100).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    for batch, _ in made:  # lengths that were not met yet are compiled, and memory is taken
        step(batch)
    torch.cuda.synchronize()
    began, heard = time.perf_counter(), 0.0
    for batch, length in islice(cycle(made), steps):
        step(batch)
        heard += length
    torch.cuda.synchronize()
    took, memory = time.perf_counter() - began, torch.cuda.max_memory_allocated()
    if checkpointing:
        network.activation_checkpointing_disable()
    network.to("cpu")
    torch.cuda.empty_cache()
    return heard / took, 1000 * took / steps, memory


def clip_lengths(seconds: float, lengths: tuple[float, float], draw: np.random.Generator) -> np.ndarray:
    """Seconds of the clips of a step: batches are made of clips of about one length."""
    longest = draw.uniform(*lengths)
    return longest * draw.uniform(0.93, 1, max(1, int(seconds / longest)))


def ctc_batches(
    recogniser: Recogniser, seconds: float, lengths: tuple[float, float], _: float | None
) -> Iterator[tuple[Batch, float]]:
    draw, together = np.random.default_rng(0), collate(recogniser)
    while True:
        clips = [
            Loaded(
                str(number),
                draw.normal(size=int(RATE * length)).astype(np.float32),
                draw.integers(5, 30, int(LABELS_A_SECOND * length)).tolist(),
                0.0,
            )
            for number, length in enumerate(clip_lengths(seconds, lengths, draw))
        ]
        batch = together(clips)
        batch.pop("lost")
        yield batch, sum(len(clip.samples) for clip in clips if clip.samples is not None) / RATE


def whisper_batches(
    recogniser: Recogniser, seconds: float, lengths: tuple[float, float], window: float | None
) -> Iterator[tuple[Batch, float]]:
    draw = np.random.default_rng(0)
    while True:
        clips = clip_lengths(seconds, lengths, draw)
        heard = window or round(clips.max() + recogniser.trailing_silence, 1)
        words = torch.from_numpy(draw.integers(0, 50_000, (len(clips), int(3 * clips.max()))))
        features = torch.from_numpy(draw.normal(size=(len(clips), 80, round(100 * heard))).astype(np.float32))
        yield {"input_features": features, "decoder_input_ids": words, "labels": words.clone()}, float(clips.sum())


if __name__ == "__main__":
    main()
