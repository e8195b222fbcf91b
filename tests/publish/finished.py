"""Finished run folders with figures chosen by hand, for card and metadata."""

import copy
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.recipe import Recipe
from hf_asr.recipe import file as recipe_file

ROW = {
    "wer": 0.0244,
    "wer_low": 0.0123,
    "wer_high": 0.0391,
    "cer": 0.0102,
    "cer_low": 0.0051,
    "cer_high": 0.0163,
    "words": 1234,
    "characters": 6543,
    "substitutions": 20,
    "deletions": 7,
    "insertions": 3,
    "utterances": 105,
    "empty_references": 0,
    "seconds": 61.5,
    "real_time_factor": 0.231,
    "unreadable": [],
}
ZERO = ROW | {"wer": 0.0753, "wer_low": 0.0541, "wer_high": 0.0987, "cer": 0.0321, "cer_low": 0.021, "cer_high": 0.044}
SCRATCH = ROW | {"wer": 0.9533, "wer_low": 0.9421, "wer_high": 0.9644, "cer": 0.4987, "cer_low": 0.48, "cer_high": 0.52}
BETTER = {"difference": -0.0509, "low": -0.0732, "high": -0.0311, "p_value": 0.002, "matched_pairs_p": 0.0004}
BETTER |= {"verdict": "better"}

