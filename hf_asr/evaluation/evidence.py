"""What is known of a system beside its error rate on the test side: where it fails, what it invents, what it forgot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from accelerate import PartialState
from datasets import Dataset

from hf_asr import recipe, run
from hf_asr.data.audio import AudioError, decode
from hf_asr.evaluation.evaluate import Evaluation, Prediction
from hf_asr.evaluation.guards import Guarded, guard_rows, measure_guards
from hf_asr.evaluation.probes import probe, probe_rows
from hf_asr.evaluation.results import FINE_TUNED, PIPELINE, System
from hf_asr.evaluation.slices import confusions, facts, slices
from hf_asr.evaluation.timestamps import check_timestamps
from hf_asr.models.recogniser import Recogniser
from hf_asr.text.normalise import normalise


@dataclass(frozen=True)
class Aside:
    """Of one system: guards by name, words written for silence and noise, timestamps (empty for CTC)."""

    guards: dict[str, Evaluation]
    probes: dict[str, dict[str, int]]
    timestamps: dict[str, Any]


def look_aside(
    recogniser: Recogniser,
    test: Dataset,
    guards: Sequence[Guarded],
    settings: recipe.Recipe,
    folder: Path | None = None,
) -> Aside:
    """All of it, as a plain pipeline() would hear. With `folder`, for the look before training, it is kept there."""
    measured = measure_guards(recogniser, guards, settings.metric, settings.language, settings.decoding, folder)
    if not PartialState().is_main_process:  # the others share the guards, and nothing more
        return Aside(measured, {}, {})
    kept = None if folder is None else folder / "zero-shot-aside.json"
    if kept is not None and kept.exists():
        return Aside(measured, **run.read_json(kept))
    probes = probe(recogniser, settings.metric, settings.language, settings.decoding)
    timestamps = check_timestamps(recogniser, test, settings.decoding.beams)
    if kept is not None:
        run.write_json(kept, {"probes": probes, "timestamps": timestamps})
    return Aside(measured, probes, timestamps)


def clip_facts(
    test: Dataset, predictions: Sequence[Prediction], trained: Sequence[str], settings: recipe.Recipe
) -> dict[str, dict[str, Any]]:
    """By clip id, what slices are made of. `trained`: transcripts of the train side, as written."""
    plain = partial(normalise, steps=settings.metric, language=settings.language)
    words = {word for text in trained for word in plain(text).split()}
    found = {}
    for row, clip in zip(test, predictions, strict=True):
        try:
            samples = decode(row["audio"])
        except AudioError:
            samples = None
        found[clip.id] = facts(samples, clip.seconds, clip.reference, words)
    return found


def evidence(
    systems: Mapping[str, System],
    rows: Sequence[Mapping[str, Any]],
    guards: Sequence[Guarded],
    asides: Mapping[str, Aside],
) -> dict[str, Any]:
    """The rows of results.json that follow from `rows` (of predictions.jsonl) and what was seen aside."""
    heard = {name: _heard(system.contexts[PIPELINE]) for name, system in systems.items()}
    references = [row["reference"] for row in rows]
    return {
        "slices": slices(rows, heard),
        "confusions": confusions(references, heard[FINE_TUNED]),
        "probes": probe_rows({name: aside.probes for name, aside in asides.items()}),
        "guards": guard_rows(guards, {name: aside.guards for name, aside in asides.items()}),
        "timestamps": {name: aside.timestamps for name, aside in asides.items() if aside.timestamps},
    }


def _heard(found: Evaluation) -> list[str]:
    return [clip.normalised for clip in found.predictions]
