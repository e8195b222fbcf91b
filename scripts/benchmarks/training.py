"""Our training path against the textbook one, on the same clips, model and epochs.

Textbook, as the example scripts of transformers do it: features of every clip computed beforehand and
stored in an Arrow file, Whisper's padded to 30 s, then fixed-size batches in random order. Ours: this
package's. Each arm runs in a process of its own, so that its peak memory is its own. Time counts from
raw clips to the last step: preparing and training, without evaluation.

    ./scripts/bench training --whisper CHECKPOINT [--data FOLDER] [--epochs 2] [--ctc-epochs 2]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CLIPS_A_BATCH = 16  # of the textbook; ours fills the same mean number of clips by seconds
CTC = {
    "model_type": "wav2vec2",
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 768,
    "conv_dim": [96] * 7,
    "feat_extract_norm": "layer",
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 4,
    "layerdrop": 0.0,
    "mask_time_prob": 0.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whisper", help="a Whisper checkpoint, e.g. openai/whisper-tiny.en; without it only CTC runs")
    parser.add_argument("--data", default="embedded:prompts-en")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--ctc-epochs", type=float, default=2.0)
    parser.add_argument("--arm", nargs=2, metavar=("FAMILY", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.arm:
        print(json.dumps(arm(given, *given.arm, Path(given.folder))))
        return
    families = (["whisper"] if given.whisper else []) + ["ctc"]
    print(f"| family | path | audio s / s | prepare s | train s | WER | peak RSS MiB | MiB written |\n{'|---' * 8}|")
    for family in families:
        rows = {}
        for path in ("textbook", "ours"):
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, *sys.argv[1:], "--arm", family, path, "--folder", folder]
                environment = {**os.environ, "HF_HOME": folder, "HF_DATASETS_CACHE": f"{folder}/cache"}
                environment["HF_ASR_CACHE"] = f"{folder}/durations"
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                row = rows[path] = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {family} | {path} | {row['speed']:.1f} | {row['prepare']:.1f} | {row['train']:.1f}"
                f" | {row['wer']:.1%} | {row['rss'] / 2**20:.0f} | {row['written'] / 2**20:.1f} |",
                flush=True,
            )
        ours, textbook = rows["ours"], rows["textbook"]
        share = ours["written"] / textbook["written"]
        print(
            f"| {family} | ratio | {ours['speed'] / textbook['speed']:.2f} x | | | | | 1/{1 / max(share, 1e-9):.0f} |"
        )


def arm(given: argparse.Namespace, family: str, path: str, folder: Path) -> dict[str, float]:
    from hf_asr import recipe, run
    from hf_asr.cli import quiet
    from hf_asr.evaluation.evaluate import evaluate

    quiet()
    model: dict[str, Any] = {"checkpoint": given.whisper} if family == "whisper" else {"from_scratch": CTC}
    epochs = given.epochs if family == "whisper" else given.ctc_epochs
    settings = recipe.Recipe.model_validate(
        {
            "name": "bench",
            "output": str(folder / "run"),
            "language": "en",
            "data": {"sources": [{"path": given.data}], "splits": {"validation": 0.05, "test": 0.15}},
            "text": {} if family == "whisper" else {"case": "lower", "punctuation": "strip"},
            "model": model,
            "training": {
                "epochs": epochs,
                # the textbook's mean batch; Whisper's clips bring a second of silence each
                "batch_seconds": CLIPS_A_BATCH * (3.4 if family == "whisper" else 2.4),
                "learning_rate": 5e-5 if family == "whisper" else 5e-4,
                "evaluate_every": 10**6,
            },
        }
    )
    from hf_asr.training.prepare import prepare

    ready = prepare(settings)
    audio = sum(ready.clips.train["seconds"]) * epochs
    before = _bytes(folder)
    started = time.perf_counter()
    learn = ours if path == "ours" else textbook
    recogniser, preparing, evaluating = learn(settings, ready, folder)
    training = time.perf_counter() - started - preparing - evaluating
    rss = run.peak_memory()["host"]
    # checkpoints are the same on both sides and not counted: what is compared is what the data path writes
    written = _bytes(folder) - before - sum(_bytes(p) for p in folder.rglob("checkpoints"))
    found = evaluate(recogniser, ready.clips.test, settings.metric, "en", settings.decoding, True)
    return {
        "speed": audio / (training + preparing),
        "prepare": preparing,
        "train": training,
        "wer": found.score.wer,
        "rss": float(rss),
        "written": float(max(written, 1)),
    }


def ours(settings: Any, ready: Any, folder: Path) -> tuple[Any, float, float]:
    from hf_asr import run
    from hf_asr.models.head import with_head
    from hf_asr.training.train import train

    recogniser = with_head(ready.recogniser, ready.written)
    recogniser, _ = train(recogniser, ready.clips, settings, folder / "run")
    looks = sum(row.get("eval_seconds", 0.0) for row in run.read_lines(folder / "run" / run.LOG))
    return recogniser, 0.0, looks


def textbook(settings: Any, ready: Any, folder: Path) -> tuple[Any, float, float]:
    """Features of all clips into an Arrow file, then the stock Trainer and its own loss."""
    import torch
    from transformers import Trainer, TrainingArguments, set_seed

    from hf_asr.data.audio import decode
    from hf_asr.models.head import with_head

    set_seed(settings.seed)
    recogniser = with_head(ready.recogniser, ready.written)
    extract, whisper = recogniser.processor.feature_extractor, recogniser.family == "whisper"
    key = recogniser.model.main_input_name

    def prepared(row: dict[str, Any]) -> dict[str, Any]:
        features = extract(decode(row["audio"]), sampling_rate=16_000)[key][0]
        labels = [*recogniser.prefix, *recogniser.encode(row["text"])]
        return {key: features, "labels": labels + ([recogniser.processor.tokenizer.eos_token_id] if whisper else [])}

    started = time.perf_counter()
    table = ready.clips.train.map(
        prepared, remove_columns=ready.clips.train.column_names, cache_file_name=str(folder / "features.arrow")
    )
    preparing = time.perf_counter() - started

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = extract.pad([{key: row[key]} for row in rows], padding=True, return_tensors="pt")
        longest = max(len(row["labels"]) for row in rows)
        labels = [row["labels"] + [-100] * (longest - len(row["labels"])) for row in rows]
        batch["labels"] = torch.tensor(labels)[:, 1:] if whisper else torch.tensor(labels)
        if whisper:
            batch["decoder_input_ids"] = torch.tensor(labels)[:, :-1].clamp_min(0)
        return dict(batch)

    recogniser.model.accepts_loss_kwargs = False  # else the Trainer of 5.x scales this loss by accumulation
    arguments = TrainingArguments(
        output_dir=str(folder / "checkpoints"),
        num_train_epochs=settings.training.epochs,
        per_device_train_batch_size=CLIPS_A_BATCH,
        learning_rate=settings.training.learning_rate,
        warmup_steps=0.1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
    )
    Trainer(recogniser.model, arguments, collate, table).train()
    return recogniser, preparing, 0.0


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    main()
