"""Tables for a terminal, from the same rows as results.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hf_asr import run
from hf_asr.evaluation.comparison import Comparison
from hf_asr.evaluation.results import PIPELINE, ZERO_SHOT, in_words, memory_in_words, verdict
from hf_asr.evaluation.standalone import Standalone
from hf_asr.evaluation.weights import Tried, best
from hf_asr.training.preflight import Preflight, steps_in_words

out = Console(highlight=False)
SAMPLES = 3


def results_table(results: dict[str, Any], folder: Path) -> None:
    """Every system with intervals, the verdicts, some transcripts, and where everything lies."""
    out.print(systems_table(f"{results['name']}: test", results["systems"]))
    costs(results["systems"])
    out.print(f"both sides normalised: {results['normaliser']}")
    if ZERO_SHOT not in results["systems"]:
        out.print("no zero-shot row: the network had no head of its own before training")
    for paired in results["comparisons"]:
        out.print(verdict(paired))
    same = results["parity"]
    what = same.get("what", "text")
    out.print(f"plain pipeline() on the saved folder: same {what} on {same['equal']} of {same['clips']} clips")
    _samples(folder)
    trained = results["training"]
    out.print(
        f"{trained['steps']} steps, {trained['minutes']:.1f} min, {trained['trainable']:,} of {trained['parameters']:,}"
        f" parameters trained, peak memory {memory_in_words(results['peak_memory_bytes'])}"
    )
    trust = ", trust_remote_code=True" if run.brings_code(folder / run.MODEL) else ""
    out.print(
        f'{folder}: pipeline("automatic-speech-recognition", model="{folder / run.MODEL}"{trust})', soft_wrap=True
    )


def systems_table(title: str, systems: dict[str, Any]) -> Table:
    """A row for every system and context."""
    several = any(len(system["contexts"]) > 1 for system in systems.values())
    table = Table(title=title, title_justify="left")
    for name in ("system", *(("context",) if several else ()), "WER (95 % interval)", "CER", "size", "trained", "RTF"):
        table.add_column(name, justify="left" if name in ("system", "context") else "right")
    for name, system in systems.items():
        minutes = system["train_minutes"]
        trained = "" if minutes is None else f"{minutes:.1f} min"
        for context, row in system["contexts"].items():
            error = f"{row['wer']:.1%} ({100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f})"
            cells = (error, f"{row['cer']:.1%}", f"{system['parameters'] / 1e6:.1f} M", trained)
            table.add_row(name, *([context] if several else []), *cells, f"{row['real_time_factor']:.3f}")
    return table


def costs(systems: dict[str, Any]) -> None:
    """What stands in no column: hours of speech that were learned from, and the size of the weights."""
    learned = {name: one["train_hours"] for name, one in systems.items() if one.get("train_hours")}
    sizes = {name: one["bytes"] for name, one in systems.items() if one.get("bytes")}
    if learned:
        out.print("learned from: " + ", ".join(f"{name} {hours:.2f} h" for name, hours in learned.items()))
    if sizes:
        out.print("weights: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()))


def _samples(folder: Path) -> None:
    rows = run.read_lines(folder / run.PREDICTIONS)
    for row in sorted(rows, key=lambda row: abs(row["seconds"] - 3.0))[:SAMPLES]:
        out.print(f"  transcript  {row['transcript']}", markup=False, style="bold")
        for name, heard in row["systems"].items():
            out.print(f"  {name:<10}  {heard[PIPELINE]}", markup=False)


def comparison_table(found: Comparison) -> None:
    out.print(systems_table(f"{found.name}: compared on its test clips", found.systems))
    costs(found.systems)
    out.print(f"both sides normalised: {found.normaliser}")
    for paired in found.comparisons:
        out.print(verdict(paired))
    for name, equal in found.parity.items():
        out.print(f"{name}: plain pipeline() gave the same {equal} clips")


def weights_table(tried: Sequence[Tried]) -> None:
    """Each weight on validation; the chosen one is marked."""
    chosen = best(tried)
    for one in tried:
        mark = "  chosen" if one == chosen else ""
        out.print(f"{one.weight:.1f} of B: {in_words(one.score)}{mark}")


def evaluation_table(found: Standalone, output: Path | None) -> None:
    for context, one in found.found.items():
        score = one.score
        name = "with the language model" if found.with_lm else context
        out.print(f"{name}: {in_words(score)}; {score.utterances} clips, {score.words} words,", end=" ")
        out.print(
            f"{score.substitutions} substitutions, {score.deletions} deletions, {score.insertions} insertions;", end=" "
        )
        out.print(f"real-time factor {one.real_time_factor:.3f}")
        if one.unreadable:
            out.print(f"  unreadable, counted as if nothing was heard: {', '.join(one.unreadable)}")
    out.print(f"both sides normalised: {found.normaliser}")
    if found.left_out:
        out.print(f"{found.left_out} clips could not be used: `hf-asr check` on a recipe of this data says why")
    if output is not None:
        first = found.found[PIPELINE].predictions
        run.write_lines(
            output,
            ({"id": p.id, "transcript": p.transcript, "hypothesis": p.hypothesis, "seconds": p.seconds} for p in first),
        )
        out.print(f"{output}: {len(first)} hypotheses")


def check_report(found: Preflight) -> None:
    """Print the findings."""
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
    for reason, names in report.named.items():
        rest = report.left_out[reason][0] - len(names)
        told = ", ".join(names) + (f" and {rest} more: data.json of the run lists each" if rest else "")
        out.print(f"  {reason}: {told}", markup=False)
    out.print(report.histogram)
    raw, text = found.text_example
    out.print("text as written:", json.dumps(raw, ensure_ascii=False), markup=False)
    out.print("text to learn:  ", json.dumps(text, ensure_ascii=False), markup=False)
    letters = " ".join(f"{letter}{count}" for letter, count in report.characters.items())
    out.print(f"{len(report.characters)} characters in train: {letters}", markup=False)
    if report.rare:
        out.print("rare:", " ".join(f"{letter} {count}x" for letter, count in report.rare.items()), markup=False)
    lengths = ", ".join(f"{at} %: {value:g}" for at, value in report.label_lengths.items())
    out.print(f"labels a clip: {lengths}")
    head = "a new head" if found.new_head and found.family == "ctc" else "its own head"
    out.print(f"model: {found.about}; {found.parameters:,} parameters, {head}, {found.units} units")
    if found.phonemes is not None:
        out.print(f"units: {found.phonemes}")
    out.print(f"training: {steps_in_words(found.budget)}")
    out.print(f"disk: about {report.disk_bytes / 2**30:.1f} GiB of checkpoints while training")
    out.print(f"memory: {found.memory_bytes / 2**30:.1f} GiB for weights, gradients and optimiser; activations on top")
    for warning in report.warnings:
        out.print(f"[yellow]warning[/] {warning}")
