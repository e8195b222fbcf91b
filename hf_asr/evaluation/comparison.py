"""Several systems on the same clips: finished runs, with and without their language models, and any other model read
on their test side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.evaluation.parity import TEXT
from hf_asr.evaluation.results import (
    BASELINE,
    FINE_TUNED,
    PIPELINE,
    WITH_LM,
    ZERO_SHOT,
    System,
    comparisons,
    read_system,
    rows,
    verdict,
)
from hf_asr.evaluation.standalone import evaluate_recipe
from hf_asr.models.recogniser import CheckpointError


@dataclass(frozen=True)
class Comparison:
    """Rows as in results.json: systems by name, and the first run's model against each of the others.

    With its language model the first run is held against the others with theirs.
    """

    name: str
    normaliser: str
    systems: dict[str, Any]
    comparisons: tuple[dict[str, Any], ...]
    parity: dict[str, str]  # of each run: what pipeline() gave letter for letter, and on how many clips


def compare_runs(folders: Sequence[Path], models: Sequence[str] = ()) -> Comparison:
    """The runs' models, the first run's zero-shot and baseline, and `models` on its test side.

    Raises RunError when a run is not finished, or was tested on other clips, transcripts or normalisation.
    """
    results = [_finished(folder) for folder in folders]
    first, told = folders[0], results[0]
    found: dict[str, System] = {}
    fused: dict[str, System] = {}
    if ZERO_SHOT in told["systems"]:
        found[ZERO_SHOT] = read_system(first, ZERO_SHOT)
    own = found | {BASELINE: None} if BASELINE in told["systems"] else found  # names that no folder may take
    names = [_free(own, folder.resolve().name) for folder in folders]
    parity: dict[str, str] = {}
    for folder, name, one in zip(folders, names, results, strict=True):
        if one["normaliser"] != told["normaliser"]:
            raise run.RunError(f"{folder} was scored with {one['normaliser']}, {first} with {told['normaliser']}")
        name = _free(own | found, name)
        found[name] = read_system(folder, FINE_TUNED)
        if WITH_LM in one["systems"]:
            fused[f"{name} + LM"] = read_system(folder, WITH_LM)
        same = one["parity"]
        parity[name] = f"{same.get('what', TEXT)} on {same['equal']} of {same['clips']}"
        _same_clips(first, found[names[0]], folder, found[name])
    if BASELINE in told["systems"]:
        found[BASELINE] = read_system(first, BASELINE)
    for model in models:
        read = _model(model, first)
        _same_clips(first, found[names[0]], Path(model), read)
        found[_free(found, model)] = read
    verdicts = list(comparisons(found, names[0]))
    if (first_fused := f"{names[0]} + LM") in fused:
        verdicts += comparisons(fused, first_fused)
    return Comparison(told["name"], told["normaliser"], rows(found | fused), tuple(verdicts), parity)


def markdown(found: Comparison) -> str:
    """The same as a page to keep."""
    lines = ["| system | context | WER (95 % interval) | CER | words | parameters | trained |", "|---" * 7 + "|"]
    for name, system in found.systems.items():
        minutes = system["train_minutes"]
        for context, row in system["contexts"].items():
            cells = (
                name.replace("|", "\\|"),
                context,
                f"{row['wer']:.1%} ({100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f})",
                f"{row['cer']:.1%}",
                str(row["words"]),
                f"{system['parameters'] / 1e6:.1f} M",
                "" if minutes is None else f"{minutes:.1f} min",
            )
            lines.append(f"| {' | '.join(cells)} |")
    notes = [f"- {verdict(one)}" for one in found.comparisons]
    notes += [f"- {name}: plain `pipeline()` gave the same {equal} clips" for name, equal in found.parity.items()]
    head = f"# {found.name}: compared on its test clips\n\nBoth sides normalised: {found.normaliser}."
    return "\n".join([head, "", *lines, "", *notes]) + "\n"


def _finished(folder: Path) -> dict[str, Any]:
    if not (folder / run.RESULTS).is_file():
        what = "an unfinished run" if (folder / run.RECIPE).is_file() else "no run folder"
        raise run.RunError(f"{folder} is {what}: compare takes finished runs; any other model by --model")
    if not (folder / run.PREDICTIONS).is_file():
        raise run.RunError(
            f"{folder} has no {run.PREDICTIONS}, which a pushed run leaves at home: name the folder it was made in, or"
            " its model by --model"
        )
    found: dict[str, Any] = run.read_json(folder / run.RESULTS)
    if "systems" not in found:
        raise run.RunError(f"{folder} was made by an earlier version of hf-asr: repeat the run")
    return found


def _free(taken: Mapping[str, Any], name: str) -> str:
    """The name, with a number behind it when another system has it."""
    number = 2
    free = name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def _same_clips(first: Path, one: System, folder: Path, other: System) -> None:
    ours = {p.id: p.reference for p in one.contexts[PIPELINE].predictions}
    theirs = {p.id: p.reference for p in other.contexts[PIPELINE].predictions}
    if list(ours.items()) != list(theirs.items()):
        shared = len(ours.items() & theirs.items())
        raise run.RunError(
            f"{first} was tested on {len(ours)} clips, {folder} on {len(theirs)}, {shared} of them the same:"
            " WERs of different clips say nothing about each other; give both recipes the same data, splits, text,"
            f" language and max_seconds, or let one take the other's sides (`path: {first}`, see docs/evaluation.md)"
        )


def _model(model: str, first: Path) -> System:
    try:
        found = evaluate_recipe(model, str(first), ())
    except CheckpointError as error:
        raise CheckpointError(f"--model {model}: {error}") from error
    return System(f"weights of {model}", model, found.parameters, found.found)
