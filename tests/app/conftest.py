"""Runs made here, and a folder for uploads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hf_asr.app.systems import Exhibit, open_exhibit
from hf_asr.models import checkpoints
from tests.app import build


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Folders of tiny wav2vec2 models that say different things, by seed."""
    made: dict[int, Path] = {}

    def make(seed: int) -> Path:
        if seed not in made:
            made[seed] = tmp_path_factory.mktemp("saved") / f"model-{seed}"
            checkpoints.save(build.ctc(seed), made[seed], beams=1)
        return made[seed]

    return make


@pytest.fixture(scope="session")
def run_folder(saved: Callable[[int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "prompts"
    return build.folder(path, saved(4), str(saved(5)), saved(6))


@pytest.fixture(scope="session")
def exhibit(run_folder: Path) -> Exhibit:
    return open_exhibit(str(run_folder))


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the page keeps what was uploaded."""
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder
