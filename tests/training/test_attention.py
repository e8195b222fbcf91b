"""Attention while training: quick where it pays, the same numbers, and given back."""

import pytest
import torch

from hf_asr import recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Family
from hf_asr.training.attention import quick_attention
from hf_asr.training.precision import precision


def test_plain_products_while_training_in_bfloat16_on_a_cpu() -> None:
    network = checkpoints.load(recipe.Model(checkpoint="embedded:micro"), recipe.Whisper(), "en").model.eval()
    sound, heard = torch.randn(2, 8_000), torch.ones(2, 8_000, dtype=torch.long)
    heard[1, 5_000:] = 0

    def logits() -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = network(sound, attention_mask=heard).logits
        return found

    before = logits()
    for settings in ({"bf16": False, "longest": 3.0}, {"bf16": True, "longest": 12.5}):
        with quick_attention(network, **settings):
            assert network.config._attn_implementation == "sdpa"
    with pytest.raises(KeyboardInterrupt), quick_attention(network, bf16=True, longest=3.0):
        assert network.config._attn_implementation == "eager"
        torch.testing.assert_close(logits(), before, atol=1e-4, rtol=1e-4)
        raise KeyboardInterrupt
    assert network.config._attn_implementation == "sdpa"
    assert torch.equal(logits(), before)
    assert "attn_implementation" not in network.config.to_json_string()


def test_attention_that_was_asked_for_stays() -> None:
    model = recipe.Model(checkpoint="embedded:micro", config={"attn_implementation": "eager"})
    network = checkpoints.load(model, recipe.Whisper(), "en").model
    with quick_attention(network, bf16=True, longest=3.0):
        assert network.config._attn_implementation == "eager"
    assert network.config._attn_implementation == "eager"


@pytest.mark.parametrize(
    ("family", "can", "wanted"),
    [
        ("ctc", {"avx512_bf16": True}, "bf16"),
        ("ctc", {"amx_bf16": True}, "bf16"),
        ("ctc", {"avx2": True}, "float32"),
        ("whisper", {"avx512_bf16": True}, "float32"),
    ],
)
def test_precision_of_a_cpu(family: Family, can: dict[str, bool], wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    assert precision(recipe.Training(max_steps=1), family) == wanted
    assert precision(recipe.Training(max_steps=1, precision="fp16"), family) == "fp16"
