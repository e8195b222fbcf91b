"""What the loader's workers do: a clip decoded, changed and encoded, and clips made into the tensors of a batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor

from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.data.augment import augment, spec_augment
from hf_asr.data.check import frames_needed
from hf_asr.data.noise import Samples, sounds
from hf_asr.models.recogniser import MEL_HOP, Recogniser, frame_counter
from hf_asr.recipe.augment import Augment, SpecAugment
from hf_asr.training.batches import Pick

# A CPU compiles a program for every length it has not met: waveforms padded to full 0.3 s trained 12 % faster
# (micro, 24 s a step), and what padding adds is masked
GRID = 4_800  # samples
WAVEFORM, MASKS, STREAMS = 1, 2, 2  # streams of random numbers of a clip in an epoch; 0 would be the Plan's


@dataclass(frozen=True)
class Loaded:
    """A clip in memory."""

    id: str
    samples: np.ndarray | None  # None when it could not be read after all
    labels: list[int]
    window: float
    seed: tuple[int, ...] = ()  # of its masks


class TrainingClips(torch.utils.data.Dataset[Loaded]):
    """The training table as the loader's workers read it: audio decoded when asked for, never kept."""

    def __init__(
        self,
        clips: Dataset,
        encode: Callable[[str], list[int]],
        settings: Augment | None = None,
        seed: int = 0,
        frames: Callable[[int], int] | None = None,  # of CTC: samples to logit frames
    ) -> None:
        self.clips, self.encode, self.seed, self.frames = clips, encode, seed, frames
        self.settings, self.sounds = settings, sounds(settings) if settings else None

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, pick: Pick) -> Loaded:
        row = self.clips[pick.index]
        labels, masks = self.encode(row["text"]), self._stream(pick, MASKS)
        try:
            samples = decode(row["audio"])
        except AudioError:
            return Loaded(row["id"], None, labels, pick.window, masks)
        if self.settings:
            draw = np.random.default_rng(self._stream(pick, WAVEFORM))
            others, fits = partial(self._another, pick.index), self._fits(labels, pick.window)
            samples = augment(samples, self.settings, draw, others, self.sounds, fits)
        return Loaded(row["id"], samples, labels, pick.window, masks)

    def _stream(self, pick: Pick, number: int) -> tuple[int, ...]:
        """What is drawn for a clip follows from this alone: not from workers, processes, order or an interruption."""
        return self.seed, pick.epoch, pick.index, number + STREAMS * pick.turn

    def _another(self, index: int, draw: np.random.Generator) -> Samples:
        """A drawn clip that is not this one; silence where there is none, or it cannot be read."""
        if len(self.clips) > 1:
            other = int(draw.integers(len(self.clips) - 1))
            try:
                return decode(self.clips[other + (other >= index)]["audio"])
            except AudioError:
                pass
        return np.zeros(0, np.float32)

    def _fits(self, labels: list[int], window: float) -> Callable[[int], bool]:
        """Whether so many samples can be trained on: frames for a CTC alignment, all of the clip in Whisper's window.

        data.check asked this of the clip as it is stored; another speed asks anew.
        """
        count = self.frames
        if count is None:
            return lambda length: length <= window * RATE
        needed = frames_needed(labels)
        return lambda length: count(length) >= needed


Batch = dict[str, Any]  # tensors for the network, `labels` [batch, longest] padded by -100, and the lost ids


def collate(recogniser: Recogniser, masks: SpecAugment | None = None) -> Callable[[Sequence[Loaded]], Batch]:
    """Clips to padded tensors; features are computed here, in the loader's workers, and never stored.

    `masks` are put over mel features here; waveforms are masked inside the network (training.masks).
    """
    extract, prefix = recogniser.processor.feature_extractor, list(recogniser.prefix)
    frames = frame_counter(recogniser)
    grid = {"pad_to_multiple_of": GRID} if extract.model_input_names[0] == "input_values" else {}
    end = int(getattr(recogniser.processor.tokenizer, "eos_token_id", None) or 0)  # Whisper's alone is used

    def ctc(clips: Sequence[Loaded], samples: list[np.ndarray]) -> Batch:
        batch = extract(
            samples, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt", **grid
        )
        counts = [frames(len(one)) for one in samples] if frames else []
        if masks and "input_features" in batch:
            for clip, features, heard in zip(clips, batch["input_features"], batch["attention_mask"], strict=True):
                # a frame of w2v-bert is two mel frames side by side
                mel = features[: heard.sum()].numpy().reshape(-1, extract.num_mel_bins)
                spec_augment(mel, masks, np.random.default_rng(clip.seed))
        return {**batch, "labels": _padded([clip.labels for clip in clips], -100), "frames": torch.tensor(counts)}

    def whisper(clips: Sequence[Loaded], samples: list[np.ndarray]) -> Batch:
        window = clips[0].window
        features = extract(
            samples, sampling_rate=RATE, padding="max_length", max_length=round(window * RATE), return_tensors="pt"
        )["input_features"]
        if masks:
            for clip, one, mel in zip(clips, samples, features, strict=True):
                own = mel[:, : -(-len(one) // MEL_HOP)].numpy().T
                spec_augment(own, masks, np.random.default_rng(clip.seed))
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
