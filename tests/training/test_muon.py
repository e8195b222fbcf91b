"""Muon against torch's own, on what both take; which weights it is given; saved and taken up again."""

from math import sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

from hf_asr import run
from hf_asr.training import muon
from tests import small

NAMES = {"attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.out_proj"}
NAMES |= {"feed_forward.intermediate_dense", "feed_forward.output_dense"}


def layer(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(24, 24), (24, 60), (60, 24), (24, 96), (96, 24)])
def test_directions_stay_and_their_sizes_become_about_one(shape: tuple[int, int]) -> None:
    matrix = layer(*shape)
    left, sizes, right = torch.linalg.svd(matrix, full_matrices=False)
    assert sizes.max() / sizes.min() > 2
    inside = left.T @ muon.orthogonal(matrix).float() @ right.T
    assert ((inside.diagonal() > 0.6) & (inside.diagonal() < 1.3)).all()
    assert (inside - inside.diagonal().diag()).abs().max() < 0.05
    assert not muon.orthogonal(torch.zeros(shape)).any()


def test_small_products_come_to_the_same() -> None:
    wide = layer(24, 96) * torch.logspace(0, -3, 96)
    wide /= wide.norm()
    torch.testing.assert_close(muon._iterated_small(wide), muon._iterated(wide), rtol=0, atol=1e-4)


def test_matrices_step_as_torchs_muon_and_the_rest_as_adamw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muon, "computes_in_bf16", lambda device: True)  # torch's own always does
    shapes, rate, decay = [(24, 60), (60, 24)], 1e-2, 0.1
    ours, theirs = ([nn.Parameter(layer(*shape)) for shape in shapes] for _ in range(2))
    bias, other_bias = (nn.Parameter(layer(8)) for _ in range(2))
    given = [{"params": ours, "muon": True}, {"params": [bias], "muon": False}]
    optimiser = muon.Muon(given, lr=rate, betas=(0.9, 0.98), weight_decay=decay)
    ratio = muon.SIZE / 0.2
    reference = torch.optim.Muon(
        theirs, lr=rate * ratio, weight_decay=decay / ratio, momentum=muon.MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    plain = torch.optim.AdamW([other_bias], lr=rate, betas=(0.9, 0.98), weight_decay=decay)
    for step in range(4):
        for number, (mine, other) in enumerate(zip([*ours, bias], [*theirs, other_bias], strict=True)):
            mine.grad = layer(*mine.shape, seed=10 * step + number)
            other.grad = mine.grad.clone()
        for each in (optimiser, reference, plain):
            each.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-4)
        assert (mine - layer(*mine.shape)).abs().max() > 0.01
    torch.testing.assert_close(bias, other_bias)


def test_a_step_has_the_size_told_whatever_the_gradients() -> None:
    weight = nn.Parameter(torch.zeros(32, 16, 5))
    optimiser = muon.Muon([{"params": [weight], "muon": True}], lr=0.1, weight_decay=0.0)
    weight.grad = 1e-6 * layer(*weight.shape)
    optimiser.step()
    flat = weight.detach().flatten(1)  # 32 directions of size 1 in 32 * 80 numbers
    assert flat.square().mean().sqrt() == pytest.approx(0.1 * muon.SIZE * sqrt(80) * sqrt(32 / (32 * 80)), rel=0.2)


def test_which_weights_it_trains() -> None:
    config = Wav2Vec2Config(vocab_size=8, **small.RECIPE["model"]["from_scratch"])
    network = Wav2Vec2ForCTC(config)
    network.wav2vec2.encoder.layers[0].attention.q_proj.weight.requires_grad = False
    chosen = {id(weight) for weight in muon.matrices(network)}
    named = {name.removesuffix(".weight") for name, weight in network.named_parameters() if id(weight) in chosen}
    layers = {f"wav2vec2.encoder.layers.0.{name}" for name in NAMES - {"attention.q_proj"}}
    convolutions = {f"wav2vec2.feature_extractor.conv_layers.{number}.conv" for number in (1, 2)}
    assert named == layers | convolutions | {"wav2vec2.feature_projection.projection"}
    optimiser = muon.muon(network, {"lm_head.weight"}, 1e-3, 0.1)
    trained = [weight for group in optimiser.param_groups for weight in group["params"]]
    assert len(trained) == len({id(w) for w in trained}) == sum(p.requires_grad for p in network.parameters())
    decayed = [weight for group in optimiser.param_groups if group["weight_decay"] for weight in group["params"]]
    assert [id(weight) for weight in decayed] == [id(network.lm_head.weight)]


def test_it_goes_on_from_its_saved_state(tmp_path: Path) -> None:
    def make() -> tuple[nn.Parameter, nn.Parameter, muon.Muon]:
        weight, bias = nn.Parameter(layer(8, 12)), nn.Parameter(layer(8))
        given = [{"params": [weight], "muon": True}, {"params": [bias], "muon": False}]
        return weight, bias, muon.Muon(given, lr=1e-2)

    def step(weight: nn.Parameter, bias: nn.Parameter, optimiser: muon.Muon, seed: int) -> None:
        weight.grad, bias.grad = layer(8, 12, seed=seed), layer(8, seed=seed)
        optimiser.step()

    whole, broken = make(), make()
    for seed in (1, 2):
        step(*whole, seed)
    step(*broken, 1)
    torch.save(broken[2].state_dict(), tmp_path / "optimizer.pt")
    again = make()
    for new, old in zip(again[:2], broken[:2], strict=True):
        new.data.copy_(old.data)
    again[2].load_state_dict(torch.load(tmp_path / "optimizer.pt", weights_only=True))
    step(*again, 2)
    assert torch.equal(again[0], whole[0])
    assert torch.equal(again[1], whole[1])


def test_a_recipe_trains_by_it(tmp_path: Path) -> None:
    settings = {"training__optimizer": "muon", "training__max_steps": 2, "training__evaluate_every": 1}
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", **settings))
    assert done.returncode == 0, done.stderr
    assert "Muon" in (tmp_path / "run" / run.CARD).read_text(encoding="utf-8")
