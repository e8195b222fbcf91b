"""What the page compares: the model of a run, the checkpoint it began from, its baseline; what the run says of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download

from hf_asr import recipe, run
from hf_asr.errors import UserError
from hf_asr.evaluation.results import BASELINE, FINE_TUNED, PIPELINE, ZERO_SHOT
from hf_asr.models.checkpoints import EMBEDDED, from_folder, saved_beams
from hf_asr.models.recogniser import CheckpointError, Recogniser
from hf_asr.recipe import file as recipe_file
from hf_asr.screen import say

LEAVE_OUT = "none"  # in place of a model: do not load it


@dataclass(frozen=True)
class System:
    """One recogniser of the page; without `recogniser` it could not be loaded, and `missing` says why."""

    name: str
    model: str  # as it may be shown: a Hub id or the last part of a path
    recogniser: Recogniser | None = None
    beams: int = 1
    missing: str = ""
    score: Mapping[str, Any] | None = None  # its row of results.json, read as pipeline() reads
    own_length: bool = False  # Whisper trained at the clip's own length: it may be read so, which is faster


@dataclass(frozen=True)
class Exhibit:
    """All that the page shows; `run` and the others are empty for a model without a run folder."""

    title: str
    systems: tuple[System, ...]
    metric: recipe.Text
    language: str | None = None
    normaliser: str = ""
    trained_on: str = ""
    verdict: str = ""


def open_exhibit(target: str, zero_shot: str | None = None, baseline: str | None = None) -> Exhibit:
    """The run folder, model folder or Hub id `target` and what it is compared with, ready to decode.

    `zero_shot`, `baseline`: another model than the run's, or "none". What cannot be loaded for comparison is
    told on the page; raises UserError when `target` itself cannot.
    """
    folder, model = _find(target)
    results = _results(folder)
    settings = _recipe(folder)
    rows = results.get("systems", {})
    language = results.get("language") or (settings.language if settings else None)
    revision = settings.model.revision if settings else None
    own_length = settings is not None and settings.whisper.own_length
    title = results.get("name") or shown(folder or target)
    ours = _load(FINE_TUNED, model, language, rows.get(FINE_TUNED), own_length=own_length)
    found = [replace(ours, model="this run's model") if folder else ours]
    began = zero_shot or (rows.get(ZERO_SHOT) or {}).get("checkpoint")
    if began and began != LEAVE_OUT:
        found.append(_try(ZERO_SHOT, began, language, rows.get(ZERO_SHOT), revision))
    scratch = baseline or _baseline(folder, rows)
    if scratch and scratch != LEAVE_OUT:
        found.append(_try(BASELINE, scratch, language, rows.get(BASELINE), None))
    return Exhibit(
        title=title,
        systems=tuple(found),
        language=language,
        normaliser=results.get("normaliser", ""),
        trained_on=_trained_on(settings, rows.get(FINE_TUNED) or {}),
        verdict=_verdict(results.get("comparisons") or []),
        metric=settings.metric if settings else recipe.Text(case="lower", punctuation="strip"),
    )


def shown(name: str | Path) -> str:
    """A model or data set as a stranger may see it: a Hub id as it is, of a path its last part only."""
    text = str(name)
    hub = text.count("/") == 1 and not text.startswith(("/", ".", "~")) and not Path(text).exists()
    return text if hub or text.startswith(EMBEDDED) else Path(text).resolve().name


def _find(target: str) -> tuple[Path | None, str]:
    """(run folder, model) of what was given. Raises UserError."""
    path = Path(target).expanduser()
    if not path.exists():
        return None, target  # a Hub id, or from_folder says what is wrong
    if (path / run.MODEL / "config.json").is_file():
        return path, str(path / run.MODEL)
    if (path / "config.json").is_file():
        parent = path.resolve().parent
        return (parent if (parent / run.RESULTS).is_file() else None), str(path)
    if (path / run.RECIPE).is_file():
        raise UserError(f"{path} holds no model yet: the same `finetune` command again goes on with the run")
    raise UserError(f"{path} is neither a run folder nor a saved model (no {run.MODEL}/ and no config.json)")


def _results(folder: Path | None) -> dict[str, Any]:
    if folder is None or not (folder / run.RESULTS).is_file():
        return {}
    return dict(run.read_json(folder / run.RESULTS))


def _recipe(folder: Path | None) -> recipe.Recipe | None:
    if folder is None or not (folder / run.RECIPE).is_file():
        return None
    return recipe_file.load(str(folder / run.RECIPE), check_exists=False)


def _baseline(folder: Path | None, rows: Mapping[str, Any]) -> str | None:
    inside = folder / run.BASELINE / run.MODEL if folder else None
    if inside is not None and inside.is_dir():
        return str(inside)
    checkpoint = (rows.get(BASELINE) or {}).get("checkpoint")
    return str(checkpoint) if checkpoint else None


def _load(name: str, model: str, language: str | None, row: Any, own_length: bool = False) -> System:
    say(f"loading {name}: {shown(model)}")
    recogniser = from_folder(model, recipe.Whisper(), language)
    recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    score = ((row or {}).get("contexts") or {}).get(PIPELINE)
    own_length = own_length and recogniser.family == "whisper"
    return System(name, shown(model), recogniser, saved_beams(recogniser), score=score, own_length=own_length)


def _try(name: str, model: str, language: str | None, row: Any, revision: str | None) -> System:
    """The same for what is only compared with: from this computer, never fetched; its absence is no error."""
    label = "random weights, the same recordings" if Path(model).parent.name == run.BASELINE else shown(model)
    try:
        here = Path(model).is_dir() or model.startswith(EMBEDDED)
        local = model if here else snapshot_download(model, revision=revision, local_files_only=True)
        found = _load(name, local, language, row)
    except (OSError, ValueError, CheckpointError) as error:
        say(f"  [yellow]{name} is left out[/]: {label}: {str(error).splitlines()[0]}")
        score = ((row or {}).get("contexts") or {}).get(PIPELINE)
        return System(name, label, missing="it is not on this computer, or cannot be read", score=score)
    return replace(found, model=label)


def _trained_on(settings: recipe.Recipe | None, row: Mapping[str, Any]) -> str:
    """e.g. fine-tuned from openai/whisper-tiny.en on 0.26 hours of prompts-en."""
    if settings is None:
        return ""
    start = (
        f"fine-tuned from {shown(settings.model.checkpoint)}" if settings.model.checkpoint else "trained from scratch"
    )
    hours = f"{row['train_hours']:.2f} hours of " if row.get("train_hours") else ""
    sources = ", ".join(dict.fromkeys(shown(source.path).removeprefix("embedded:") for source in settings.data.sources))
    return f"{start} on {hours}{sources}"


def _verdict(comparisons: list[dict[str, Any]]) -> str:
    """e.g. better than zero-shot by 5.1 points of WER (2.4 to 8.3)."""
    for row in comparisons:
        if (row.get("system"), row.get("against"), row.get("context")) == (FINE_TUNED, ZERO_SHOT, PIPELINE):
            low, high = sorted(abs(100 * row[key]) for key in ("low", "high"))
            if row["verdict"] == "no evidence of a difference":
                return f"{row['verdict']} from zero-shot"
            points = f"{abs(100 * row['difference']):.1f} points of WER ({low:.1f} to {high:.1f})"
            return f"{row['verdict']} than zero-shot by {points}"
    return ""
