"""The files of a Space, and that its page runs where this package is not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hf_asr import run
from hf_asr.app.space import space
from hf_asr.data.audio import decode
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.errors import UserError
from tests.app import build

ALONE = """
import importlib.abc, sys
class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_asr":
            raise ImportError("hf_asr is not installed here")
sys.meta_path.insert(0, Block())
import gradio
import app
assert isinstance(app.demo, gradio.Interface)
for path in sys.argv[1:]:
    try:
        print("said", app.transcribe(path))
    except gradio.Error as error:
        print("error", error.message)
print("said", repr(app.transcribe(None)))
"""


def metadata(readme: str) -> dict[str, object]:
    return dict(yaml.safe_load(readme.split("---")[1]))


def test_a_repository_s_space_names_its_model() -> None:
    files = space("someone/my-model")
    assert set(files) == {"README.md", "app.py", "requirements.txt"}
    assert metadata(files["README.md"]) == {
        "title": "my-model",
        "emoji": "🎙️",
        "colorFrom": "green",
        "colorTo": "blue",
        "sdk": "gradio",
        "sdk_version": "6.31.0",
        "app_file": "app.py",
        "pinned": False,
        "models": ["someone/my-model"],
    }
    assert 'MODEL = "someone/my-model"' in files["app.py"]
    assert "hf_asr" not in files["app.py"].replace("made by hf-asr", "")
    assert "hf" not in files["requirements.txt"]


def test_a_run_s_space_carries_its_name_and_no_path(run_folder: Path) -> None:
    files = space(run_folder)
    assert metadata(files["README.md"])["title"] == "prompts"
    assert "models" not in metadata(files["README.md"])
    assert 'MODEL = "model"' in files["app.py"]
    assert not any(str(run_folder.parent) in text for text in files.values())


def test_a_network_with_its_own_code_is_run_by_its_space(tmp_path: Path) -> None:
    for folder in (tmp_path / "run" / run.MODEL, tmp_path / "plain" / run.MODEL):
        run.write_json(folder / "config.json", {"auto_map": {}} if "run" in folder.parts else {})
    code = {name: "CODE = True" in space(tmp_path / name)["app.py"] for name in ("run", "plain")}
    assert code == {"run": True, "plain": False}
    assert "CODE = True" in space(tmp_path / "run" / run.MODEL)["app.py"]
    assert "CODE = True" in space("anna/a", tmp_path / "run")["app.py"]
    assert "CODE = False" in space("anna/a")["app.py"]


def test_a_repository_s_space_may_take_name_and_licence_from_its_run(run_folder: Path) -> None:
    facts = metadata(space("someone/my-model", run_folder)["README.md"])
    assert (facts["title"], facts["license"], facts["models"]) == ("prompts", "cc-by-4.0", ["someone/my-model"])


@pytest.mark.parametrize("given", ["nowhere", "a/b/c", 'x/y"; import os', "/not/there"])
def test_what_is_neither_is_told(given: str) -> None:
    with pytest.raises(UserError, match="neither a folder nor a Hub repository"):
        space(given)


def test_quotes_in_a_name_stay_data(saved: Callable[[int], Path], tmp_path: Path) -> None:
    folder = tmp_path / 'say "hi" \\ {x}'
    folder.mkdir()
    files = space(folder)
    assert metadata(files["README.md"])["title"] == folder.name
    compile(files["app.py"], "app.py", "exec")


@pytest.mark.slow
def test_the_space_runs_without_this_package(run_folder: Path, saved: Callable[[int], Path], tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the page needs gradio: pip install hf-asr[demo]")
    for name, text in space(run_folder).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    shutil.copytree(saved(4), tmp_path / "model")
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    clip = build.CLIPS / "en-vm-goodbye.ogg"
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(clip), str(tmp_path / "bad.wav")],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    expected = transcribe_recording(build.ctc(4), decode({"path": str(clip), "bytes": None})).text
    assert done.stdout.splitlines() == [
        f"said {expected}",
        "error This is no recording that can be read here: use wav, flac, ogg or mp3",
        "said ''",
    ]
