"""A step's clips follow from seed and epoch alone; devices and parts only share them out."""

from collections import Counter

import numpy as np
import pytest

from hf_asr.training.batches import Pick, Plan, Steps

SECONDS = np.random.default_rng(1).lognormal(1.0, 0.6, 300).clip(0.4, 29)


def plan(parts: int = 1, **settings: object) -> Plan:
    given: dict[str, object] = {"weights": np.ones(len(SECONDS)), "batch_seconds": 60.0, "seed": 7}
    return Plan(seconds=SECONDS, parts=parts, **{**given, **settings})  # type: ignore[arg-type]


def clips_of(steps: list[list[Pick]]) -> list[int]:
    return [pick.index for step in steps for pick in step]


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_clip_once_an_epoch(epoch: int) -> None:
    assert sorted(clips_of(plan().epoch(epoch))) == list(range(len(SECONDS)))


def test_epochs_differ_and_repeat() -> None:
    assert plan().epoch(0) == plan().epoch(0)
    assert plan().epoch(0) != plan().epoch(1)


def test_no_step_costs_more_than_its_seconds_with_padding() -> None:
    for step in plan().epoch(3):
        assert max(SECONDS[pick.index] for pick in step) * len(step) <= 60 or len(step) == 1


def test_little_padding() -> None:
    # the same clips in random batches of the same size waste most of the audio they pad
    steps = plan().epoch(0)
    padded = sum(max(SECONDS[p.index] for p in step) * len(step) for step in steps)
    assert SECONDS.sum() / padded > 0.85


def test_weights_repeat_and_thin() -> None:
    weights = np.where(np.arange(len(SECONDS)) < 150, 2.0, 0.25)
    seen = Counter(clips_of([step for epoch in range(8) for step in plan(weights=weights).epoch(epoch)]))
    assert all(seen[i] == 16 for i in range(150))
    assert 150 * 8 * 0.25 * 0.85 < sum(seen[i] for i in range(150, 300)) < 150 * 8 * 0.25 * 1.15


@pytest.mark.parametrize(("processes", "accumulation"), [(1, 2), (2, 1), (2, 3)])
def test_parts_share_out_the_same_steps(processes: int, accumulation: int) -> None:
    parts = processes * accumulation
    settings = plan(parts)
    loaders = [list(Steps(settings, 40, accumulation, rank, processes)) for rank in range(processes)]
    assert all(len(batches) == 40 * accumulation for batches in loaders)
    assert all(batch for batches in loaders for batch in batches)
    whole = [*settings.epoch(0), *settings.epoch(1), *settings.epoch(2)][:40]
    for number, step in enumerate(whole):
        turns = range(number * accumulation, (number + 1) * accumulation)
        shared = [pick for batches in loaders for turn in turns for pick in batches[turn]]
        assert sorted(shared, key=lambda p: p.index) == sorted(step, key=lambda p: p.index)
        assert len({pick.window for pick in shared}) == 1


def test_whisper_mixes_windows() -> None:
    settings = plan(trailing_silence=1.0, full_context_share=0.25, batch_seconds=120.0)
    steps = [step for epoch in range(20) for step in settings.epoch(epoch)]
    full = [step for step in steps if step[0].window == 30.0 and max(SECONDS[p.index] for p in step) < 28]
    assert 0.2 < len(full) / len(steps) < 0.3
    assert all(len(step) * 30 <= 120 for step in full)
    for step in steps:
        assert step[0].window >= min(30, max(SECONDS[p.index] for p in step))
    assert sorted(clips_of(settings.epoch(3))) == list(range(len(SECONDS)))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_whisper_in_one_window_only(share: float) -> None:
    settings = plan(trailing_silence=1.0, full_context_share=share)
    windows = {step[0].window for step in settings.epoch(0) if max(SECONDS[p.index] for p in step) < 28}
    assert (windows == {30.0}) == (share == 1.0)
    assert sorted(clips_of(settings.epoch(0))) == list(range(len(SECONDS)))
