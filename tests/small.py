"""A recipe that trains in seconds: three minutes of the embedded prompts and a tiny network from random weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parent.parent

RECIPE = {
    "language": "en",
    "data": {"sources": [{"path": "embedded:prompts-en", "hours": 0.1}], "max_seconds": 6},
    "text": {"case": "lower", "punctuation": "strip"},
    "model": {
        "from_scratch": {
            "model_type": "wav2vec2",
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "conv_dim": [32, 32, 32],
            "conv_kernel": [10, 8, 8],
            "conv_stride": [8, 8, 5],
            "feat_extract_norm": "layer",
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 2,
        }
    },
    "training": {"max_steps": 24, "batch_seconds": 30, "learning_rate": 0.002, "evaluate_every": 6},
}
QUIET = {
    "model__config": "{layerdrop: 0.0, hidden_dropout: 0.0, attention_dropout: 0.0, activation_dropout: 0.0,"
    " feat_proj_dropout: 0.0, final_dropout: 0.0, mask_time_prob: 0.0, apply_spec_augment: false}"
}  # nothing random in the forward pass, for comparisons of loss and gradient


def write(folder: Path) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    return path


def command(recipe: Path, output: Path, **settings: object) -> list[str]:
    """finetune's command line; settings by dotted path, with __ for the dots."""
    pairs = {"output": output, **{key.replace("__", "."): value for key, value in settings.items()}}
    return [
        "-m",
        "hf_asr",
        "finetune",
        str(recipe),
        *(part for k, v in pairs.items() for part in ("--set", f"{k}={v}")),
    ]


def hf_asr(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """python with these arguments, in the repository, offline."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def plain_pipeline(
    model: Path, samples: np.ndarray, folder: Path, trust: bool = False
) -> subprocess.CompletedProcess[str]:
    """What pipeline() prints for samples at 16 kHz, in a process that cannot import hf_asr; `folder` holds them."""
    np.save(folder / "clip.npy", samples)
    code = (
        "import sys; sys.modules['hf_asr'] = None\n"
        "import numpy, transformers\n"
        "asr = transformers.pipeline('automatic-speech-recognition',"
        f" model={str(model)!r}, trust_remote_code={trust})\n"
        f"print(asr(numpy.load({str(folder / 'clip.npy')!r}))['text'])\n"
    )
    return hf_asr("-c", code)
