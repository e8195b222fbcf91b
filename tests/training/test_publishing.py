"""What training publishes on its way, and that nothing that goes wrong with it stops the training."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from transformers import TrainerControl, TrainerState

from hf_asr import recipe, run
from hf_asr.publish.refusals import PushError
from hf_asr.training.publishing import BRANCH, SCRATCH, Publisher, publish, require_ready
from tests.hub.server import Hub, serving
from tests.hub.store import User
from tests.report import folder as runs

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN, TO = "hf_" + "t0ken" * 7, "anna/speech"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving() as hub:
        hub.store.users[TOKEN] = User("anna")
        yield hub


class Processor:
    """Saves what a processor saves."""

    def save_pretrained(self, folder: Path) -> None:
        (folder / "preprocessor_config.json").write_text("{}")


def publisher(hub: Hub, folder: Path, told: list[str], every: int | None = 2, to: str | None = TO) -> Publisher:
    folder.mkdir(exist_ok=True)
    run.append_line(folder / run.LOG, {"step": 1, "loss": 3.0})
    settings = recipe.Hub(to=to, private=True, every=every)
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    return Publisher(folder, settings, Processor(), api, wait=0.01, tell=told.append)


def save(callback: Publisher, step: int, looks: int, wait: bool = True) -> None:
    """A checkpoint as the Trainer leaves it after so many looks at validation."""
    checkpoint = callback.folder / run.CHECKPOINTS / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "modeling.py").write_text("# a network of its own\n")
    (checkpoint / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + bytes(10_000) + bytes([step]))
    for name in ("config.json", "trainer_state.json"):
        (checkpoint / name).write_text(json.dumps({"step": step}))
    for name in ("optimizer.pt", "training_args.bin"):
        (checkpoint / name).write_bytes(b"pickled")
    history = [{"eval_wer": 0.5 / look, "step": look} for look in range(1, looks + 1)]
    state = TrainerState(global_step=step, log_history=history, is_world_process_zero=True)
    callback.on_save(SimpleNamespace(output_dir=str(checkpoint.parent)), state, TrainerControl())
    if wait and callback.thread is not None:
        callback.thread.join(30)


def files(hub: Hub, revision: str) -> dict[str, bytes]:
    found = hub.store.repositories["model", TO]
    return {path: found.read(blob) for path, blob in found.commit(revision).files.items() if path != ".gitattributes"}


def test_every_second_look_goes_to_a_branch_and_main_stays_empty(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    callback = publisher(hub, tmp_path / "run", told)
    save(callback, 10, 1)
    assert hub.store.repositories == {}
    save(callback, 20, 2)
    there = files(hub, BRANCH)
    brought = {"model.safetensors", "modeling.py", "config.json", "preprocessor_config.json"}
    assert set(there) == {*brought, "README.md", run.LOG}
    assert b"step 20, validation WER 25.0%" in there["README.md"] and there["model.safetensors"][-1] == 20
    assert files(hub, "main") == {} and hub.store.repositories["model", TO].private
    save(callback, 30, 3)
    save(callback, 40, 4)
    assert files(hub, BRANCH)["model.safetensors"][-1] == 40
    titles = [commit.title for commit in HfApi(hub.endpoint, TOKEN).list_repo_commits(TO, revision=BRANCH)]
    assert titles == ["Step 40, validation WER 12.5%", "Step 20, validation WER 25.0%", "initial commit"]
    assert told == [f"  step {step} is pushed to {TO}, branch {BRANCH}" for step in (20, 40)]
    callback.on_train_end(None, TrainerState(is_world_process_zero=True), None)
    assert not (tmp_path / "run" / SCRATCH).exists()


def test_training_does_not_wait_and_passes_over_a_look_meanwhile(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    callback = publisher(hub, tmp_path / "run", told, every=1)
    later = threading.Event()
    hub.fault("upload", cut=1, hold=later)
    save(callback, 10, 1, wait=False)
    for path in (tmp_path / "run" / run.CHECKPOINTS).rglob("*.safetensors"):
        path.unlink()  # the Trainer keeps no more than the best and the last
    save(callback, 20, 2, wait=False)
    assert told == ["  step 20 is not pushed: the last push is still under way"]
    # another process of the same training ends first
    Publisher(callback.folder, callback.hub, None).on_train_end(None, TrainerState(is_world_process_zero=False), None)
    later.set()
    callback.on_train_end(None, TrainerState(is_world_process_zero=True), None)
    assert files(hub, BRANCH)["model.safetensors"][-1] == 10


@pytest.mark.parametrize("how", [{"status": 403, "error": "Forbidden"}, {"status": 500, "times": 9}, {"status": 418}])
def test_no_failure_reaches_the_trainer(hub: Hub, tmp_path: Path, how: Any) -> None:
    told: list[str] = []
    callback = publisher(hub, tmp_path / "run", told, every=1)
    hub.fault("commit", **how)
    save(callback, 10, 1)
    assert told[-1].startswith("  step 10 is not pushed, training goes on: ") and "hf_" not in "".join(told)
    hub.faults.clear()
    save(callback, 20, 2)
    assert files(hub, BRANCH)["model.safetensors"][-1] == 20


def test_a_fault_of_the_program_does_not_reach_it_either(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    callback = publisher(hub, tmp_path / "run", told, every=1)
    (tmp_path / "run" / run.LOG).unlink()
    save(callback, 10, 1)
    assert told == ["  step 10 is not pushed, training goes on: FileNotFoundError"]


def test_a_secret_in_the_log_is_not_pushed(hub: Hub, tmp_path: Path) -> None:
    told: list[str] = []
    callback = publisher(hub, tmp_path / "run", told, every=1)
    run.append_line(tmp_path / "run" / run.LOG, {"key": TOKEN})
    save(callback, 10, 1)
    assert "log.jsonl:2  a Hugging Face token" in told[0] and TOKEN not in told[0] and hub.seen() == (0, 0)


@pytest.mark.parametrize(("every", "to"), [(None, TO), (1, None)])
def test_nothing_is_pushed_without_being_asked(hub: Hub, tmp_path: Path, every: int | None, to: str | None) -> None:
    before = threading.active_count()
    save(publisher(hub, tmp_path / "run", [], every, to), 10, 1)
    assert hub.seen() == (0, 0) and threading.active_count() <= before


def test_a_finished_run_goes_to_main_or_tells_how_to_push_it(hub: Hub, tmp_path: Path) -> None:
    folder = runs.write(tmp_path / "run", runs.prompts(8))
    (folder / run.MODEL).mkdir()
    (folder / run.MODEL / "config.json").write_text('{"model_type": "wav2vec2"}')
    told: list[str] = []
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    publish(folder, recipe.Hub(to="ben/speech"), False, told.append, api=api, wait=0.01)
    assert told[0].startswith("  the run is finished and was not pushed: no permission to write to ben/speech as anna")
    assert told[0].endswith(f"\n  again: hf-asr push {folder}")
    publish(folder, recipe.Hub(), False, told.append, api=api)
    assert len(told) == 1
    publish(folder, recipe.Hub(to=TO, private=True), False, told.append, api=api)
    assert f": {hub.endpoint}/{TO} (private) is at " in told[1]
    assert {"README.md", "config.json", run.RESULTS} <= set(files(hub, "main"))


def test_a_recipe_that_publishes_needs_a_login_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    require_ready(recipe.Hub())
    with pytest.raises(PushError, match="not logged in"):
        require_ready(recipe.Hub(to=TO))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    require_ready(recipe.Hub(to=TO))
