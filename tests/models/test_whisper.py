"""A window of the clip's own length is the network's own arithmetic, only shorter."""

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from hf_asr.models.whisper import FULL_SECONDS, context, own_window


@pytest.fixture
def model() -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=64,
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        num_mel_bins=80,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
    )
    return WhisperForConditionalGeneration(config).eval()


@pytest.mark.parametrize(
    ("seconds", "silence", "window"),
    [(0.2, 1.0, 2.0), (3.0, 1.0, 4.0), (3.1, 1.0, 5.0), (3.0, 0.0, 3.0), (29.5, 1.0, 30.0), (30.0, 1.0, 30.0)],
)
def test_own_window(seconds: float, silence: float, window: float) -> None:
    assert own_window(seconds, silence) == window


@torch.no_grad()
def test_encoder_equals_a_model_made_for_the_window(model: WhisperForConditionalGeneration) -> None:
    mel = torch.randn(2, 80, 400)
    short = WhisperForConditionalGeneration(WhisperConfig(**{**model.config.to_dict(), "max_source_positions": 200}))
    weights = model.state_dict()
    weights["model.encoder.embed_positions.weight"] = weights["model.encoder.embed_positions.weight"][:200]
    short.load_state_dict(weights)
    expected = short.eval().get_encoder()(mel).last_hidden_state
    with context(model, 4.0):
        assert torch.equal(model.get_encoder()(mel).last_hidden_state, expected)


@torch.no_grad()
def test_nothing_remains_after_the_block(model: WhisperForConditionalGeneration) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(RuntimeError, match="inside"), context(model, 2.0):
        raise RuntimeError("inside")
    assert model.config.max_source_positions == 1500
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(ValueError, match="3000"):
        model.get_encoder()(torch.randn(1, 80, 400))


@torch.no_grad()
def test_full_window_is_the_plain_model(model: WhisperForConditionalGeneration) -> None:
    mel = torch.randn(1, 80, 3000)
    plain = model.get_encoder()(mel).last_hidden_state
    with context(model, FULL_SECONDS):
        assert torch.equal(model.get_encoder()(mel).last_hidden_state, plain)


def test_gradient_reaches_the_encoder_and_leaves_positions_alone(model: WhisperForConditionalGeneration) -> None:
    with context(model, 2.0):
        logits = model(input_features=torch.randn(1, 80, 200), decoder_input_ids=torch.tensor([[3, 5]])).logits
    logits.sum().backward()
    assert model.get_encoder().conv1.weight.grad is not None
    assert model.get_encoder().embed_positions.weight.grad is None
