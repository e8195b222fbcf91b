"""What a run found, as rows for results.json, predictions.jsonl and the screen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hf_asr import recipe, run
from hf_asr.evaluation.evaluate import Evaluation, Prediction
from hf_asr.evaluation.metrics import Score, compare, score
from hf_asr.evaluation.parity import Parity
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import describe, normalise

PIPELINE, OWN = "pipeline", "own length"  # how Whisper hears a clip; CTC hears it one way, pipeline()'s
ZERO_SHOT, FINE_TUNED, BASELINE = "zero-shot", "fine-tuned", "baseline"
WITH_LM = "fine-tuned + LM"

Measured = Mapping[str, Evaluation]  # by context


@dataclass(frozen=True)
class System:
    """One recogniser on the test side, and what it took to make it."""

    about: str
    checkpoint: str | None  # what it is, or began from
    parameters: int
    contexts: Measured
    bytes: int | None = None  # of the saved weights
    train_hours: float | None = None  # of speech, by the run; None: nothing was trained here
    train_minutes: float | None = None


def contexts(family: str, whisper: recipe.Whisper) -> tuple[str, ...]:
    return (PIPELINE, OWN) if family == "whisper" and whisper.own_length else (PIPELINE,)


def once(folder: Path, name: str, measure: Callable[[], Evaluation]) -> Evaluation:
    """Measure, or read what was measured before an interruption."""
    path = folder / f"{name.replace(' ', '-')}.json"
    if path.exists():
        return _from_json(run.read_json(path))
    found = measure()
    run.write_json(path, asdict(found))
    return found


def _from_json(value: dict[str, Any]) -> Evaluation:
    return Evaluation(
        **{
            **value,
            "score": Score(**value["score"]),
            "predictions": tuple(Prediction(**row) for row in value["predictions"]),
            "unreadable": tuple(value["unreadable"]),
        }
    )


def in_words(score: Score) -> str:
    """e.g. WER 8.3 % (6.9 to 9.8), CER 3.1 %."""
    return f"WER {score.wer:.1%} ({100 * score.wer_low:.1f} to {100 * score.wer_high:.1f}), CER {score.cer:.1%}"


def memory_in_words(peak: dict[str, int]) -> str:
    return ", ".join(f"{size / 2**30:.1f} GiB{' on the GPU' if name == 'gpu' else ''}" for name, size in peak.items())


def summary(
    settings: recipe.Recipe,
    systems: Mapping[str, System],
    evidence: Mapping[str, Any],
    trained: dict[str, Any],
    same: Parity,
    memory: dict[str, int],
) -> dict[str, Any]:
    """results.json. Every number in the card, the report and on the screen is one of these.

    `evidence`: rows of slices, confusions, probes, guards, timestamps.
    """
    return {
        "name": settings.name,
        "language": settings.language,
        "licence": settings.licence,
        "normaliser": describe(settings.metric),
        "decoding": {"beams": settings.decoding.beams},
        "systems": rows(systems),
        "comparisons": list(comparisons(systems, FINE_TUNED)),
        **evidence,
        "parity": asdict(same),
        "training": trained,
        "peak_memory_bytes": memory,
    }


def comparisons(systems: Mapping[str, System], name: str) -> Iterator[dict[str, Any]]:
    """The system of this name against each of the others, in every context that both were measured in."""
    for other, against in systems.items():
        for context, found in systems[name].contexts.items():
            if other != name and context in against.contexts:
                yield {"system": name, "against": other, "context": context} | paired(against.contexts[context], found)


def paired(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    references = [p.reference for p in after.predictions]
    speakers = [p.speaker for p in after.predictions]
    a, b = ([p.normalised for p in found.predictions] for found in (before, after))
    return asdict(compare(references, a, b, speakers=speakers))


def rows(systems: Mapping[str, System]) -> dict[str, Any]:
    """Systems as results.json holds them: without hypotheses."""
    return {
        name: {key: value for key, value in vars(system).items() if key != "contexts"}
        | {"contexts": {context: row(found) for context, found in system.contexts.items()}}
        for name, system in systems.items()
    }


def verdict(paired: Mapping[str, Any]) -> str:
    """e.g. fine-tuned against zero-shot, pipeline: better (-5.1 points, -8.3 to -2.4; p = 0.002)."""
    change = f"{100 * paired['difference']:+.1f} points, {100 * paired['low']:+.1f} to {100 * paired['high']:+.1f}"
    names = f"{paired['system']} against {paired['against']}, {paired['context']}"
    p = "< 0.001" if paired["p_value"] < 0.001 else f"= {paired['p_value']:.3f}"
    return f"{names}: {paired['verdict']} ({change}; paired bootstrap, p {p})"


def row(found: Evaluation) -> dict[str, Any]:
    return {
        **asdict(found.score),
        "seconds": round(found.took, 3),
        "real_time_factor": round(found.real_time_factor, 5),
        "unreadable": list(found.unreadable),
    }


def predictions(systems: Mapping[str, System], facts: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """predictions.jsonl: one row a test clip, what every system heard in every context; facts by clip id."""
    for number, clip in enumerate(systems[FINE_TUNED].contexts[PIPELINE].predictions):
        yield {
            "id": clip.id,
            "transcript": clip.transcript,
            "reference": clip.reference,
            "seconds": clip.seconds,
            "speaker": clip.speaker,
            "facts": dict(facts.get(clip.id, {})),
            "systems": {
                name: {context: found.predictions[number].hypothesis for context, found in system.contexts.items()}
                for name, system in systems.items()
            },
        }


def read_system(folder: Path, name: str = FINE_TUNED) -> System:
    """A system as a finished run measured it, hypotheses included."""
    settings = recipe_file.load(str(folder / run.RECIPE), check_exists=False)
    stored = run.read_json(folder / run.RESULTS)["systems"][name]
    rows = run.read_lines(folder / run.PREDICTIONS)
    found = {context: _measured(rows, name, context, told, settings) for context, told in stored["contexts"].items()}
    return System(**{**stored, "contexts": found})


def _measured(
    rows: Sequence[Mapping[str, Any]], name: str, context: str, told: Mapping[str, Any], settings: recipe.Recipe
) -> Evaluation:
    heard = [row["systems"][name][context] for row in rows]
    clips = tuple(
        Prediction(
            id=row["id"],
            transcript=row["transcript"],
            hypothesis=hypothesis,
            reference=row["reference"],
            normalised=normalise(hypothesis, settings.metric, settings.language),
            seconds=row["seconds"],
            speaker=row["speaker"],
        )
        for row, hypothesis in zip(rows, heard, strict=True)
    )
    references, normalised = [clip.reference for clip in clips], [clip.normalised for clip in clips]
    return Evaluation(
        score=score(references, normalised, speakers=[clip.speaker for clip in clips]),
        predictions=clips,
        unreadable=tuple(told["unreadable"]),
        took=told["seconds"],
        real_time_factor=told["real_time_factor"],
    )
