"""What is frozen stays, costs no backward pass, and changes nothing for the rest."""

import pytest
import torch

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError, Recogniser, freeze


def micro() -> Recogniser:
    recogniser = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en")
    recogniser.model.config.apply_spec_augment = False  # masks at random, once in six of these short clips
    recogniser.model.train()
    return recogniser


def gradients(recogniser: Recogniser) -> dict[str, torch.Tensor]:
    sound = torch.randn(2, 8_000, generator=torch.Generator().manual_seed(0))
    recogniser.model(sound).logits.square().sum().backward()
    return {name: p.grad for name, p in recogniser.model.named_parameters() if p.grad is not None}


def test_a_frozen_front_end_is_no_part_of_the_backward_pass() -> None:
    whole, frozen = micro(), micro()
    freeze(frozen, ("feature_encoder",))
    front = frozen.model.wav2vec2.feature_extractor
    assert whole.model.wav2vec2.feature_extractor(torch.randn(1, 8_000)).requires_grad
    assert not front(torch.randn(1, 8_000)).requires_grad
    expected, found = gradients(whole), gradients(frozen)
    assert expected.keys() - found.keys() == {
        f"wav2vec2.feature_extractor.{name}" for name, _ in front.named_parameters()
    }
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name])


def test_all_but_norms_leaves_norms_to_train_wherever_they_are() -> None:
    recogniser = micro()
    freeze(recogniser, ("all_but_norms",))
    found = gradients(recogniser)
    assert found and all("norm" in name for name in found)
    assert any("feature_extractor" in name for name in found)


def test_a_part_that_is_not_there_is_told() -> None:
    with pytest.raises(CheckpointError, match="has no decoder"):
        freeze(micro(), ("decoder",))
