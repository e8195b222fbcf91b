"""The run folder: begun, gone on with, refused; halves that a kill leaves are seen as such."""

import sys
from pathlib import Path

import numpy as np
import pytest

from hf_asr import run


def test_a_run_is_gone_on_with_by_its_own_recipe_alone(tmp_path: Path) -> None:
    run.require_open(tmp_path / "new", lambda _: False)
    (tmp_path / run.RECIPE).write_text("name: r\n")
    run.require_open(tmp_path, lambda file: file.read_text() == "name: r\n")
    with pytest.raises(run.RunError, match="another recipe"):
        run.require_open(tmp_path, lambda file: file.read_text() == "name: other\n")


def test_a_finished_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / run.RECIPE).write_text("name: r\n")
    run.write_json(tmp_path / run.RESULTS, {})
    with pytest.raises(run.RunError, match="finished run"):
        run.require_open(tmp_path, lambda _: True)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(run.RunError, match="no run folder"):
        run.require_open(tmp_path, lambda _: True)


def test_only_whole_checkpoints_count(tmp_path: Path) -> None:
    for step, whole in ((90, True), (100, True), (110, False)):
        folder = tmp_path / run.CHECKPOINTS / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
        if whole:
            run.write(folder / run.COMPLETE, "")
    assert run.last_checkpoint(tmp_path) == tmp_path / run.CHECKPOINTS / "checkpoint-100"
    assert not (tmp_path / run.CHECKPOINTS / "checkpoint-110").exists()
    assert run.last_checkpoint(tmp_path / "nowhere") is None


def test_old_checkpoints_go_and_the_best_stays(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        run.write(tmp_path / f"checkpoint-{step}" / run.COMPLETE, "")
    run.keep_checkpoints(tmp_path, {"checkpoint-30", "checkpoint-10"})
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-30", "checkpoint-10"}


def test_a_line_cut_short_is_passed_over(tmp_path: Path) -> None:
    run.append_line(tmp_path / "log", {"step": 1})
    with (tmp_path / "log").open("a") as file:
        file.write('{"step": 2, "lo')
    assert run.read_lines(tmp_path / "log") == [{"step": 1}]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    run.write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        run.write_json(tmp_path / "a.json", {"new": object()})
    assert run.read_json(tmp_path / "a.json") == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("new", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "from").write_text(name)
    run.replace_folder(tmp_path / "new", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "from").read_text() == "new"


def test_the_environment_names_no_one() -> None:
    found = run.environment("bf16")
    assert found["versions"]["torch"]
    assert str(Path.home()) not in str(found)


def test_each_training_has_a_peak_of_its_own() -> None:
    held = np.ones(50_000_000)  # 400 MB
    before = run.peak_memory()["host"]
    assert before > held.nbytes
    del held
    run.forget_peak_memory()
    if sys.platform == "linux":
        assert run.peak_memory()["host"] < before - 300_000_000
