"""What the page finds in a run folder, and what it says of what it cannot load."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from hf_asr import run
from hf_asr.app.systems import Exhibit, open_exhibit, shown
from hf_asr.errors import UserError
from tests import small
from tests.app import build


def test_a_run_brings_its_three_systems_and_its_figures(exhibit: Exhibit) -> None:
    assert [system.name for system in exhibit.systems] == ["fine-tuned", "zero-shot", "baseline"]
    assert [system.model for system in exhibit.systems] == [
        "this run's model",
        "model-5",
        "random weights, the same recordings",
    ]
    assert all(system.recogniser is not None and not system.missing for system in exhibit.systems)
    assert [system.score["wer"] for system in exhibit.systems if system.score] == [0.024, 0.075, 0.96]
    assert (exhibit.title, exhibit.language) == ("prompts", "en")
    assert exhibit.trained_on == "fine-tuned from model-5 on 0.26 hours of prompts-en"
    assert exhibit.verdict == "better than zero-shot by 5.1 points of WER (2.4 to 8.3)"
    assert not exhibit.systems[0].own_length  # a CTC network has no window


def test_the_model_of_a_run_finds_the_run(run_folder: Path, saved: Callable[[int], Path], tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "copied")
    assert open_exhibit(str(tmp_path / "copied" / run.MODEL), zero_shot="none", baseline="none").title == "prompts"
    alone = open_exhibit(str(saved(4)))
    assert [system.name for system in alone.systems] == ["fine-tuned"]
    assert (alone.title, alone.trained_on, alone.systems[0].score) == ("model-4", "", None)


def test_other_models_may_be_named_or_left_out(run_folder: Path, saved: Callable[[int], Path]) -> None:
    found = open_exhibit(str(run_folder), zero_shot=str(saved(7)), baseline="none")
    assert [(system.name, system.model) for system in found.systems] == [
        ("fine-tuned", "this run's model"),
        ("zero-shot", "model-7"),
    ]


def test_a_checkpoint_of_the_package_is_there(saved: Callable[[int], Path], tmp_path: Path) -> None:
    found = open_exhibit(str(build.folder(tmp_path / "run", saved(4), "embedded:micro")))
    assert [(system.model, system.missing) for system in found.systems][1] == ("embedded:micro", "")
    assert found.systems[1].recogniser is not None


@pytest.mark.parametrize("checkpoint", ["nobody/has-this-model", "/nowhere/at/all/model-x", "not a name"])
def test_what_is_not_on_this_computer_is_told_and_not_fetched(
    saved: Callable[[int], Path], tmp_path: Path, checkpoint: str
) -> None:
    found = open_exhibit(str(build.folder(tmp_path / "run", saved(4), checkpoint)))
    ours, began = found.systems
    assert ours.recogniser is not None
    assert began.recogniser is None
    assert began.missing == "it is not on this computer, or cannot be read"
    assert began.score is not None, "its figures are known all the same"
    assert "/" not in began.model.removeprefix("nobody/")


@pytest.mark.slow
def test_a_hub_that_is_in_reach_is_not_asked(saved: Callable[[int], Path], tmp_path: Path) -> None:
    folder = build.folder(tmp_path / "run", saved(4), "nobody/has-this-model")
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(100).decode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        Thread(target=hub.serve_forever, daemon=True).start()
        code = "import sys; from hf_asr.app.systems import open_exhibit as o; print(o(sys.argv[1]).systems[1].missing)"
        address = f"http://127.0.0.1:{hub.server_port}"
        done = small.hf_asr("-c", code, str(folder), HF_HUB_OFFLINE="0", HF_ENDPOINT=address, HF_HOME=str(tmp_path))
        hub.shutdown()
    assert done.stdout.strip() == "it is not on this computer, or cannot be read", done.stderr
    assert asked == []


def test_a_checkpoint_without_a_head_leaves_no_card(saved: Callable[[int], Path], tmp_path: Path) -> None:
    found = open_exhibit(str(build.folder(tmp_path / "run", saved(4), None)))
    assert [system.name for system in found.systems] == ["fine-tuned"]
    assert found.trained_on == "trained from scratch on 0.26 hours of prompts-en"


def test_figures_may_be_missing(saved: Callable[[int], Path], tmp_path: Path) -> None:
    folder = build.folder(tmp_path / "run", saved(4), str(saved(5)))
    (folder / run.RESULTS).write_text(json.dumps({"name": "old", "zero_shot": {}, "fine_tuned": {}}))
    assert [system.score for system in open_exhibit(str(folder)).systems] == [None]


def test_no_evidence_is_said_as_such(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    results = run.read_json(run_folder / run.RESULTS)
    results["comparisons"][0]["verdict"] = "no evidence of a difference"
    (tmp_path / "run" / run.RESULTS).write_text(json.dumps(results))
    assert open_exhibit(str(tmp_path / "run"), "none", "none").verdict == "no evidence of a difference from zero-shot"


@pytest.mark.slow
@pytest.mark.parametrize("own_length", [True, False])
def test_whisper_is_read_at_its_own_length_when_trained_so(
    whisper_checkpoint: Path, tmp_path: Path, own_length: bool
) -> None:
    folder = build.folder(tmp_path / "run", whisper_checkpoint, str(whisper_checkpoint), own_length=own_length)
    ours, began = open_exhibit(str(folder)).systems
    assert (ours.own_length, began.own_length) == (own_length, False)


def test_what_cannot_be_shown_says_what_to_do(tmp_path: Path, run_folder: Path) -> None:
    with pytest.raises(UserError, match="neither a run folder nor a saved model"):
        open_exhibit(str(tmp_path))
    (tmp_path / run.RECIPE).write_bytes((run_folder / run.RECIPE).read_bytes())
    with pytest.raises(UserError, match="holds no model yet"):
        open_exhibit(str(tmp_path))
    with pytest.raises(UserError, match="cannot load"):
        open_exhibit("nobody/has-this-model")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/whisper-tiny.en", "openai/whisper-tiny.en"),
        ("/srv/secret/models/whisper", "whisper"),
        ("../models/whisper", "whisper"),
        ("~/models/whisper", "whisper"),
        ("runs/x/model", "model"),
        ("embedded:prompts-en", "embedded:prompts-en"),
    ],
)
def test_no_path_is_shown(name: str, expected: str) -> None:
    assert shown(name) == expected


def test_an_exhibit_is_a_value(exhibit: Exhibit) -> None:
    assert replace(exhibit, systems=exhibit.systems[:1]).title == exhibit.title
