"""Which layers LoRA is put around."""

import pytest

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError, Recogniser
from hf_asr.training.lora import adapted, require_targets
from tests import small

LORA = recipe.Lora(rank=2, targets=("q_proj", "v_proj"))


def two_layers() -> Recogniser:
    shape = {**small.RECIPE["model"]["from_scratch"], "num_hidden_layers": 2, "vocab_size": 5}
    return checkpoints.load(recipe.Model(from_scratch=shape), recipe.Whisper(), "en")


def trained(recogniser: Recogniser) -> set[str]:
    named = adapted(recogniser, LORA).named_parameters()
    return {
        name.partition("layers.")[2].partition(".lora")[0] for name, p in named if p.requires_grad and "lora" in name
    }


def test_frozen_layers_get_none() -> None:
    layers = {f"{number}.attention.{name}" for number in (0, 1) for name in LORA.targets}
    assert trained(two_layers()) == layers
    recogniser = two_layers()
    recogniser.model.wav2vec2.encoder.layers[0].requires_grad_(False)
    assert trained(recogniser) == {name for name in layers if name.startswith("1.")}


def test_nothing_to_put_it_around_is_told() -> None:
    recogniser = two_layers()
    recogniser.model.requires_grad_(False)
    with pytest.raises(CheckpointError, match="freeze leaves none"):
        require_targets(recogniser, LORA)
