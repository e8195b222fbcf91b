"""Run folders as `hf-asr finetune` leaves them, made in no time: real transcripts, errors put in on purpose."""

import csv
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.evaluation.metrics import compare, score
from hf_asr.recipe import Recipe
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import describe, normalise
from tests import small

PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en"
RATES = {"zero-shot": 0.15, "fine-tuned": 0.05, "baseline": 0.6}


def prompts(count: int) -> list[tuple[str, str, float]]:
    """Id, transcript and seconds of so many embedded prompts, again from the first when there are no more."""
    with (PROMPTS / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = [(rows[n % len(rows)], n // len(rows)) for n in range(count)]
    return [
        (row["file_name"].removesuffix(".ogg") + (f"#{again}" if again else ""), row["text"], float(row["seconds"]))
        for row, again in chosen
    ]


def misheard(text: str, rate: float, chance: random.Random, others: Sequence[str]) -> str:
    """The text with words replaced, left out and added, each with a third of the rate."""
    words, spaced = [], text.isascii() or " " in text
    others = others if spaced else [char for other in others for char in other]
    for word in text.split() if spaced else text:
        what = chance.random() / rate * 3
        words += (
            [chance.choice(others)]
            if what < 1
            else []
            if what < 2
            else [word, chance.choice(others)]
            if what < 3
            else [word]
        )
    return (" " if spaced else "").join(words)


def predictions(clips: Sequence[tuple[str, str, float]], recipe: Recipe, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of predictions.jsonl."""
    chance = random.Random(seed)
    others = sorted({word for _, text, _ in clips[:200] for word in text.split()}) or ["word"]
    return [
        {
            "id": name,
            "transcript": text,
            "reference": normalise(text, recipe.metric, recipe.language),
            "seconds": seconds,
            "speaker": "en_US_f_Allison",
            "facts": {
                "duration": seconds,
                "speech rate": round(len(text.split()) / seconds, 2),
                "loudness": round(chance.gauss(-22, 3), 1),
                "signal-to-noise": round(chance.gauss(24, 6), 1),
                "words unseen in training": chance.choice([0, 0, 0, 1, 2]),
            },
            "systems": {
                system: {"pipeline": misheard(text, rate, chance, others)}
                | ({"own length": misheard(text, rate, chance, others)} if system != "baseline" else {})
                for system, rate in RATES.items()
            },
        }
        for name, text, seconds in clips
    ]


def heard(rows: Sequence[Any], recipe: Recipe, system: str, context: str = "pipeline") -> list[str]:
    return [normalise(row["systems"][system][context], recipe.metric, recipe.language) for row in rows]


def results(rows: Sequence[Any], recipe: Recipe) -> dict[str, Any]:
    """results.json, version 2, with figures that follow from the rows."""
    references = [row["reference"] for row in rows]
    about = {
        "zero-shot": "weights of openai/whisper-tiny.en, its own tokens",
        "fine-tuned": "weights of openai/whisper-tiny.en, its own tokens",
        "baseline": "random weights, a new head of 28 units",
    }

    def measured(system: str, context: str, some: Sequence[int] | None = None) -> dict[str, Any]:
        chosen = range(len(rows)) if some is None else some
        texts = heard(rows, recipe, system, context)
        found = asdict(score([references[n] for n in chosen], [texts[n] for n in chosen], resamples=200))
        return {**found, "seconds": 41.3, "real_time_factor": 0.031, "unreadable": []}

    systems = {
        system: {
            "about": about[system],
            "checkpoint": None if system == "baseline" else "openai/whisper-tiny.en",
            "parameters": 1_204_221 if system == "baseline" else 37_760_640,
            "bytes": None if system == "zero-shot" else 4_817_000 if system == "baseline" else 151_061_672,
            "train_hours": None if system == "zero-shot" else 0.26,
            "train_minutes": {"fine-tuned": 3.1, "baseline": 5.9}.get(system),
            "contexts": {context: measured(system, context) for context in rows[0]["systems"][system]},
        }
        for system in RATES
    }
    comparisons = [
        {
            "system": "fine-tuned",
            "against": against,
            "context": "pipeline",
            **asdict(
                compare(references, heard(rows, recipe, against), heard(rows, recipe, "fine-tuned"), resamples=1000)
            ),
        }
        for against in ("zero-shot", "baseline")
    ]
    return {
        "name": "prompts-whisper",
        "language": recipe.language,
        "licence": "cc-by-sa-3.0",
        "normaliser": describe(recipe.metric),
        "decoding": {"beams": 1},
        "systems": systems,
        "comparisons": comparisons,
        "slices": slices(rows, measured),
        "confusions": confusions(rows, recipe),
        "probes": [
            {
                "probe": name,
                "clips": 20,
                "systems": {"zero-shot": {"spoke": 9, "words": 31}, "fine-tuned": {"spoke": 1, "words": 3}},
            }
            for name in ("silence", "white noise", "music")
        ],
        "guards": [
            {
                "name": "librispeech",
                "clips": 100,
                "systems": {
                    "zero-shot": measured("zero-shot", "pipeline"),
                    "fine-tuned": measured("fine-tuned", "pipeline"),
                },
                "comparison": comparisons[0],
            }
        ],
        "timestamps": {"fine-tuned": {"clips": 20, "valid": 19, "problems": [[rows[0]["id"], "ends after the clip"]]}},
        "parity": {"clips": 20, "equal": 19, "differing": [[rows[1]["id"], "Added", "Add it."]]},
        "training": {
            "steps": 300,
            "best_step": 250,
            "epochs": 12.0,
            "minutes": 3.1,
            "parameters": 37_760_640,
            "trainable": 29_552_256,
            "precision": "float32",
            "unreadable": [],
        },
        "peak_memory_bytes": {"host": 2_453_462_784},
    }


def slices(rows: Sequence[Any], measured: Any) -> list[dict[str, Any]]:
    edges = {
        "duration": (("under 2 s", 0, 2), ("2 to 5 s", 2, 5), ("5 s and more", 5, 1e9)),
        "speech rate": (("under 2 words a second", 0, 2), ("2 to 3", 2, 3), ("3 and more", 3, 1e9)),
        "words unseen in training": (("none", 0, 1), ("1 and more", 1, 1e9)),
    }
    found = []
    for by, parts in edges.items():
        for name, low, high in parts:
            some = [n for n, row in enumerate(rows) if low <= row["facts"][by] < high and row["reference"]]
            if some:
                wers = {system: measured(system, "pipeline", some) for system in RATES}
                kept = {
                    system: {key: row[key] for key in ("wer", "wer_low", "wer_high")} for system, row in wers.items()
                }
                found.append(
                    {"by": by, "slice": name, "clips": len(some), "words": wers["fine-tuned"]["words"], "systems": kept}
                )
    return found


def confusions(rows: Sequence[Any], recipe: Recipe) -> list[dict[str, Any]]:
    import jiwer

    texts = heard(rows, recipe, "fine-tuned")
    output, counts = jiwer.process_words([row["reference"] for row in rows], texts), Counter[tuple[str, str]]()
    for said, got, chunks in zip(output.references, output.hypotheses, output.alignments, strict=True):
        for chunk in chunks:
            a, b = said[chunk.ref_start_idx : chunk.ref_end_idx], got[chunk.hyp_start_idx : chunk.hyp_end_idx]
            if chunk.type != "equal":
                counts.update(
                    (a[n] if n < len(a) else "", b[n] if n < len(b) else "") for n in range(max(len(a), len(b)))
                )
    return [{"reference": a, "hypothesis": b, "count": n} for (a, b), n in counts.most_common(30)]


def log(steps: int, every: int = 50) -> list[dict[str, Any]]:
    """log.jsonl of a Whisper that learns: loss from 3 down to 0.1."""
    chance, rows = random.Random(1), []
    for step in range(1, steps + 1):
        common = {"minutes": step / steps * 3.1, "epoch": round(step / steps * 12, 3), "step": step}
        loss = 0.08 + 2.9 * 2.0 ** (-step / steps * 8) * chance.uniform(0.6, 1.4)
        rows.append({"loss": loss, "grad_norm": 2.0, "learning_rate": 1e-4, **common})
        if step % every == 0:
            wer = 0.03 + 0.08 * 2.0 ** (-step / steps * 5) + (0.004 if step > steps * 0.9 else 0)
            rows.append({"eval_wer": wer, "eval_cer": wer / 2.4, "eval_choice": wer, "eval_seconds": 2.1, **common})
    return rows


def write(
    folder: Path,
    clips: Sequence[tuple[str, str, float]],
    language: str = "en",
    audio: int = 0,
    change: Any = None,
    steps: int = 300,
) -> Path:
    """A finished run folder. change(results, rows) may alter both before they are written."""
    unfinished(folder, language, steps)
    recipe = recipe_file.load(str(folder))
    rows = predictions(clips, recipe)
    found = results(rows, recipe)
    if change is not None:
        change(found, rows)
    run.write_lines(folder / run.PREDICTIONS, rows)
    run.write_json(folder / run.RESULTS, found)
    if audio:
        _recordings(folder, rows, recipe, audio)
    return folder


def unfinished(folder: Path, language: str = "en", steps: int = 300) -> Path:
    folder.mkdir(parents=True)
    recipe = recipe_file.load(str(small.write(folder)), [f"language={language}", "training.max_steps=400"])
    (folder / "small.yaml").unlink()
    run.write(folder / run.RECIPE, recipe_file.dump(recipe))
    out = [
        {"id": f"clips/long-{n}", "reason": "too long", "detail": "25.4 s, max_seconds is 6", "seconds": 25.4}
        for n in range(9)
    ]
    side = {"clips": 55, "hours": 0.03, "speakers": 1}
    run.write_json(
        folder / run.DATA,
        {
            "given": 559,
            "given_hours": 0.43,
            "sides": {"train": {"clips": 440, "hours": 0.26, "speakers": 1}, "validation": side, "test": side},
            "left_out_by_reason": {"too long": {"clips": 9, "hours": 0.06}},
            "warnings": ["one speaker only: the test says nothing about other voices"],
            "checksum": "5d4f0eaa",
            "left_out": out,
        },
    )
    versions = {"hf-asr": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"}
    run.write_json(
        folder / run.ENVIRONMENT,
        {"python": "3.11.7", "versions": versions, "commit": "97e6525", "gpu": None, "cores": 2},
    )
    run.write_lines(folder / run.LOG, log(steps))
    return folder


def _recordings(folder: Path, rows: Sequence[Any], recipe: Recipe, count: int) -> None:
    """audio/ with the prompts of the clips with the most word errors of fine-tuned."""
    import jiwer

    output = jiwer.process_words([row["reference"] for row in rows], heard(rows, recipe, "fine-tuned"))
    errors = [sum(one.type != "equal" for one in chunks) for chunks in output.alignments]
    ranking = sorted(range(len(rows)), key=lambda n: -errors[n])[:count]
    (folder / "audio").mkdir()
    index = {}
    for number, n in enumerate(ranking):
        name = rows[n]["id"].partition("#")[0].removeprefix("clips/")
        index[rows[n]["id"]] = f"{number}.ogg"
        (folder / "audio" / f"{number}.ogg").write_bytes((PROMPTS / "clips" / f"{name}.ogg").read_bytes())
    (folder / "audio" / "index.json").write_text(json.dumps(index), encoding="utf-8")
