"""Weights between two checkpoints, against forgetting: WiSE-FT (arXiv:2109.01903).

A is the checkpoint that was fine-tuned, B what became of it; (1 - weight) * A + weight * B keeps much of what A
knew elsewhere and most of what B learned.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import reduce
from pathlib import Path

import huggingface_hub
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoTokenizer

from hf_asr import run
from hf_asr.models.checkpoints import location
from hf_asr.models.recogniser import CheckpointError

# what shapes alone do not tell of an architecture
SHAPING = ["model_type", "hidden_act", "activation_function", "feat_extract_norm", "do_stable_layer_norm"]
SHAPING += ["num_attention_heads", "encoder_attention_heads", "decoder_attention_heads", "conv_stride"]
FILES = (
    "*.json",
    "*.txt",
    "*.model",
    "*.jinja",
    "*.safetensors",
)  # asked of the Hub: weights, never pickled, and settings
LEFT = ["*.safetensors", "*.bin", "*.pt", "*.pth", "*.h5", "*.msgpack", "*.onnx", "README.md", ".*"]  # of B's folder
FLOATS = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
# torch renamed the parts of a weight norm; checkpoints of wav2vec2 come with either
RENAMED = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


def average(a: str, b: str, weight: float, out: Path) -> None:
    """Save (1 - weight) * A + weight * B as a folder like B, with B's processor and generation config.

    A and B are folders, Hub ids or `embedded:` names. Computed in float32, a tensor at a time, and stored in the
    wider of both formats; weight 0 copies A's tensors bit by bit, and 1 copies B's. Raises CheckpointError when the
    two do not fit, or `out` is there.
    """
    if not 0 <= weight <= 1:
        raise CheckpointError(f"the weight of B is between 0 (only A) and 1 (only B), not {weight:g}")
    require_free(out)
    first, second = (_folder(name) for name in (a, b))
    require_alike(first, second)
    new = out.with_name(f"{out.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(second, new, ignore=shutil.ignore_patterns(*LEFT))
    for file in sorted(set(_places(second).values())):
        save_file(dict(_mixed(first, second, file, weight)), new / file.name, metadata={"format": "pt"})
    _tell_format(new, _widest(first, second))
    run.replace_folder(new, out)


def require_free(out: Path) -> None:
    """Raises CheckpointError when something is there already."""
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise CheckpointError(f"{out} is there already: name a folder to make")


def require_alike(a: Path, b: Path) -> None:
    """Raises CheckpointError that names the first setting, tensor, shape or token in which two folders differ."""
    settings, others = (run.read_json(folder / "config.json") for folder in (a, b))
    for key in SHAPING:
        if settings.get(key) != others.get(key):
            raise CheckpointError(
                f"A and B are not alike: {key} is {settings.get(key)!r} in A, {others.get(key)!r} in B"
            )
    shapes, other_shapes = (_shapes(folder) for folder in (a, b))
    for name in sorted(shapes.keys() | other_shapes.keys()):
        if name not in shapes or name not in other_shapes:
            has, lacks = ("A", "B") if name in shapes else ("B", "A")
            raise CheckpointError(f"A and B are not alike: {has} has the tensor {name}, {lacks} has not")
        if shapes[name] != other_shapes[name]:
            raise CheckpointError(f"A and B are not alike: {name} is {shapes[name]} in A, {other_shapes[name]} in B")
    tokens, other_tokens = (_tokens(folder) for folder in (a, b))
    for number in sorted(tokens.keys() | other_tokens.keys()):
        if tokens.get(number) != other_tokens.get(number):
            told = f"token {number} is {tokens.get(number)!r} in A, {other_tokens.get(number)!r} in B"
            raise CheckpointError(f"A and B do not write in the same units: {told}")


def _folder(name: str) -> Path:
    """A saved model on this machine; one of the Hub is fetched. Raises CheckpointError."""
    folder = Path(location(name))
    if not folder.is_dir():
        try:
            folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=list(FILES)))
        except (OSError, ValueError) as error:  # the client's own errors are among them
            raise CheckpointError(f"no such folder, and not to be had from the Hub: {name}") from error
    if not (folder / "config.json").is_file():
        inner = folder / run.MODEL
        hint = f" (did you mean {inner}?)" if (inner / "config.json").is_file() else ""
        raise CheckpointError(f"{name} has no config.json: it is no saved model{hint}")
    if not list(folder.glob("model*.safetensors")):
        raise CheckpointError(f"{name} has no model.safetensors: load and save it once with save_pretrained()")
    return folder


def _places(folder: Path) -> dict[str, Path]:
    """In which file each tensor lies."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return {name: folder / file for name, file in run.read_json(index)["weight_map"].items()}
    with safe_open(folder / "model.safetensors", "pt") as stored:
        return dict.fromkeys(stored.keys(), folder / "model.safetensors")


def _common(name: str) -> str:
    """A tensor's name as older checkpoints have it."""
    for new, old in RENAMED.items():
        name = name.replace(new, old)
    return name


def _shapes(folder: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    try:
        for file in sorted(set(_places(folder).values())):
            with safe_open(file, "pt") as stored:
                found |= {_common(name): list(stored.get_slice(name).get_shape()) for name in sorted(stored.keys())}
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"the weights in {folder} cannot be read: {error}") from error
    return found


def _tokens(folder: Path) -> dict[int, str]:
    try:
        return {number: token for token, number in AutoTokenizer.from_pretrained(folder).get_vocab().items()}
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder} has no tokenizer: only models that write text can be averaged") from error


def _mixed(a: Path, b: Path, file: Path, weight: float) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one of B's files, each mixed with A's."""
    places = {_common(name): (name, place) for name, place in _places(a).items()}
    with ExitStack() as stack:
        stored = stack.enter_context(safe_open(file, "pt"))
        opened = {place: stack.enter_context(safe_open(place, "pt")) for _, place in places.values()}
        for name in sorted(stored.keys()):
            other, place = places[_common(name)]
            yield name, _mix(opened[place].get_tensor(other), stored.get_tensor(name), weight)


def _mix(a: Tensor, b: Tensor, weight: float) -> Tensor:
    if weight in (0, 1) or not a.is_floating_point():  # what counts steps is not mixed
        return a if weight == 0 else b
    return torch.lerp(a.float(), b.float(), weight).to(torch.promote_types(a.dtype, b.dtype))


def _widest(*folders: Path) -> torch.dtype:
    """The number format that holds the weights of all."""
    kinds: set[str] = set()
    for file in {place for folder in folders for place in _places(folder).values()}:
        with safe_open(file, "pt") as stored:
            kinds |= {stored.get_slice(name).get_dtype() for name in sorted(stored.keys())}
    return reduce(torch.promote_types, (FLOATS[kind] for kind in kinds & FLOATS.keys()))


def _tell_format(folder: Path, kind: torch.dtype) -> None:
    """In config.json, by which from_pretrained() goes; older ones say torch_dtype."""
    settings = run.read_json(folder / "config.json")
    settings.pop("torch_dtype", None)
    run.write_json(folder / "config.json", settings | {"dtype": str(kind).removeprefix("torch.")})
