"""Caches in the test's own folder, and a recording of noise that differs by name."""

import datasets
import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("HF_ASR_CACHE", str(folder / "hf_asr"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "datasets")
    return folder


@pytest.fixture(scope="session")
def record():
    def write(path, seconds=1.0, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng([seed, *path.name.encode()]).normal(0, 0.1, round(seconds * RATE))
        soundfile.write(path, noise, RATE)
        return path

    return write
