"""Put a finished run's model into the package as half-precision weights: the checkpoint `embedded:micro`.

    python scripts/pack_checkpoint.py runs/micro micro

Stored as float16, read as float32: config.json says so, because plain transformers would otherwise keep the
file's float16, which a CPU cannot compute with. The card is the run's own.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hf_asr import run
from hf_asr.decoding.decoder import ALPHABET, SETTINGS
from hf_asr.publish.card import card

CHECKPOINTS = Path(__file__).resolve().parents[1] / "hf_asr" / "checkpoints"
MAX_BYTES = 12_000_000
FROM_HERE = ("is_local", "local_files_only")  # transformers notes how the folder was read that training began from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    given = parser.parse_args()
    if not (given.run / run.RESULTS).is_file():
        sys.exit(f"error: {given.run} is no finished run")
    folder, source = CHECKPOINTS / given.name, given.run / run.MODEL
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in source.iterdir():
        # a language model stays behind: it knows the sentences of the training data, and is larger than the network
        if path.is_file() and path.suffix != ".safetensors" and path.name not in (SETTINGS, ALPHABET):
            shutil.copy(path, folder)
    weights = {name: tensor.to(torch.float16) for name, tensor in load_file(source / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    run.write_json(folder / "config.json", config)
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in tokenizer.items() if key not in FROM_HERE}
    run.write_json(folder / "tokenizer_config.json", kept)
    run.write(folder / run.CARD, card(given.run))
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder.name}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"error: more than {MAX_BYTES:,} bytes")


if __name__ == "__main__":
    main()
