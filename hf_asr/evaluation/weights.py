"""How much of B in (1 - weight) * A + weight * B? Tried on validation; test is not looked at (arXiv:2109.01903)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from datasets import Dataset, concatenate_datasets

from hf_asr import recipe
from hf_asr.data.clips import load_clips, require_unchanged
from hf_asr.data.tables import DataError
from hf_asr.evaluation.evaluate import evaluate
from hf_asr.evaluation.metrics import Score
from hf_asr.models.average import average, require_free
from hf_asr.models.checkpoints import from_folder, saved_beams
from hf_asr.recipe import file as recipe_file

WEIGHTS = tuple(tenths / 10 for tenths in range(11))


@dataclass(frozen=True)
class Tried:
    weight: float
    score: Score


def best(tried: Sequence[Tried]) -> Tried:
    """The lowest WER, then CER; of equals the one nearest to A, which forgot least."""
    return min(tried, key=lambda one: (one.score.wer, one.score.cer, one.weight))


def try_on_recipe(
    a: str, b: str, name: str, overrides: Sequence[str], out: Path, weights: Sequence[float] = WEIGHTS
) -> tuple[Tried, ...]:
    """Every weight on the validation side of a recipe.

    Candidates are made beside `out`, where the chosen one is to go, and removed. Raises CheckpointError, DataError.
    """
    require_free(out)
    settings = recipe_file.load(name, overrides)
    everything = load_clips(settings.data, settings.text, settings.language)
    require_unchanged(name, overrides, everything)
    clips = everything.validation
    if not len(clips):
        raise DataError("the recipe has no validation clips to choose a weight by: see data.splits")
    return _try(a, b, clips, settings, settings.decoding, out, weights)


def try_on_data(
    a: str,
    b: str,
    path: str,
    language: str | None,
    out: Path,
    weights: Sequence[float] = WEIGHTS,
    split: str | None = None,
) -> tuple[Tried, ...]:
    """The same on all usable clips of a folder, table or Hub dataset, which should be no test data."""
    require_free(out)
    settings = recipe.Recipe(
        language=language,
        data=recipe.Data(sources=(recipe.Source(path=path, split=split, use="validation"),)),
        model=recipe.Model(checkpoint=b),
        training=recipe.Training(epochs=1),
    )
    clips = load_clips(settings.data, settings.text, language)
    everything = concatenate_datasets([clips.train, clips.validation, clips.test])
    return _try(a, b, everything, settings, None, out, weights)


def _try(
    a: str,
    b: str,
    clips: Dataset,
    settings: recipe.Recipe,
    decoding: recipe.Decoding | None,
    out: Path,
    weights: Sequence[float],
) -> tuple[Tried, ...]:
    """`decoding` None: with the beam width that B was saved with."""
    return tuple(Tried(weight, _score(a, b, weight, clips, settings, decoding, out)) for weight in weights)


def _score(
    a: str,
    b: str,
    weight: float,
    clips: Dataset,
    settings: recipe.Recipe,
    decoding: recipe.Decoding | None,
    out: Path,
) -> Score:
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        average(a, b, weight, Path(folder) / "model")
        recogniser = from_folder(str(Path(folder) / "model"), settings.whisper, settings.language)
        recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu")
        used = decoding or recipe.Decoding(beams=saved_beams(recogniser))
        # as pipeline() hears: A was never taught the clip's own length, and would lose for that alone
        found = evaluate(recogniser, clips, settings.metric, settings.language, used, full_context=True)
    return found.score
