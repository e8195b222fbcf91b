"""Speech that must not be forgotten: measured before and after training, never trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from hf_asr import recipe
from hf_asr.data.clips import load_clips
from hf_asr.data.durations import content_key
from hf_asr.data.splits import transcript_key
from hf_asr.data.tables import DataError, LeftOut
from hf_asr.evaluation.evaluate import Evaluation, evaluate, require_words
from hf_asr.evaluation.results import FINE_TUNED, PIPELINE, ZERO_SHOT, once, paired, row
from hf_asr.models.recogniser import Recogniser


@dataclass(frozen=True)
class Guarded:
    """A guard's clips, and everything that is not among them: given == clips + left_out."""

    name: str
    clips: Dataset
    given: int
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...]
    checksum: str


def load_guards(
    guards: Sequence[recipe.Guard], metric: recipe.Text, language: str | None, trained: Dataset
) -> tuple[Guarded, ...]:
    """Every usable clip of each guard, but for recordings that are in `trained`, the train side.

    Raises DataError for a guard of which nothing can be measured; called before training, so that it is told then.
    """
    if not guards:
        return ()
    heard = {content_key(row["audio"]) for row in trained.select_columns("audio")}
    said = {transcript_key(text) for text in trained["text"][:]}
    return tuple(
        _load(guard, f"guards.{at} ({guard.name})", metric, language, heard, said) for at, guard in enumerate(guards)
    )


def _load(
    guard: recipe.Guard, place: str, metric: recipe.Text, language: str | None, heard: set[str], said: set[str]
) -> Guarded:
    source = guard.source.model_copy(update={"use": "test"})
    try:
        found = load_clips(recipe.Data(sources=(source,)), recipe.Text(), language)
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    table = found.test
    known = [content_key(row["audio"]) in heard for row in table.select_columns("audio")]
    clips = table.select([number for number, one in enumerate(known) if not one])
    if not len(clips):
        raise DataError(f"{place}: each of its recordings is in train, too: a guard is speech that is not trained on")
    require_words(clips, metric, language, place)
    lost = [
        LeftOut(identity, "recording also in train", "", seconds)
        for identity, seconds, one in zip(table["id"][:], table["seconds"][:], known, strict=True)
        if one
    ]
    shared = sum(transcript_key(text) in said for text in clips["text"][:])
    warning = f"{shared} of {len(clips)} transcripts of {place} are in train, too: it may look better kept than it is"
    return Guarded(
        name=guard.name,
        clips=clips,
        given=found.given,
        left_out=(*found.left_out, *lost),
        warnings=(*(f"{place}: {told}" for told in found.warnings), *([warning] if shared else [])),
        checksum=found.checksum,
    )


def measure_guards(
    recogniser: Recogniser,
    guards: Sequence[Guarded],
    metric: recipe.Text,
    language: str | None,
    decoding: recipe.Decoding,
    folder: Path | None = None,
) -> dict[str, Evaluation]:
    """Each guard by name, as a plain pipeline() hears it.

    With `folder`, for the measurement before training: kept there, and read back after an interruption.
    """
    found = {}
    for number, guard in enumerate(guards):

        def measure(clips: Dataset = guard.clips) -> Evaluation:
            return evaluate(recogniser, clips, metric, language, decoding, full_context=True)

        # by checksum, so that a guard whose data changed in between is measured anew
        kept = f"{ZERO_SHOT} guard {number} {guard.checksum[:12]}"
        found[guard.name] = once(folder, kept, measure) if folder else measure()
    return found


def guard_rows(guards: Sequence[Guarded], systems: Mapping[str, Mapping[str, Evaluation]]) -> list[dict[str, Any]]:
    """Rows of results.json from what measure_guards found for each system; fine-tuned against zero-shot."""
    rows = []
    for guard in guards:
        found = {system: measured[guard.name] for system, measured in systems.items() if guard.name in measured}
        comparison = None
        if ZERO_SHOT in found and FINE_TUNED in found:
            named = {"system": FINE_TUNED, "against": ZERO_SHOT, "context": PIPELINE}
            comparison = named | paired(found[ZERO_SHOT], found[FINE_TUNED])
        rows.append(
            {
                "name": guard.name,
                "clips": len(guard.clips),
                "systems": {system: row(one) for system, one in found.items()},
                "comparison": comparison,
            }
        )
    return rows


def guard_account(guards: Sequence[Guarded]) -> list[dict[str, Any]]:
    """Rows of data.json: what each guard was given, and every clip of it that is not measured."""
    return [
        {
            "name": guard.name,
            "given": guard.given,
            "clips": len(guard.clips),
            "hours": sum(guard.clips["seconds"][:]) / 3600,
            "left_out": [asdict(one) for one in guard.left_out],
        }
        for guard in guards
    ]