RESULTS: dict[str, Any] = {
    "name": "my-run",
    "language": "en",
    "licence": "cc-by-sa-3.0",
    "normaliser": "lower case, punctuation stripped (keeps ')",
    "decoding": {"beams": 1},
    "systems": {
        "zero-shot": {
            "about": "weights of openai/whisper-tiny.en, its own tokens",
            "checkpoint": "openai/whisper-tiny.en",
            "parameters": 37_760_640,
            "bytes": None,
            "train_hours": None,
            "train_minutes": None,
            "contexts": {"pipeline": ZERO, "own length": ZERO | {"wer": 0.31}},
        },
        "fine-tuned": {
            "about": "weights of openai/whisper-tiny.en, its own tokens",
            "checkpoint": "openai/whisper-tiny.en",
            "parameters": 37_760_640,
            "bytes": 151_061_672,
            "train_hours": 0.26,
            "train_minutes": 3.02,
            "contexts": {"pipeline": ROW, "own length": ROW | {"wer": 0.0211}},
        },
        "baseline": {
            "about": "random weights, a new head of 28 units",
            "checkpoint": None,
            "parameters": 2_345_678,
            "bytes": 9_400_000,
            "train_hours": 0.26,
            "train_minutes": 5.5,
            "contexts": {"pipeline": SCRATCH},
        },
    },
    "comparisons": [
        {"system": "fine-tuned", "against": "zero-shot", "context": "pipeline", **BETTER},
        {"system": "fine-tuned", "against": "zero-shot", "context": "own length", **BETTER, "difference": -0.2889},
        {"system": "fine-tuned", "against": "baseline", "context": "pipeline", **BETTER, "difference": -0.9289},
    ],
    "slices": [
        {
            "by": "duration",
            "slice": "under 2 s",
            "clips": 12,
            "words": 55,
            "systems": {
                "zero-shot": {"wer": 0.21, "wer_low": 0.12, "wer_high": 0.31},
                "fine-tuned": {"wer": 0.0909, "wer_low": 0.0411, "wer_high": 0.1312},
            },
        },
        {
            "by": "speaker",
            "slice": "jane-doe",
            "clips": 105,
            "words": 1234,
            "systems": {"fine-tuned": {"wer": 0.0244, "wer_low": 0.0123, "wer_high": 0.0391}},
        },
    ],
    "confusions": [
        {"reference": "four", "hypothesis": "for", "count": 3},
        {"reference": "the", "hypothesis": "", "count": 5},
    ],
    "probes": [
        {
            "probe": "silence",
            "clips": 20,
            "systems": {"zero-shot": {"spoke": 9, "words": 31}, "fine-tuned": {"spoke": 1, "words": 3}},
        }
    ],
    "guards": [
        {
            "name": "librispeech",
            "clips": 100,
            "systems": {"zero-shot": ZERO | {"wer": 0.0812}, "fine-tuned": ZERO | {"wer": 0.0934}},
            "comparison": {
                "difference": 0.0122,
                "low": 0.0031,
                "high": 0.0223,
                "p_value": 0.012,
                "matched_pairs_p": None,
                "verdict": "worse",
            },
        }
    ],
    "timestamps": {"fine-tuned": {"clips": 20, "valid": 19, "problems": [["clip-7", "ends after the clip"]]}},
    "parity": {"clips": 20, "equal": 20, "differing": []},
    "training": {
        "steps": 300,
        "best_step": 250,
        "epochs": 12.0,
        "minutes": 3.02,
        "parameters": 37_760_640,
        "trainable": 29_552_256,
        "precision": "float32",
        "unreadable": [],
    },
    "peak_memory_bytes": {"host": 2_453_462_784},
}
OPTIONAL = ("slices", "confusions", "probes", "guards", "timestamps", "comparisons")
WHISPER: dict[str, Any] = {
    "name": "my-run",
    "output": "runs/my-run",
    "language": "en",
    "licence": "cc-by-sa-3.0",
    "data": {
        "sources": [{"path": "embedded:prompts-en"}],
        "splits": {"by": "transcript"},
    },
    "model": {"checkpoint": "openai/whisper-tiny.en"},
    "training": {"max_minutes": 3, "learning_rate": 3e-5, "batch_seconds": 60},
    "guards": [{"name": "librispeech", "source": {"path": "openslr/librispeech_asr", "config": "clean"}}],
}
SCRATCH_MODEL = {"from_scratch": {"model_type": "wav2vec2-bert", "hidden_size": 192}}
DATA: dict[str, Any] = {
    "given": 550,
    "given_hours": 0.3667,
    "sides": {
        "train": {"clips": 386, "hours": 0.26, "speakers": 1},
        "validation": {"clips": 52, "hours": 0.031, "speakers": 1},
        "test": {"clips": 105, "hours": 0.033, "speakers": 1},
    },
    "left_out_by_reason": {"too long": {"clips": 7, "hours": 0.0427}},
    "warnings": ["speakers are too few to divide by"],
    "checksum": "5d4f0eaaead9920b",
    "left_out": [{"id": "clips/one", "reason": "too long", "detail": "25.4 s, max_seconds is 8", "seconds": 25.4}],
}
ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.7",
    "versions": {"hf-asr": "0.1.0", "torch": "2.13.0+cpu", "transformers": "5.23.0", "peft": None},
    "commit": "97e6525+",
    "system": "Linux x86_64",
    "processor": "AMD EPYC",
    "cores": 2,
    "threads": 2,
    "gpu": None,
    "processes": 1,
}
LOG = [
    {"loss": 3.1, "step": 50, "epoch": 2.0, "minutes": 0.5},
    {"eval_wer": 0.061, "eval_cer": 0.03, "eval_choice": 0.06, "step": 50, "epoch": 2.0, "minutes": 0.5},
    {"loss": 0.21, "step": 250, "epoch": 10.0, "minutes": 2.5},
    {"eval_wer": 0.027, "eval_cer": 0.012, "eval_choice": 0.03, "step": 250, "epoch": 10.0, "minutes": 2.5},
]


def write(
    folder: Path,
    recipe: dict[str, Any] | None = None,
    results: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    model_type: str = "whisper",
) -> Path:
    """A run folder; each argument replaces keys of WHISPER, RESULTS, DATA, ENVIRONMENT."""
    settings = Recipe.model_validate(WHISPER | (recipe or {}))
    run.write(folder / run.RECIPE, recipe_file.dump(settings))
    run.write_json(folder / run.DATA, copy.deepcopy(DATA) | (data or {}))
    run.write_json(folder / run.ENVIRONMENT, ENVIRONMENT | (environment or {}))
    run.write_lines(folder / run.LOG, LOG)
    run.write_json(folder / run.RESULTS, copy.deepcopy(RESULTS) | (results or {}))
    run.write_json(folder / run.MODEL / "config.json", {"model_type": model_type})
    return folder


def from_scratch(folder: Path) -> Path:
    """The baseline's own run folder."""
    system = RESULTS["systems"]["baseline"]
    return write(
        folder,
        recipe={"name": "my-run-baseline", "model": SCRATCH_MODEL, "guards": []},
        results={key: [] for key in OPTIONAL}
        | {"name": "my-run-baseline", "systems": {"fine-tuned": system}, "timestamps": {}},
        model_type="wav2vec2-bert",
    )
