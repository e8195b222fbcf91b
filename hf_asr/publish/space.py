"""A Space that lets anyone try the model in a browser: three files, none of which needs this package."""

import json
from pathlib import Path

from hf_asr import run
from hf_asr.publish.files import File

CARD = """---
title: {title}
sdk: gradio
app_file: app.py
models: [{repository}]
pipeline_tag: automatic-speech-recognition
---

A demo of [{repository}](https://huggingface.co/{repository}).
"""

APP = """import gradio
from transformers import pipeline

recogniser = pipeline("automatic-speech-recognition", model={repository})


def transcribe(path: str | None) -> str:
    return recogniser(path)["text"] if path else ""


audio = gradio.Audio(sources=["microphone", "upload"], type="filepath")
gradio.Interface(transcribe, audio, "text", title={title}).launch()
"""


def files(folder: Path, repository: str) -> tuple[File, ...]:
    """README.md, app.py and requirements.txt; the versions are those that the run was made with, or newer."""
    versions = run.read_json(folder / run.ENVIRONMENT).get("versions", {})
    needs = [f"{name}>={versions[name].partition('+')[0]}" for name in ("torch", "transformers") if versions.get(name)]
    title = repository.partition("/")[2]
    texts = {
        "README.md": CARD.format(repository=repository, title=json.dumps(title)),
        "app.py": APP.format(repository=json.dumps(repository), title=json.dumps(title)),
        "requirements.txt": "\n".join(needs or ["torch", "transformers"]) + "\n",
    }
    return tuple(File(path, text.encode()) for path, text in texts.items())
