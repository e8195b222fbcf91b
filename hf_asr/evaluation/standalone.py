"""Evaluate any saved model on a recipe's test side, or on all clips of a folder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from datasets import Dataset, concatenate_datasets

from hf_asr import recipe
from hf_asr.data.clips import load_clips, require_unchanged
from hf_asr.decoding.decoder import Decoder
from hf_asr.evaluation.evaluate import Evaluation, evaluate, require_words
from hf_asr.evaluation.results import PIPELINE, contexts
from hf_asr.models.checkpoints import from_folder, saved_beams
from hf_asr.models.recogniser import CheckpointError
from hf_asr.models.whisper import FULL_SECONDS
from hf_asr.recipe import file as recipe_file
from hf_asr.text.normalise import describe


@dataclass(frozen=True)
class Standalone:
    """What `hf-asr evaluate` found, by context, and how it was compared."""

    model: str
    found: dict[str, Evaluation]
    normaliser: str
    left_out: int
    parameters: int
    with_lm: bool = False


def evaluate_recipe(model: str, name: str, overrides: Sequence[str], decoder: Decoder | None = None) -> Standalone:
    """On the test side of a recipe, as finetune measures it; CTC greedily or with a `decoder`."""
    settings = recipe_file.load(name, overrides)
    clips = load_clips(settings.data, settings.text, settings.language)
    require_unchanged(name, overrides, clips)
    return _measure(model, clips.test, settings, 0, True, decoder)


def evaluate_data(
    model: str, path: str, language: str | None, decoder: Decoder | None = None, split: str | None = None
) -> Standalone:
    """On every usable clip of a folder, table or Hub dataset: default normaliser, the model's own beam width."""
    settings = recipe.Recipe(
        language=language,
        data=recipe.Data(sources=(recipe.Source(path=path, split=split, use="test"),)),
        model=recipe.Model(checkpoint=model),
        whisper=recipe.Whisper(own_length=False),  # who has not been trained for it loops there
        training=recipe.Training(epochs=1),
    )
    clips = load_clips(settings.data, settings.text, language)
    everything = concatenate_datasets([clips.train, clips.validation, clips.test])
    return _measure(model, everything, settings, len(clips.left_out), False, decoder)


def _measure(
    model: str, clips: Dataset, settings: recipe.Recipe, left_out: int, as_recipe: bool, decoder: Decoder | None
) -> Standalone:
    require_words(clips, settings.metric, settings.language, "test")
    recogniser = from_folder(model, settings.whisper, settings.language)
    if recogniser.family == "whisper" and max(clips["seconds"][:]) > FULL_SECONDS:
        raise CheckpointError(f"{model} hears {FULL_SECONDS:g} s of a clip: set data.max_seconds to that or less")
    decoding = settings.decoding if as_recipe else recipe.Decoding(beams=saved_beams(recogniser))
    recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu")
    found = {
        context: evaluate(
            recogniser,
            clips,
            settings.metric,
            settings.language,
            decoding,
            full_context=context == PIPELINE,
            decoder=decoder,
        )
        for context in contexts(recogniser.family, settings.whisper)
    }
    return Standalone(model, found, describe(settings.metric), left_out, recogniser.parameters, decoder is not None)
