"""The end of a run: what was measured becomes results, card and report in the run folder."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import Dataset

from hf_asr import run
from hf_asr.evaluation.evidence import Aside, clip_facts, evidence
from hf_asr.evaluation.guards import Guarded
from hf_asr.evaluation.parity import parity
from hf_asr.evaluation.results import FINE_TUNED, PIPELINE, System, predictions, summary
from hf_asr.evaluation.worst import keep_worst
from hf_asr.publish.card import card
from hf_asr.recipe import Recipe
from hf_asr.report import page
from hf_asr.training.train import Trained


def conclude(
    recipe: Recipe,
    train: Dataset,
    test: Dataset,
    guards: tuple[Guarded, ...],
    systems: Mapping[str, System],
    asides: Mapping[str, Aside],
    trained: Trained,
) -> dict[str, Any]:
    """Write predictions, audio of the worst clips, results, card and report; returns what results.json holds."""
    folder = Path(recipe.output)
    tested = systems[FINE_TUNED].contexts[PIPELINE].predictions
    same = parity(folder / run.MODEL, test, tested)
    facts = clip_facts(test, tested, train["raw"][:], recipe)
    rows = list(predictions(systems, facts))
    found = evidence(systems, rows, guards, asides)
    training = asdict(trained)
    memory = training.pop("peak_memory")
    results = summary(recipe, systems, found, training, same, memory)
    run.write_lines(folder / run.PREDICTIONS, rows)
    keep_worst(folder, test, tested)
    run.write_json(folder / run.RESULTS, results)  # marks the run as finished; what follows is made from it
    finish(folder)
    return results


def finish(folder: Path) -> None:
    """Card and report of a finished run, and no checkpoints: these go last, so that a kill in between is seen."""
    run.write(folder / run.CARD, card(folder))
    page.write(folder)
    run.clean(folder)
