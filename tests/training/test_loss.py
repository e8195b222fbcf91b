"""The gradient of a step is that of its clips, however they are grouped, padded or shared out."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCTC, Wav2Vec2FeatureExtractor

from hf_asr.models.ctc import OwnLengthGroupNorm, ignore_padding
from hf_asr.models.recogniser import Recogniser
from hf_asr.training.loading import Loaded, collate
from hf_asr.training.loss import summed_loss


class Processor:
    feature_extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True)
    tokenizer = None


def small(kind: str, norm: str) -> Recogniser:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16, 16, 16),
        conv_kernel=(10, 8, 4),
        conv_stride=(5, 8, 4),
        num_feat_extract_layers=3,
        feat_extract_norm=norm,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        vocab_size=12,
        pad_token_id=0,
        layerdrop=0.0,
        **dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0),
        final_dropout=0.0,
        mask_time_prob=0.0,
        apply_spec_augment=False,
    )
    model = AutoModelForCTC.from_config(config)
    ignore_padding(model)
    return Recogniser("ctc", model, Processor(), encode=lambda text: [])


def clips() -> list[Loaded]:
    # an odd number of samples of the largest amplitude, so that any leak of padding shows
    draw = np.random.default_rng(3)
    lengths = (16_001, 5_003, 9_007, 31_013)
    return [
        Loaded(str(n), draw.normal(size=n).astype(np.float32), draw.integers(1, 12, 5).tolist(), 0.0) for n in lengths
    ]


def gradient(recogniser: Recogniser, groups: Sequence[Sequence[Loaded]]) -> torch.Tensor:
    recogniser.model.train()
    recogniser.model.zero_grad()
    labels = sum(len(clip.labels) for group in groups for clip in group)
    for group in groups:
        batch = collate(recogniser)(group)
        batch.pop("lost")
        (summed_loss(recogniser, recogniser.model, batch, batch.pop("labels")) / labels).backward()
    return torch.cat([p.grad.flatten() for p in recogniser.model.parameters() if p.grad is not None])


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert"])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_gradient_of_any_grouping(kind: str, norm: str) -> None:
    recogniser, (a, b, c, d) = small(kind, norm), clips()
    alone = gradient(recogniser, [[a], [b], [c], [d]])
    assert alone.norm() > 0
    for groups in ([[a, b, c, d]], [[a, d], [c, b]]):
        assert (gradient(recogniser, groups) - alone).norm() / alone.norm() < 1e-4


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_own_length_norm_clip_by_clip_and_by_masks(kind: torch.dtype) -> None:
    torch.manual_seed(4)
    hidden = (3 + torch.randn(3, 6, 50)).to(kind)
    lengths, found = torch.tensor([50, 31, 7]), []
    upstream = torch.randn(3, 6, 50) * (torch.arange(50) < lengths[:, None])[:, None]
    for way in (OwnLengthGroupNorm._each, OwnLengthGroupNorm._together):
        norm, given = OwnLengthGroupNorm(6, 6), hidden.float().requires_grad_()
        torch.nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(5))
        norm.lengths = lengths
        out = way(norm, given)
        (out * upstream).sum().backward()
        found.append([out * (upstream != 0), given.grad, norm.weight.grad, norm.bias.grad])
        # the forward pass of a CPU is the first of the two, in the type that came
        assert norm(hidden).dtype == kind
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    alone = torch.nn.functional.group_norm(hidden[1:2, :, :31].float(), 6, norm.weight)
    torch.testing.assert_close(found[1][0][1:2, :, :31], alone, atol=1e-5, rtol=1e-4)


def test_padding_matters_without_the_own_length_norm() -> None:
    # guards the test above: transformers' own group norm does leak
    recogniser, (a, _, _, d) = small("wav2vec2", "group"), clips()
    convolution = recogniser.model.wav2vec2.feature_extractor.conv_layers[0]
    own = convolution.layer_norm
    convolution.layer_norm = torch.nn.GroupNorm(own.num_groups, own.num_channels)
    convolution.layer_norm.load_state_dict(own.state_dict())
    alone = gradient(recogniser, [[a], [d]])
    assert (gradient(recogniser, [[a, d]]) - alone).norm() / alone.norm() > 1e-3


def test_a_clip_that_cannot_be_read_changes_nothing() -> None:
    recogniser, (a, b, *_) = small("wav2vec2", "layer"), clips()
    lost = Loaded("lost", None, [1, 2, 3], 0.0)
    batch = collate(recogniser)([a, lost, b])
    assert batch["lost"] == ["lost"]
    assert (batch["labels"][1] == -100).all()
    batch.pop("lost")
    with_lost = summed_loss(recogniser, recogniser.model, batch, batch.pop("labels"))
    batch = collate(recogniser)([a, b])
    batch.pop("lost")
    without = summed_loss(recogniser, recogniser.model, batch, batch.pop("labels"))
    assert with_lost.item() == pytest.approx(without.item(), rel=1e-4)
