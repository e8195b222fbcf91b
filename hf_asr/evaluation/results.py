"""What a run found, as rows for results.json, predictions.jsonl and the screen."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hf_asr import recipe, run
from hf_asr.evaluation.evaluate import Evaluation, Prediction
from hf_asr.evaluation.metrics import Score, compare
from hf_asr.evaluation.parity import Parity
from hf_asr.text.normalise import describe

PIPELINE, OWN = "pipeline", "own length"  # how Whisper hears a clip; CTC hears it one way, pipeline()'s

Measured = Mapping[str, Evaluation]  # by context


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
    about: str,
    before: Measured,
    after: Measured,
    trained: dict[str, Any],
    same: Parity,
    memory: dict[str, int],
) -> dict[str, Any]:
    """results.json. Every number in the card and on the screen is one of these."""
    references = [p.reference for p in after[PIPELINE].predictions]
    paired = {
        context: asdict(compare(references, _heard(before[context]), _heard(after[context])))
        for context in after
        if context in before
    }
    return {
        "name": settings.name,
        "model": about,
        "normaliser": describe(settings.metric),
        "decoding": {"beams": settings.decoding.beams},
        "zero_shot": {context: _row(found) for context, found in before.items()},
        "fine_tuned": {context: _row(found) for context, found in after.items()},
        "comparison": paired,
        "parity": asdict(same),
        "training": trained,
        "peak_memory_bytes": memory,
    }


def _heard(found: Evaluation) -> list[str]:
    return [p.normalised for p in found.predictions]


def _row(found: Evaluation) -> dict[str, Any]:
    return {
        **asdict(found.score),
        "seconds": round(found.took, 3),
        "real_time_factor": round(found.real_time_factor, 5),
        "unreadable": list(found.unreadable),
    }


def predictions(before: Measured, after: Measured) -> Iterator[dict[str, Any]]:
    """predictions.jsonl: one row a test clip, what was heard before and after, in every context."""
    for number, clip in enumerate(after[PIPELINE].predictions):
        yield {
            "id": clip.id,
            "transcript": clip.transcript,
            "reference": clip.reference,
            "seconds": clip.seconds,
            "speaker": clip.speaker,
            "fine_tuned": {context: found.predictions[number].hypothesis for context, found in after.items()},
            "zero_shot": {context: found.predictions[number].hypothesis for context, found in before.items()},
        }
