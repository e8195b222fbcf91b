"""Trained, pushed and loaded again by a process that knows nothing but the address of the Hub."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from huggingface_hub import HfApi, constants
from safetensors.numpy import load_file, save_file

from hf_asr import run
from hf_asr.publish.hub import push
from tests import small
from tests.hub.server import serving
from tests.hub.store import User

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")]

TOKEN, TO = "hf_" + "t0ken" * 7, "anna/speech"
PROGRAM = """
import sys; sys.modules["hf_asr"] = None
import json, numpy, transformers
clips = numpy.load(sys.argv[2])
asr = transformers.pipeline("automatic-speech-recognition", model=sys.argv[1])
print(json.dumps([asr(clips[name])["text"] for name in sorted(clips)]))
"""


def transcripts(model: str, clips: Path, home: Path, **environment: str) -> list[str]:
    """What pipeline() hears, in a process with nothing in its cache and no variables but these."""
    home.mkdir()
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HOME": str(home / "hf"), **environment}
    command = [sys.executable, "-c", PROGRAM, model, str(clips)]
    done = subprocess.run(command, cwd=home, env=variables, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    texts: list[str] = json.loads(done.stdout)
    return texts


def talkative(model: Path) -> None:
    """After four steps a network writes nothing; without a bias for the blank it writes something for every clip."""
    tensors = load_file(model / "model.safetensors")
    tensors["lm_head.bias"][json.loads((model / "config.json").read_text())["pad_token_id"]] = -1e4
    tensors["lm_head.weight"] *= 50
    save_file(tensors, model / "model.safetensors", {"format": "pt"})


def test_a_run_publishes_itself_and_a_fresh_process_hears_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    folder, clips = tmp_path / "run", tmp_path / "clips.npz"
    with serving() as hub:
        hub.store.users[TOKEN] = User("anna")
        api = HfApi(endpoint=hub.endpoint, token=TOKEN)
        online = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        settings = {"training__max_steps": 4, "training__evaluate_every": 2, "hub__to": TO, "hub__private": "true"}
        command = small.command(small.write(tmp_path), folder, **settings, hub__every=1)
        done = small.hf_asr(*command, **online, HF_TOKEN=TOKEN, HF_HUB_OFFLINE="0")
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout + done.stderr and f"{hub.endpoint}/{TO} (private) is at" in done.stderr
        on_the_way = api.list_repo_commits(TO, revision="training")
        assert [commit.title[:6] for commit in on_the_way][-2:] == ["Step 2", "initia"]  # of step 4 if there was time
        assert push(folder, TO, api=api)[0].changed == ()

        talkative(folder / run.MODEL)
        assert push(folder, TO, api=api)[0].changed == ("model.safetensors",)
        np.savez(clips, **recordings(run.read_lines(folder / run.PREDICTIONS)[:6]))
        local = transcripts(str(folder / run.MODEL), clips, tmp_path / "a", HF_HUB_OFFLINE="1")
        private = transcripts(TO, clips, tmp_path / "b", **online, HF_TOKEN=TOKEN)
        api.update_repo_settings(TO, private=False)
        public = transcripts(TO, clips, tmp_path / "c", **online)
        assert hub.requests["unknown"] == 0, hub.log
    assert local == private == public and len(local) == 6 and len(set(local)) > 1


def recordings(rows: list[Any]) -> dict[str, Any]:
    """Samples at 16 kHz by name."""
    found = {}
    for row in rows:
        samples, rate = soundfile.read(small.ROOT / "hf_asr/assets/prompts-en" / f"{row['id']}.ogg", dtype="float32")
        found[row["id"].replace("/", "-")] = soxr.resample(samples, rate, 16_000)
    return found
