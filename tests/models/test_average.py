"""Weights between two folders: against arithmetic of its own, bit by bit at the ends, and what does not fit."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig, pipeline

from hf_asr import recipe
from hf_asr.data.audio import decode
from hf_asr.models import checkpoints
from hf_asr.models.average import average, require_alike
from hf_asr.models.head import with_head, written_for
from hf_asr.models.recogniser import CheckpointError
from tests import small

SHAPE = small.RECIPE["model"]["from_scratch"]


def made(folder: Path, seed: int, letters: str = "a b c", beams: int = 1, **shape: object) -> Path:
    torch.manual_seed(seed)
    found = checkpoints.load(recipe.Model(from_scratch={**SHAPE, **shape}), recipe.Whisper(), "en")
    found = with_head(found, written_for(found, [letters], recipe.Units()))
    checkpoints.save(found, folder, beams)
    return folder


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("average") / "a", 0)


@pytest.fixture(scope="module")
def b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("average") / "b", 1)


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    def bits(tensor: torch.Tensor) -> bytes:
        return tensor.contiguous().view(torch.uint8).numpy().tobytes()

    alike = one.keys() == other.keys() and all(one[name].dtype == other[name].dtype for name in one)
    return alike and all(bits(one[name]) == bits(other[name]) for name in one)


def rewrite(folder: Path, new: Path, change: dict[str, torch.Tensor | None] | None = None, **settings: object) -> Path:
    """A copy with other tensors (None: without it) and other lines of config.json."""
    shutil.copytree(folder, new)
    given = {**tensors(folder), **(change or {})}
    save_file({n: t for n, t in given.items() if t is not None}, new / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((new / "config.json").read_text())
    (new / "config.json").write_text(json.dumps({**config, **settings}))
    return new


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.5, 0.7])
def test_between_is_the_weighted_mean(a: Path, b: Path, tmp_path: Path, weight: float) -> None:
    average(str(a), str(b), weight, tmp_path / "out")
    first, second, found = tensors(a), tensors(b), tensors(tmp_path / "out")
    assert found.keys() == second.keys()
    for name, tensor in found.items():
        expected = (1 - weight) * first[name].double().numpy() + weight * second[name].double().numpy()
        np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-6, atol=1e-7)
    assert any(not torch.equal(found[name], second[name]) for name in found)


def test_the_ends_are_the_two_bit_by_bit(a: Path, b: Path, tmp_path: Path) -> None:
    strange = {"lm_head.bias": torch.tensor([float("nan"), -0.0, 1e-45, float("inf")] + [0.0] * 4)[: len_of_head(a)]}
    odd = rewrite(a, tmp_path / "odd", strange)
    for weight, folder in ((0.0, odd), (1.0, b), (0, odd), (1, b)):
        out = tmp_path / f"out{weight}"
        average(str(odd), str(b), weight, out)
        assert same_bits(tensors(out), tensors(folder)), weight
    average(str(b), str(b), 0.3, tmp_path / "itself")
    assert same_bits(tensors(tmp_path / "itself"), tensors(b))


def len_of_head(folder: Path) -> int:
    return len(tensors(folder)["lm_head.bias"])


def test_it_is_a_folder_like_b(a: Path, b: Path, tmp_path: Path) -> None:
    b = shutil.copytree(b, tmp_path / "b")
    (b / "README.md").write_text("of B")
    (b / "pytorch_model.bin").write_bytes(b"never copied")
    average(str(a), str(b), 0.5, tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    left = {"README.md", "pytorch_model.bin", "model.safetensors", "config.json"}
    files = {file.name: file.read_bytes() for file in b.iterdir() if file.name not in left}
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.name not in left} == files
    assert {file.name for file in out.iterdir()} == {*files, "model.safetensors", "config.json"}
    assert [file.name for file in out.parent.iterdir()] == ["out"]
    clip = decode({"path": str(sorted((small.ROOT / "hf_asr/assets/prompts-en/clips").iterdir())[0]), "bytes": None})
    ours = checkpoints.from_folder(str(out), recipe.Whisper(), "en")
    plain = pipeline("automatic-speech-recognition", model=str(out))
    assert isinstance(plain(clip)["text"], str)
    assert all(torch.equal(t, tensors(out)[n]) for n, t in ours.model.state_dict().items() if n in tensors(out))


@pytest.mark.parametrize(
    ("first", "second", "wide"),
    [
        (torch.float16, torch.float32, "float32"),
        (torch.float32, torch.float16, "float32"),
        (torch.float16, torch.bfloat16, "float32"),
        (torch.bfloat16, torch.bfloat16, "bfloat16"),
    ],
)
def test_number_formats(a: Path, b: Path, tmp_path: Path, first: torch.dtype, second: torch.dtype, wide: str) -> None:
    pair = []
    for folder, kind in ((a, first), (b, second)):
        cast = {name: tensor.to(kind) for name, tensor in tensors(folder).items()}
        name = f"{folder.name}-{str(kind).removeprefix('torch.')}"
        pair.append(
            rewrite(folder, tmp_path / name, cast, dtype=str(kind).removeprefix("torch."), torch_dtype="float16")
        )
    for weight in (0.0, 0.25, 1.0):
        out = tmp_path / f"out{weight}"
        average(str(pair[0]), str(pair[1]), weight, out)
        config = json.loads((out / "config.json").read_text())
        assert config["dtype"] == wide and "torch_dtype" not in config
        found = tensors(out)
        kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in found.values()}
        if weight == 0.25:
            assert kinds == {wide}
            one, other = tensors(pair[0])["lm_head.weight"], tensors(pair[1])["lm_head.weight"]
            expected = 0.75 * one.double() + 0.25 * other.double()
            torch.testing.assert_close(found["lm_head.weight"].double(), expected, rtol=1e-2, atol=1e-3)
        else:
            assert same_bits(found, tensors(pair[int(weight)]))


def test_arithmetic_is_in_float32(a: Path, tmp_path: Path) -> None:
    # 2048 and 2078, whose neighbours in float16 are 2 apart: in float16 0.9 * 2048 + 0.1 * 2078 would be 2050
    rows = torch.ones_like(tensors(a)["lm_head.weight"], dtype=torch.float16) * 2048
    one, other = (rewrite(a, tmp_path / name, {"lm_head.weight": rows + more}) for name, more in (("x", 0), ("y", 30)))
    average(str(one), str(other), 0.1, tmp_path / "out")
    assert tensors(tmp_path / "out")["lm_head.weight"].unique().tolist() == [2052]  # 2051, rounded to even


def test_what_counts_is_not_mixed(a: Path, b: Path, tmp_path: Path) -> None:
    pair = [
        rewrite(folder, tmp_path / folder.name, {"steps": torch.tensor(count)}) for folder, count in ((a, 10), (b, 99))
    ]
    for weight, count in ((0.0, 10), (0.5, 99), (1.0, 99)):
        average(str(pair[0]), str(pair[1]), weight, tmp_path / f"out{weight}")
        found = tensors(tmp_path / f"out{weight}")["steps"]
        assert found.dtype == torch.int64 and found.item() == count


def test_shards_and_old_names(a: Path, b: Path, tmp_path: Path) -> None:
    network = checkpoints.from_folder(str(b), recipe.Whisper(), "en").model
    sharded = tmp_path / "sharded"
    shutil.copytree(b, sharded, ignore=shutil.ignore_patterns("*.safetensors"))
    network.save_pretrained(sharded, max_shard_size="60KB")
    assert len(list(sharded.glob("*.safetensors"))) > 2
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    old: dict[str, torch.Tensor | None] = {}
    for name, tensor in tensors(a).items():
        for new, before in names.items():
            if name.endswith(new):
                old |= {name: None, name.replace(new, before): tensor}
    assert len(old) == 4
    renamed = rewrite(a, tmp_path / "old", old)
    average(str(a), str(b), 0.3, tmp_path / "plain")
    average(str(renamed), str(sharded), 0.3, tmp_path / "out")
    assert same_bits(tensors(tmp_path / "out"), tensors(tmp_path / "plain"))
    assert {file.name for file in (tmp_path / "out").iterdir()} == {file.name for file in sharded.iterdir()}
    average(str(sharded), str(renamed), 0.7, tmp_path / "back")
    loaded = checkpoints.from_folder(str(tmp_path / "out"), recipe.Whisper(), "en").model.state_dict()
    turned = checkpoints.from_folder(str(tmp_path / "back"), recipe.Whisper(), "en").model.state_dict()
    assert all(torch.allclose(loaded[name], turned[name], atol=1e-6) for name in loaded)


def test_what_differs_first_is_named(a: Path, b: Path, tmp_path: Path) -> None:
    head = tensors(b)["lm_head.weight"]
    changed = {
        "key": rewrite(b, tmp_path / "key", {"lm_head.bias": None}),
        "more": rewrite(b, tmp_path / "more", {"a_head.bias": torch.zeros(2)}),
        "shape": rewrite(b, tmp_path / "shape", {"lm_head.weight": head[:-1].clone()}),
        "kind": rewrite(b, tmp_path / "kind", model_type="hubert"),
        "heads": rewrite(b, tmp_path / "heads", num_attention_heads=4),
    }
    told = {
        "key": "A has the tensor lm_head.bias, B has not",
        "more": "B has the tensor a_head.bias, A has not",
        "shape": rf"lm_head.weight is \[{len(head)}, 32\] in A, \[{len(head) - 1}, 32\] in B",
        "kind": "model_type is 'wav2vec2' in A, 'hubert' in B",
        "heads": "num_attention_heads is 2 in A, 4 in B",
    }
    for name, folder in changed.items():
        with pytest.raises(CheckpointError, match=told[name]):
            average(str(a), str(folder), 0.5, tmp_path / "out")
    with pytest.raises(CheckpointError, match=r"do not write in the same units: token \d+ is 'c' in A, 'd' in B"):
        average(str(a), str(made(tmp_path / "letters", 1, "a b d")), 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    require_alike(a, b)


def test_what_cannot_be_averaged_is_told(a: Path, b: Path, tmp_path: Path) -> None:
    run_folder, bare, torn, full = (tmp_path / name for name in ("run", "bare", "torn", "full"))
    shutil.copytree(b, run_folder / "model")
    shutil.copytree(b, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.copytree(b, torn)
    (torn / "model.safetensors").write_bytes((b / "model.safetensors").read_bytes()[:5000])
    full.mkdir()
    (full / "mine.txt").write_text("precious")
    cases = [
        ((a, run_folder, 0.5, "out"), "did you mean .*run/model"),
        ((a, bare, 0.5, "out"), "no model.safetensors"),
        ((a, torn, 0.5, "out"), "cannot be read"),
        ((a, tmp_path / "nowhere", 0.5, "out"), "no such folder"),
        ((a, b, 1.5, "out"), "between 0"),
        ((a, b, float("nan"), "out"), "between 0"),
        ((a, b, 0.5, "full"), "is there already"),
    ]
    for (first, second, weight, out), told in cases:
        with pytest.raises(CheckpointError, match=told):
            average(str(first), str(second), weight, tmp_path / out)
    assert (full / "mine.txt").read_text() == "precious" and not (tmp_path / "out").exists()


def test_a_checkpoint_of_the_package(tmp_path: Path) -> None:
    shutil.copytree(checkpoints.location("embedded:micro"), tmp_path / "tuned")
    average("embedded:micro", str(tmp_path / "tuned"), 0.5, tmp_path / "out")
    assert tensors(tmp_path / "out").keys() == tensors(tmp_path / "tuned").keys()


def test_a_half_that_was_left_is_no_trouble(a: Path, b: Path, tmp_path: Path) -> None:
    (tmp_path / "out.new").mkdir()
    (tmp_path / "out.new" / "half").write_text("")
    (tmp_path / "out").mkdir()  # empty
    average(str(a), str(b), 0.5, tmp_path / "out")
    assert not (tmp_path / "out" / "half").exists() and not (tmp_path / "out.new").exists()


@pytest.mark.slow
def test_a_real_whisper(whisper_checkpoint: Path, tmp_path: Path) -> None:
    """The checkpoint as the Hub has it (float16) and a folder that a run saved (float32)."""
    tuned = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    with torch.no_grad():
        for parameter in tuned.model.parameters():
            parameter.add_(0.001 * torch.randn_like(parameter))
    checkpoints.save(tuned, tmp_path / "b", beams=3)
    average(str(whisper_checkpoint), str(tmp_path / "b"), 0.0, tmp_path / "zero")
    assert same_bits(tensors(tmp_path / "zero"), tensors(whisper_checkpoint))
    average(str(whisper_checkpoint), str(tmp_path / "b"), 0.5, tmp_path / "half")
    assert GenerationConfig.from_pretrained(tmp_path / "half").num_beams == 3
    one, other, half = (tensors(folder) for folder in (whisper_checkpoint, tmp_path / "b", tmp_path / "half"))
    for name in other:
        torch.testing.assert_close(half[name], (one[name].float() + other[name]) / 2, rtol=1e-5, atol=1e-6)
    clip = decode({"path": str(sorted((small.ROOT / "hf_asr/assets/prompts-en/clips").iterdir())[2]), "bytes": None})
    plain = pipeline("automatic-speech-recognition", model=str(tmp_path / "zero"))
    assert "agent" in str(plain(clip)["text"]).lower()
