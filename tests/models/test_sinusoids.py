"""A first convolution that begins as a spectrum: tones come out at their band, whatever their phase."""

import numpy as np
import pytest
import torch

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.sinusoids import CONSTANT, PHASES

SHAPE = {
    "model_type": "wav2vec2",
    "conv_dim": [126, 32],
    "conv_kernel": [400, 3],
    "conv_stride": [160, 3],
    "num_feat_extract_layers": 2,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
BANDS = (126 - CONSTANT) // PHASES


def layers(**changed: object) -> torch.nn.ModuleList:
    found = checkpoints.load(recipe.Model(from_scratch={**SHAPE, **changed}), recipe.Whisper(), "en")
    convolutions: torch.nn.ModuleList = found.model.wav2vec2.feature_extractor.conv_layers
    return convolutions


def amplitudes(hertz: float, phase: float) -> np.ndarray:
    """[bands], of the middle of a second of a tone, rectified and summed over phases."""
    tone = torch.sin(2 * torch.pi * hertz * torch.arange(16_000) / 16_000 + phase)
    heard = layers()[0].conv(tone[None, None])[0, : BANDS * PHASES, 50].relu()
    return np.asarray(heard.detach().view(BANDS, PHASES).sum(1))


@pytest.mark.parametrize("hertz", [300, 1000, 3500])
def test_a_tone_is_loudest_in_its_band_in_every_phase(hertz: float) -> None:
    mel = 2595 * np.log10(1 + np.array([60, 7600]) / 700)
    centres = 700 * (10 ** (np.linspace(*mel, BANDS) / 2595) - 1)
    heard = [amplitudes(hertz, phase) for phase in (0, 0.4, 0.8, 1.2)]
    for each in heard:
        assert abs(int(each.argmax()) - int(np.abs(centres - hertz).argmin())) <= 1
    loudest = [each.max() for each in heard]
    assert max(loudest) / min(loudest) < 1.2


def test_phases_enter_the_second_convolution_alike_and_constants_stay() -> None:
    first, second = (layer.conv for layer in layers())
    weights = second.weight[:, : BANDS * PHASES].view(32, BANDS, PHASES, 3)
    assert torch.equal(weights[:, :, 0], weights[:, :, 1])
    assert torch.equal(weights[:, :, 0], weights[:, :, 2])
    assert torch.equal(first(torch.randn(1, 1, 800))[0, -CONSTANT:], torch.full((CONSTANT, 3), 2.0))


def test_short_kernels_and_group_norm() -> None:
    short = layers(conv_kernel=[20, 3], conv_stride=[10, 3])[0].conv.weight
    assert short.std().item() == pytest.approx(np.sqrt(2 / 20), rel=0.1)  # transformers' own random weights
    group = layers(feat_extract_norm="group")[0].conv
    assert not group.bias.any()
    assert group.weight[-CONSTANT:].any()
