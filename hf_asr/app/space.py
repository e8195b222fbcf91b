"""The files of a Hugging Face Space that shows a model to anybody: transformers and gradio, nothing of this package."""

import json
import re
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.errors import UserError

GRADIO = "6.31.0"  # with which the Space's page was tried
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
REQUIREMENTS = """torch
transformers>=5.23,<6
soundfile>=0.14
soxr>=1.1
"""


def space(folder_or_repository: str | Path, run_folder: Path | None = None) -> dict[str, str]:
    """README.md, app.py and requirements.txt by name, for a Hub repository (USER/NAME) or a run or model folder.

    A folder's Space loads the folder `model` that is pushed beside app.py. `run_folder`: whose name and licence a
    repository's Space tells. Raises UserError for what is neither.
    """
    given = str(folder_or_repository)
    folder = Path(given) if Path(given).is_dir() else None
    if folder is None and not REPOSITORY.fullmatch(given):
        raise UserError(f"{given} is neither a folder nor a Hub repository (USER/NAME)")
    results = _results(folder or run_folder)
    title = str(results.get("name") or (folder.resolve().name if folder else given.partition("/")[2]))
    model = "model" if folder else given
    code = any(
        run.brings_code(place) for top in (folder, run_folder) if top is not None for place in (top, top / run.MODEL)
    )
    app = Path(__file__).with_name("space_app.py").read_text(encoding="utf-8")
    return {
        "README.md": _readme(title, None if folder else given, results),
        "app.py": app.replace('MODEL = "model"', f"MODEL = {json.dumps(model)}")
        .replace("title=Path(MODEL).name", f"title={json.dumps(title)}")
        .replace("CODE = False", f"CODE = {code}"),
        "requirements.txt": REQUIREMENTS,
    }


def _results(folder: Path | None) -> dict[str, Any]:
    for place in (folder, folder.resolve().parent) if folder else ():
        if (place / run.RESULTS).is_file():
            return dict(run.read_json(place / run.RESULTS))
    return {}


def _readme(title: str, repository: str | None, results: dict[str, Any]) -> str:
    lines = [f"title: {json.dumps(title)}", "emoji: 🎙️", "colorFrom: green", "colorTo: blue"]
    lines += ["sdk: gradio", f'sdk_version: "{GRADIO}"', "app_file: app.py", "pinned: false"]
    lines += [f"models: [{json.dumps(repository)}]"] if repository else []
    lines += [f"license: {results['licence']}"] if results.get("licence") else []
    model = f"[{repository}](https://huggingface.co/{repository})" if repository else "the model in this Space"
    text = f"Upload a recording or speak; {model} writes down what it hears."
    return "\n".join(["---", *lines, "---", "", f"# {title}", "", text]) + "\n"
