"""What DeepSpeech2 hears: waveform, short-time Fourier transform, mel filters, logarithm, normalisation.

This file travels with every saved model and imports numpy, torch and transformers only.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import BatchFeature, SequenceFeatureExtractor

FLOOR = 1e-6  # power below it counts as silence: the rounding error of 16 bits lies there


class DeepSpeech2FeatureExtractor(SequenceFeatureExtractor):
    """Clips at 16 kHz to log-mel spectrograms [clips, frames, mel bins] with the mask of their own frames.

    A frame every `hop_length` samples (160: 10 ms) looks at `win_length` samples (400: 25 ms) through a Hann window,
    filled up with zeros to `n_fft`. Nothing is padded at the ends of a clip, so a frame never hears what comes after
    its window; a clip shorter than a window is filled up to one.

    `normalise`: `utterance` takes each mel bin to mean 0 and variance 1 over the clip's own frames; `fixed` scales
    by constants, since a network that streams has not heard the end of the clip.
    """

    model_input_names: ClassVar[list[str]] = ["input_features", "attention_mask"]

    def __init__(
        self,
        feature_size: int = 80,
        sampling_rate: int = 16_000,
        padding_value: float = 0.0,
        win_length: int = 400,
        hop_length: int = 160,
        n_fft: int = 512,
        normalise: str = "utterance",
        **kwargs: Any,
    ) -> None:
        super().__init__(feature_size, sampling_rate, padding_value, **kwargs)
        if normalise not in ("utterance", "fixed"):
            raise ValueError(f"normalise must be utterance or fixed, got {normalise!r}")
        self.win_length, self.hop_length, self.n_fft = win_length, hop_length, n_fft
        self.normalise = normalise

    @property
    def num_mel_bins(self) -> int:
        return int(self.feature_size)

    def frames(self, samples: int) -> int:
        """Frames of a clip of so many samples."""
        return 1 + max(samples - self.win_length, 0) // self.hop_length

    def __call__(
        self,
        raw_speech: np.ndarray | Sequence[np.ndarray] | Sequence[float],
        sampling_rate: int | None = None,
        return_tensors: str | None = None,
        device: str | torch.device = "cpu",
        **_: Any,
    ) -> BatchFeature:
        """One clip or many, float32 in -1 to 1, to padded `input_features` and `attention_mask`.

        Raises ValueError for another sampling rate, since nothing is resampled here.
        """
        if sampling_rate not in (None, self.sampling_rate):
            raise ValueError(f"needs audio at {self.sampling_rate} Hz, got {sampling_rate} Hz: resample it first")
        one = isinstance(raw_speech, np.ndarray | Tensor) and np.ndim(raw_speech) == 1
        clips = [raw_speech] if one or np.ndim(raw_speech[0]) == 0 else list(raw_speech)
        waves = [torch.as_tensor(np.asarray(clip, np.float32)) for clip in clips]
        counts = torch.tensor([self.frames(len(wave)) for wave in waves])
        longest = (int(counts.max()) - 1) * self.hop_length + self.win_length
        batch = torch.zeros(len(waves), longest)
        for row, wave in zip(batch, waves, strict=True):
            heard = wave[:longest]  # the last samples may not fill another frame
            row[: len(heard)] = heard
        features = self.spectrogram(batch.to(device))
        mask = torch.arange(features.shape[1], device=device) < counts.to(device)[:, None]
        features = self._normalised(features, mask[..., None])
        return BatchFeature(
            {"input_features": features, "attention_mask": mask.long()},
            tensor_type=None if return_tensors in (None, "pt") else return_tensors,
        )

    def spectrogram(self, waves: Tensor) -> Tensor:
        """Waveforms [clips, samples] to the natural logarithm of mel power [clips, frames, bins]."""
        window = torch.hann_window(self.win_length, device=waves.device)
        spectrum = torch.fft.rfft(waves.unfold(-1, self.win_length, self.hop_length) * window, self.n_fft)
        filters = mel_filters(self.feature_size, self.n_fft, self.sampling_rate).to(waves.device)
        power: Tensor = spectrum.abs().square() @ filters
        return (power + FLOOR).log()

    def _normalised(self, features: Tensor, mask: Tensor) -> Tensor:
        if self.normalise == "fixed":
            return (features + 5) / 5 * mask  # about mean 0 and variance 1 over speech at usual levels
        own = mask.float()
        count = own.sum(1, keepdim=True)
        centred = (features - (features * own).sum(1, keepdim=True) / count) * own
        deviation = (centred.square().sum(1, keepdim=True) / count).sqrt()
        return centred / (deviation + 1e-5)


def mel_filters(bins: int, n_fft: int, rate: int) -> Tensor:
    """Triangles of equal width on the mel scale (Stevens, Volkmann and Newman 1937; O'Shaughnessy's formula).

    Returns [frequencies, bins]; each triangle peaks at 1 and ends at the peaks of its neighbours.
    """
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = torch.tensor(700 * (10 ** (np.linspace(0, top, bins + 2) / 2595) - 1), dtype=torch.float64)
    frequencies = torch.linspace(0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0).float()
