"""What a recipe says about a network is used, or told to be wrong."""

from typing import Any

import pytest

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError


def load(**model: Any) -> Any:
    return checkpoints.load(recipe.Model(**model), recipe.Whisper(), "en", skeleton=True).model.config


def test_settings_reach_the_network() -> None:
    assert load(checkpoint="embedded:micro", config={"mask_time_prob": 0.3}).mask_time_prob == 0.3
    assert load(from_scratch={"model_type": "wav2vec2", "num_hidden_layers": 2}).num_hidden_layers == 2
    assert load(from_scratch={"model_type": "deepspeech2", "size": "base"}).hidden_size == 656


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            {"checkpoint": "embedded:micro", "config": {"mask_time_probability": 0.3}},
            r"wav2vec2 has no setting 'mask_time_probability' \(did you mean `mask_time_prob`\?\)",
        ),
        ({"from_scratch": {"model_type": "wav2vec2", "num_layers": 2}}, "wav2vec2 has no setting 'num_layers'"),
        ({"from_scratch": {"model_type": "deepspeech2", "sise": "base"}}, r"'sise' \(did you mean `size`"),
        ({"from_scratch": {"model_type": "deepspeech2", "size": "bass"}}, "size must be one of small, base, large"),
    ],
)
def test_settings_that_would_change_nothing_are_told(model: dict[str, Any], told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        load(**model)
