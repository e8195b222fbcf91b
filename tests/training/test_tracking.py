"""Where TensorBoard's files go."""

import os
from pathlib import Path

import pytest
from transformers.integrations import TensorBoardCallback

from hf_asr.training.tracking import TENSORBOARD, tracked


def test_tensorboards_files_outlive_the_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TENSORBOARD, raising=False)
    with tracked(tmp_path / "run", ("tensorboard",)):
        assert os.environ[TENSORBOARD] == str(tmp_path / "run" / "tensorboard")
    assert TENSORBOARD not in os.environ
    with tracked(tmp_path / "run", ()):
        assert TENSORBOARD not in os.environ
    monkeypatch.setenv(TENSORBOARD, "elsewhere")
    with tracked(tmp_path / "run", ("tensorboard",)):
        assert os.environ[TENSORBOARD] == "elsewhere"
    assert os.environ[TENSORBOARD] == "elsewhere"


def test_transformers_reads_that_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.setenv(TENSORBOARD, "there")
    assert TensorBoardCallback().logging_dir == "there"
