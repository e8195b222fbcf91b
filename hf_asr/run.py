"""The run folder: the only place where training, evaluation, card and push meet.

recipe.yaml environment.json data.json log.jsonl predictions.jsonl results.json README.md report.html model/ audio/
baseline/ (a run folder of its own), checkpoints/ while it trains, pushed.json once it is published
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from hf_asr.errors import UserError

RECIPE, DATA, LOG, RESULTS, CARD = "recipe.yaml", "data.json", "log.jsonl", "results.json", "README.md"
PREDICTIONS, ENVIRONMENT, MODEL, CHECKPOINTS = "predictions.jsonl", "environment.json", "model", "checkpoints"
BASELINE, AUDIO, REPORT = "baseline", "audio", "report.html"
COMPLETE = "complete"  # in a checkpoint: written last, so that a kill while saving leaves none


class RunError(UserError):
    """The run folder cannot be used; the message says why and what to do."""


def require_open(folder: Path, same: Callable[[Path], bool]) -> None:
    """Raises RunError when a run in this folder is finished or, as `same` says of its recipe, another one."""
    if (folder / RESULTS).exists():
        raise RunError(f"{folder} holds a finished run: choose another `output` (--set output=...) or delete it")
    if (folder / RECIPE).exists():
        if not same(folder / RECIPE):
            raise RunError(
                f"{folder} holds an unfinished run of another recipe or other settings:"
                " repeat its command to go on with it, choose another `output`, or delete it"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and no run folder: choose another `output`")


def write(path: Path, text: str) -> None:
    """Whole or not at all: to a file beside it, to disk, then renamed over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_lines(path: Path) -> list[Any]:
    """The rows of a .jsonl file; a last line cut short by a kill is passed over."""
    if not path.exists():
        return []
    rows = []
    # not splitlines(): a transcript may hold U+2028, at which that would cut its row in two
    for text in path.read_text(encoding="utf-8").split("\n"):
        try:
            rows.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return rows


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; the halves that a kill left are removed."""
    found: list[tuple[int, Path]] = []
    for path in (folder / CHECKPOINTS).glob("checkpoint-*"):
        if (path / COMPLETE).exists():
            found.append((int(path.name.rpartition("-")[2]), path))
        else:
            shutil.rmtree(path)
    return max(found)[1] if found else None


def keep_checkpoints(folder: Path, names: set[str]) -> None:
    """Remove the others; each loses its mark first, so that a kill leaves no half that looks whole."""
    for path in folder.glob("checkpoint-*"):
        if path.name not in names:
            (path / COMPLETE).unlink(missing_ok=True)
            shutil.rmtree(path)


def replace_folder(new: Path, folder: Path) -> None:
    """Put `new` where `folder` is or was, so that a kill leaves either of them whole."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def weight_bytes(folder: Path) -> int:
    """Size of the saved weights."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def brings_code(model: Path) -> bool:
    """Whether a saved model's network lies in Python files beside its weights: pipeline() then wants to be told."""
    settings = model / "config.json"
    return settings.is_file() and "auto_map" in read_json(settings)


def clean(folder: Path) -> None:
    """Remove what only an unfinished run needs: optimiser states and interim measurements."""
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    for path in folder.glob("zero-shot-*.json"):
        path.unlink()


def environment(precision: str) -> dict[str, Any]:
    """Versions, commit and hardware; no path and no user name, since it is published."""
    import torch

    packages = ("hf-asr", "torch", "transformers", "datasets", "accelerate", "peft", "tokenizers", "soundfile", "soxr")
    versions: dict[str, str | None] = {}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(),
        "versions": versions,
        "commit": _commit(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "precision": precision,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _commit() -> str | None:
    """The commit of a source checkout, with + when it was changed since."""
    here = Path(__file__).resolve().parent.parent
    if not (here / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"],
            cwd=here,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


def _processor() -> str:
    if sys.platform == "linux":
        for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor()


def peak_memory() -> dict[str, int]:
    """Peak bytes since `forget_peak_memory`: resident memory of this process, and on the GPU where there is one."""
    import resource

    import torch

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"host": peak if sys.platform == "darwin" else (_peak_resident() or peak) * 1024}  # Linux counts in KiB
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.max_memory_allocated()
    return found


def forget_peak_memory() -> None:
    """Let another training in the same process have a peak of its own; on Linux and the GPU, elsewhere it cannot be."""
    import torch

    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak_resident() -> int | None:
    """KiB, as Linux has it; unlike getrusage's it can be set back."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    return next((int(row.split()[1]) for row in status.splitlines() if row.startswith("VmHWM:")), None)


def append_line(path: Path, row: Any) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
