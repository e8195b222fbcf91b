"""The shape of the project: who imports whom, what ships, and that nothing of one machine is in it."""

import ast
import csv
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hf_asr"
# Lowest first; a room imports from itself and from those before it.
ROOMS = ["errors", "recipe", "run", "screen", "text", "data", "models", "decoding", "evaluation"]
ROOMS += ["report", "publish", "training", "app", "explain", "show", "cli", "__main__"]
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 260  # lines of a module
EMBEDDED_BYTES = 8_000_000
HEAVY = ["torch", "transformers", "datasets", "pyarrow", "soundfile", "accelerate", "peft", "evaluate", "jiwer"]


def name(module: Path) -> str:
    return str(module.relative_to(PACKAGE).with_suffix(""))


def room(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> set[str]:
    """Rooms of ours that a module imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # but for DeepSpeech2's files, which are saved with its weights and find each other there
            assert node.level == 0 or module.parent.name == "deepspeech2", f"{module}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.level == 0}
    return {path.split(".")[1] for path in found if path.startswith("hf_asr.")} - {"__version__"}


def tracked() -> list[Path]:
    """What git keeps or would keep; all files beside .venv and caches where this is no checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        return [ROOT / path for path in listing.stdout.split("\0") if path and (ROOT / path).is_file()]
    skip = {".venv", "runs", "__pycache__", "build", "dist"}
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not any(p in skip or p.endswith("_cache") for p in path.relative_to(ROOT).parts)]


def test_every_module_stands_in_a_room() -> None:
    assert {room(module) for module in MODULES} - {"__init__"} <= set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=map(name, MODULES))
def test_imports_point_down(module: Path) -> None:
    here = room(module)
    allowed = ROOMS[: ROOMS.index(here) + 1] if here in ROOMS else []
    assert imported_rooms(module) <= set(allowed)


@pytest.mark.parametrize("module", MODULES, ids=map(name, MODULES))
def test_modules_stay_short(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("module", ["hf_asr", "hf_asr.cli", "hf_asr.recipe", "hf_asr.recipe.file"])
def test_light_modules_import_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}} & set({HEAVY})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_core_dependencies_are_those_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=~! \[]", dependency)[0] for dependency in project["dependencies"]}
    assert names == {
        *("torch", "transformers", "datasets", "accelerate", "peft", "evaluate", "jiwer", "huggingface_hub"),
        *("soundfile", "soxr", "pydantic", "typer", "rich", "pyyaml", "numpy", "jinja2"),
    }


def test_constraints_pin_one_version_of_each() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert "torch==2.13.0" in pins
    assert not any(pin.lower().startswith(("torchaudio", "torchcodec", "nvidia")) for pin in pins)


def test_version_is_one() -> None:
    import hf_asr

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == hf_asr.__version__


def test_no_path_of_one_machine_is_kept() -> None:
    # written in halves, so that this file passes, too; `you` and `someone` live in examples
    home = re.compile(rb"(?<![\w.~}$-])/(?:wo" rb"rk|ho" rb"me/(?!you/|someone/)\w+|ro" rb"ot|Us" rb"ers/(?!jo/)\w+)/")
    text = [path for path in tracked() if path.suffix not in {".ogg", ".png", ".safetensors", ".woff2"}]
    assert [str(path.relative_to(ROOT)) for path in text if home.search(path.read_bytes())] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
def test_scripts_can_be_run() -> None:
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.is_file() and not path.suffix]
    scripts.append(ROOT / ".ci" / "run")
    assert {"setup", "test", "lint", "quickstart"} <= {path.name for path in scripts}
    for script in scripts:
        assert os.access(script, os.X_OK), script
        assert "set -euo pipefail" in script.read_text(encoding="utf-8"), script


def test_embedded_data_is_small_and_attributed() -> None:
    folders = [folder for folder in (PACKAGE / "assets").iterdir() if folder.is_dir()]
    assert "prompts-en" in {folder.name for folder in folders}
    for folder in folders:
        assert (folder / "LICENSE").is_file(), folder
        assert (folder / "README.md").is_file(), folder
    prompts = PACKAGE / "assets" / "prompts-en"
    assert sum(path.stat().st_size for path in prompts.rglob("*") if path.is_file()) <= EMBEDDED_BYTES
    assert "Allison Smith, CC-BY-SA 3.0" in (prompts / "README.md").read_text(encoding="utf-8")
    assert "CREATIVE COMMONS PUBLIC LICENSE" in (prompts / "LICENSE").read_text(encoding="utf-8")


def test_embedded_table_and_clips_agree() -> None:
    import soundfile

    prompts = PACKAGE / "assets" / "prompts-en"
    with (prompts / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file_name"] for row in rows) == sorted(f"clips/{p.name}" for p in (prompts / "clips").iterdir())
    for row in rows:
        header = soundfile.info(prompts / row["file_name"])
        assert (header.samplerate, header.channels, header.subtype) == (16_000, 1, "OPUS")
        assert abs(header.duration - float(row["seconds"])) < 0.001
    assert all(row["text"].strip() for row in rows)


def test_opus_is_decoded_to_the_length_its_header_tells() -> None:
    import soundfile

    for clip in sorted((PACKAGE / "assets" / "prompts-en" / "clips").iterdir())[::50]:
        samples, rate = soundfile.read(clip)
        assert len(samples) == soundfile.info(clip).frames == round(soundfile.info(clip).duration * rate)
