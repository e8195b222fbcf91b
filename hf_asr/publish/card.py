"""A first model card: made from the run folder's own numbers, nothing typed."""

from typing import Any

from hf_asr.evaluation.results import memory_in_words
from hf_asr.recipe import Recipe
from hf_asr.recipe.file import dump

USE = """```python
from transformers import pipeline

recognise = pipeline("automatic-speech-recognition", model="{model}")
print(recognise("clip.wav")["text"])
```"""


def card(recipe: Recipe, results: dict[str, Any], data: dict[str, Any], environment: dict[str, Any]) -> str:
    """README.md of a run: YAML metadata and Markdown."""
    parts = [
        _metadata(recipe),
        f"# {recipe.name}",
        f"Speech recognition{f' for `{recipe.language}`' if recipe.language else ''}: {results['model']},"
        f" fine-tuned on {data['sides']['train']['hours']:.2f} hours of speech.",
        "## Use",
        USE.format(model=f"{recipe.output}/model"),
        "## Results",
        _results(results),
        "## Data",
        _data(data),
        "## Training",
        _training(results, environment),
        "The whole recipe, every default written out:",
        f"```yaml\n{dump(recipe).rstrip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(recipe: Recipe) -> str:
    base = recipe.model.checkpoint
    lines = ["library_name: transformers", "pipeline_tag: automatic-speech-recognition", "tags: [hf-asr]"]
    if recipe.language:
        lines.append(f"language: ['{recipe.language}']")
    if recipe.licence:
        lines.append(f"license: {recipe.licence}")
    if base is not None and base.count("/") == 1 and not base.startswith((".", "/")):
        lines.append(f"base_model: {base}")
    return "\n".join(["---", *lines, "---"])


def _results(results: dict[str, Any]) -> str:
    rows = ["| model | context | WER (95 % interval) | CER | test clips | words |", "|---|---|---|---|---|---|"]
    for name in ("zero_shot", "fine_tuned"):
        for context, row in results[name].items():
            interval = f"{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f}"
            rows.append(
                f"| {name.replace('_', '-')} | {context} | {row['wer']:.1%} ({interval}) | {row['cer']:.1%}"
                f" | {row['utterances']} | {row['words']} |"
            )
    notes = [f"Both sides normalised: {results['normaliser']}. Beam width {results['decoding']['beams']}."]
    if not results["zero_shot"]:
        notes.append("The checkpoint had no head of its own, so there is no zero-shot number.")
    for context, paired in results["comparison"].items():
        notes.append(
            f"{context}, fine-tuned against zero-shot: {paired['verdict']},"
            f" {100 * paired['difference']:+.1f} points ({100 * paired['low']:+.1f} to {100 * paired['high']:+.1f},"
            f" paired bootstrap, p = {paired['p_value']:.3f})."
        )
    parity = results["parity"]
    notes.append(
        f"A plain `pipeline()` on the saved folder gave the same text on {parity['equal']} of {parity['clips']} clips."
    )
    return "\n".join(rows) + "\n\n" + "\n".join(f"- {note}" for note in notes)


def _data(data: dict[str, Any]) -> str:
    rows = ["| side | clips | hours | speakers |", "|---|---|---|---|"]
    rows += [
        f"| {name} | {side['clips']} | {side['hours']:.2f} | {side['speakers']} |"
        for name, side in data["sides"].items()
    ]
    used = sum(side["hours"] for side in data["sides"].values())
    lines = [f"{used:.2f} of {data['given_hours']:.2f} hours were used ({data['given']} clips given)."]
    reasons = [f"{row['clips']} {reason}" for reason, row in data["left_out_by_reason"].items()]
    if reasons:
        lines.append(f"Left out: {', '.join(reasons)}.")
    return "\n".join(rows) + "\n\n" + " ".join(lines)


def _training(results: dict[str, Any], environment: dict[str, Any]) -> str:
    trained = results["training"]
    best = f", the weights of step {trained['best_step']} kept (best on validation)" if trained["best_step"] else ""
    return (
        f"{trained['steps']} steps ({trained['epochs']:.1f} epochs) in {trained['minutes']:.1f} minutes{best};"
        f" {trained['trainable']:,} of {trained['parameters']:,} parameters trained;"
        f" peak memory {memory_in_words(results['peak_memory_bytes'])};"
        f" {environment['gpu'] or environment['processor']}, {environment['processes']} process(es);"
        f" torch {environment['versions']['torch']}, transformers {environment['versions']['transformers']}."
    )
