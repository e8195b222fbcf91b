"""Offline, before anything else is imported; real checkpoints where there are some."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # torch takes every core otherwise
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))

import subprocess
import sys
from pathlib import Path

import pytest

HUB_CHECKPOINT = "openai/whisper-tiny.en"
HUB_SECONDS = 10  # to answer at all
DOWNLOAD_SECONDS = 600
# Run without HF_HUB_OFFLINE, which huggingface_hub reads when it is imported.
DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download, snapshot_download
if sys.argv[2] == "ask":
    hf_hub_download(sys.argv[1], "config.json", etag_timeout=5)
else:
    print(snapshot_download(sys.argv[1], allow_patterns=["*.json", "*.txt", "model.safetensors"]))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu"):
            import torch

            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder that HF_ASR_ASSETS names: real speech and a real Whisper checkpoint."""
    folder = os.environ.get("HF_ASR_ASSETS")
    if not folder:
        pytest.skip("HF_ASR_ASSETS is not set: it names the folder with real speech and a Whisper checkpoint")
    if not Path(folder).is_dir():
        pytest.skip(f"HF_ASR_ASSETS names {folder}, which is not a folder")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def whisper_checkpoint() -> Path:
    """whisper-tiny.en: from HF_ASR_ASSETS, else from the Hub."""
    folder = Path(os.environ.get("HF_ASR_ASSETS", ""), "whisper-tiny.en")
    if os.environ.get("HF_ASR_ASSETS") and (folder / "config.json").is_file():
        return folder.resolve()
    from_hub("ask", HUB_SECONDS)
    return Path(from_hub("download", DOWNLOAD_SECONDS))


def from_hub(step: str, seconds: int) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
    command = [sys.executable, "-c", DOWNLOAD, HUB_CHECKPOINT, step]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        failure = "" if done.returncode == 0 else said[0][:200]
    except subprocess.TimeoutExpired:
        failure = f"no answer in {seconds} s"
    if failure:
        pytest.skip(
            f"HF_ASR_ASSETS names no folder with whisper-tiny.en, and {HUB_CHECKPOINT} is out of reach: {failure}"
        )
    return done.stdout.strip()
