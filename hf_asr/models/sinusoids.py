"""Random weights that begin as a spectrum: the first convolution of a wav2vec2 as windowed sinusoids."""

from math import pi, sqrt
from typing import Any

import torch
from torch import Tensor, nn

LONG_ENOUGH = 160  # samples of 16 kHz: a kernel of 10 ms and more holds a period of every formant
LOWEST, HIGHEST = 60.0, 7600.0  # Hz
PHASES = 3  # whatever the phase of the speech, rectified they sum to about its amplitude
CONSTANT = 6  # channels that say 2 always: by them loudness outlives a layer norm over channels


def begin_as_spectrum(network: Any) -> None:
    """Set the first two convolutions of a wav2vec2 from random weights whose first kernel is long enough.

    Kernels of the first become sinusoids under a Hann window, on the mel scale and in three phases each; the second
    begins with equal weights for the phases of a band, so that it sees amplitudes. Training goes on from there.
    Others (stock wav2vec2 begins with kernels of 10 samples) are left alone.
    """
    layers = getattr(getattr(network, "wav2vec2", None), "feature_extractor", None)
    layers = getattr(layers, "conv_layers", [])
    if len(layers) > 1 and layers[0].conv.kernel_size[0] >= LONG_ENOUGH:
        _set(layers[0].conv, layers[1].conv, constant=CONSTANT if network.config.feat_extract_norm == "layer" else 0)


@torch.no_grad()
def _set(first: nn.Conv1d, second: nn.Conv1d, constant: int) -> None:
    width = first.kernel_size[0]
    bands = (first.out_channels - constant) // PHASES
    time = (torch.arange(width) - (width - 1) / 2) / 16_000
    phases = torch.arange(PHASES) * 2 * pi / PHASES
    kernels = torch.cos(2 * pi * _mel_scale(bands)[:, None, None] * time + phases[:, None])
    kernels = kernels * torch.hann_window(width, periodic=False)
    first.weight[: bands * PHASES, 0] = (kernels / kernels.norm(dim=-1, keepdim=True)).flatten(0, 1)
    if first.bias is not None:
        first.bias.zero_()
        if constant:
            first.weight[-constant:] = 0
            first.bias[-constant:] = 2
    each = torch.randn(second.out_channels, bands, second.kernel_size[0])
    each *= sqrt(2 / (bands * PHASES * second.kernel_size[0]))
    second.weight[:, : bands * PHASES] = each.repeat_interleave(PHASES, dim=1)


def _mel_scale(bands: int) -> Tensor:
    """Centre frequencies in Hz, equally far apart in mel (O'Shaughnessy)."""
    low, high = (2595 * torch.tensor(1 + hertz / 700).log10() for hertz in (LOWEST, HIGHEST))
    return 700 * (10 ** (torch.linspace(float(low), float(high), bands) / 2595) - 1)
