"""Tables for a terminal, from the same rows as results.json."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hf_asr import run
from hf_asr.evaluation.results import PIPELINE, in_words, memory_in_words
from hf_asr.evaluation.standalone import Standalone
from hf_asr.training.preflight import Preflight, steps_in_words

out = Console(highlight=False)
SAMPLES = 3


def results_table(results: dict[str, Any], folder: Path) -> None:
    """Before and after with intervals, the verdict, some transcripts, and where everything lies."""
    table = Table(title=f"{results['name']}: test", title_justify="left")
    for name in ("model", "context", "WER", "95 % interval", "CER", "words", "RTF"):
        table.add_column(name, justify="left" if name in ("model", "context") else "right")
    for system in ("zero_shot", "fine_tuned"):
        for context, row in results[system].items():
            interval = f"{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f}"
            cells = (f"{row['wer']:.1%}", interval, f"{row['cer']:.1%}", str(row["words"]))
            table.add_row(system.replace("_", "-"), context, *cells, f"{row['real_time_factor']:.3f}")
    out.print(table)
    out.print(f"both sides normalised: {results['normaliser']}")
    if not results["zero_shot"]:
        out.print("no zero-shot row: the network had no head of its own before training")
    for context, paired in results["comparison"].items():
        change = f"{100 * paired['difference']:+.1f} points, {100 * paired['low']:+.1f} to {100 * paired['high']:+.1f}"
        out.print(f"{context}: {paired['verdict']} ({change}; paired bootstrap, p = {paired['p_value']:.3f})")
    same = results["parity"]
    out.print(f"plain pipeline() on the saved folder: same text on {same['equal']} of {same['clips']} clips")
    _samples(folder)
    trained = results["training"]
    out.print(
        f"{trained['steps']} steps, {trained['minutes']:.1f} min, {trained['trainable']:,} of {trained['parameters']:,}"
        f" parameters trained, peak memory {memory_in_words(results['peak_memory_bytes'])}"
    )
    out.print(f'{folder}: pipeline("automatic-speech-recognition", model="{folder / run.MODEL}")', soft_wrap=True)


def _samples(folder: Path) -> None:
    rows = run.read_lines(folder / run.PREDICTIONS)
    for row in sorted(rows, key=lambda row: abs(row["seconds"] - 3.0))[:SAMPLES]:
        out.print(f"  transcript  {row['transcript']}", markup=False, style="bold")
        for name in ("zero_shot", "fine_tuned"):
            if row[name]:
                out.print(f"  {name.replace('_', '-'):<10}  {row[name][PIPELINE]}", markup=False)


def evaluation_table(found: Standalone, output: Path | None) -> None:
    for context, one in found.found.items():
        score = one.score
        out.print(f"{context}: {in_words(score)}; {score.utterances} clips, {score.words} words,", end=" ")
        out.print(
            f"{score.substitutions} substitutions, {score.deletions} deletions, {score.insertions} insertions;", end=" "
        )
        out.print(f"real-time factor {one.real_time_factor:.3f}")
        if one.unreadable:
            out.print(f"  unreadable, counted as if nothing was heard: {', '.join(one.unreadable)}")
    out.print(f"both sides normalised: {found.normaliser}")
    if found.left_out:
        out.print(f"{found.left_out} clips could not be used; `hf-asr check` lists them")
    if output is not None:
        first = found.found[PIPELINE].predictions
        run.write_lines(
            output,
            ({"id": p.id, "transcript": p.transcript, "hypothesis": p.hypothesis, "seconds": p.seconds} for p in first),
        )
        out.print(f"{output}: {len(first)} hypotheses")


def check_report(found: Preflight) -> bool:
    """Print the findings; whether training could begin."""
    report = found.report
    table = Table(title="data", title_justify="left")
    for name in ("side", "clips", "minutes", "speakers"):
        table.add_column(name, justify="left" if name == "side" else "right")
    for name, side in report.sides.items():
        table.add_row(name, str(side.clips), f"{side.seconds / 60:.1f}", str(side.speakers))
    for reason, (count, seconds) in report.left_out.items():
        table.add_row(f"left out: {reason}", str(count), f"{seconds / 60:.1f}", "")
    table.add_row("given", str(report.given), f"{report.given_seconds / 60:.1f}", "")
    out.print(table)
    out.print(report.histogram)
    raw, text = found.text_example
    out.print("text as written:", json.dumps(raw, ensure_ascii=False))
    out.print("text to learn:  ", json.dumps(text, ensure_ascii=False))
    letters = " ".join(f"{letter}{count}" for letter, count in report.characters.items())
    out.print(f"{len(report.characters)} characters in train: {letters}")
    if report.rare:
        out.print("rare:", " ".join(f"{letter} {count}x" for letter, count in report.rare.items()))
    lengths = ", ".join(f"{at} %: {value:g}" for at, value in report.label_lengths.items())
    out.print(f"labels a clip: {lengths}")
    head = "a new head" if found.new_head and found.family == "ctc" else "its own head"
    out.print(f"model: {found.about}; {found.parameters:,} parameters, {head}, {found.units} units")
    out.print(f"training: {steps_in_words(found.budget)}")
    out.print(f"disk: about {report.disk_bytes / 2**30:.1f} GiB of checkpoints while training")
    out.print(f"memory: {found.memory_bytes / 2**30:.1f} GiB for weights, gradients and optimiser; activations on top")
    for warning in report.warnings:
        out.print(f"[yellow]warning[/] {warning}")
    for error in report.errors:
        out.print(f"[red]error[/] {error}")
    return not report.errors
