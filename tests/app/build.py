"""Finished runs to show on the page: a recipe, results as a run writes them, and models made here."""

import json
from pathlib import Path
from typing import Any

import torch

from hf_asr import recipe, run
from hf_asr.models import checkpoints
from hf_asr.models.head import with_head, written_for
from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import file as recipe_file
from tests import small

CLIPS = small.ROOT / "hf_asr" / "assets" / "prompts-en" / "clips"
UNITS = "abcdefghijklmnopqrstuvwxyz'"


def row(wer: float) -> dict[str, Any]:
    """A row of results.json, with an interval of a tenth on both sides."""
    rates = {"wer": wer, "wer_low": 0.9 * wer, "wer_high": 1.1 * wer, "cer": wer / 2, "cer_low": 0.0, "cer_high": wer}
    counts = {"words": 1000, "characters": 5000, "substitutions": 10, "deletions": 5, "insertions": 5}
    clips = {"utterances": 105, "empty_references": 0, "unreadable": [], "seconds": 3.0, "real_time_factor": 0.1}
    return {**rates, **counts, **clips}


def ctc(seed: int = 4, kind: str = "layer", units: recipe.Units | None = None) -> Recogniser:
    """A tiny wav2vec2 from random weights, made to say something."""
    torch.manual_seed(seed)
    shape = {
        **small.RECIPE["model"]["from_scratch"],  # type: ignore[index]
        "feat_extract_norm": kind,
        "initializer_range": 0.3,
    }
    bare = checkpoints.load(recipe.Model(from_scratch=shape), recipe.Whisper(), "en")
    found = with_head(bare, written_for(bare, ["the quick brown fox"], units or recipe.Units()))
    found.model.lm_head.weight.data *= 20
    return found


def folder(
    path: Path, model: Path, zero_shot: str | None, baseline: Path | None = None, own_length: bool = False
) -> Path:
    """A run folder at `path` around a saved model; its zero-shot checkpoint and baseline by name."""
    began = recipe.Model(checkpoint=zero_shot) if zero_shot else recipe.Model(from_scratch={"model_type": "wav2vec2"})
    settings = recipe.Recipe(
        name="prompts",
        language="en",
        data=recipe.Data(sources=(recipe.Source(path="embedded:prompts-en"),)),
        model=began,
        whisper=recipe.Whisper(own_length=own_length),
        training=recipe.Training(epochs=1),
    )
    systems = {"fine-tuned": system(str(model), 0.024, train_hours=0.26, train_minutes=3.0)}
    comparisons = []
    if zero_shot:
        systems = {"zero-shot": system(zero_shot, 0.075), **systems}
        comparisons = [
            {"system": "fine-tuned", "against": "zero-shot", "context": "pipeline", "difference": -0.051}
            | {"low": -0.083, "high": -0.024, "p_value": 0.002, "matched_pairs_p": 0.003, "verdict": "better"}
        ]
    if baseline:
        systems["baseline"] = system(None, 0.96)
    results = {"name": "prompts", "language": "en", "licence": "cc-by-4.0"}
    results["normaliser"] = "lower case, punctuation stripped (keeps ')"
    path.mkdir(parents=True)
    (path / run.RECIPE).write_text(recipe_file.dump(settings), encoding="utf-8")
    (path / run.RESULTS).write_text(json.dumps({**results, "systems": systems, "comparisons": comparisons}))
    (path / run.MODEL).symlink_to(model.resolve(), target_is_directory=True)
    if baseline:
        (path / "baseline").mkdir()
        (path / "baseline" / run.MODEL).symlink_to(baseline.resolve(), target_is_directory=True)
    return path


def system(checkpoint: str | None, wer: float, **trained: float) -> dict[str, Any]:
    about = {"about": f"weights of {checkpoint}", "checkpoint": checkpoint, "parameters": 1, "bytes": None}
    return {**about, "train_hours": None, "train_minutes": None, **trained, "contexts": {"pipeline": row(wer)}}
