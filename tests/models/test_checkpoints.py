"""What a recipe says about a network is used, or told to be wrong."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import Wav2Vec2FeatureExtractor

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError
from tests import small


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


def test_a_folder_without_a_processor_or_with_half_the_weights_is_told(tmp_path: Path) -> None:
    micro = small.ROOT / "hf_asr" / "checkpoints" / "micro"
    alone, half = tmp_path / "alone", tmp_path / "half"
    alone.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(micro / name, alone / name)
    with pytest.raises(CheckpointError, match="has weights and no processor"):
        checkpoints.from_folder(str(alone), recipe.Whisper(), "en")
    shutil.copytree(micro, half)
    (half / "model.safetensors").write_bytes((micro / "model.safetensors").read_bytes()[:5_000_000])
    with pytest.raises(CheckpointError, match="cut short"):
        checkpoints.from_folder(str(half), recipe.Whisper(), "en")


def test_a_head_without_its_vocabulary_makes_a_new_one(tmp_path: Path) -> None:
    micro = small.ROOT / "hf_asr" / "checkpoints" / "micro"
    for name in ("config.json", "model.safetensors"):
        shutil.copy(micro / name, tmp_path / name)
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(tmp_path)
    found = checkpoints.load(recipe.Model(checkpoint=str(tmp_path)), recipe.Whisper(), "en")
    assert found.processor.tokenizer is None
