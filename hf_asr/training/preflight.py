"""What `hf-asr check` finds: data, units, steps, disk and memory, before a step is trained."""

from dataclasses import dataclass

from hf_asr.data.check import Report, report
from hf_asr.recipe import Recipe
from hf_asr.text.pronunciation import in_words
from hf_asr.training.budget import ENDLESS, Budget, budget
from hf_asr.training.prepare import prepare
from hf_asr.training.train import plan_for

WEIGHT, GRADIENT, ADAM = 4, 4, 8  # bytes a parameter, float32


@dataclass(frozen=True)
class Preflight:
    report: Report
    about: str
    family: str
    units: int
    phonemes: str | None  # what the units are, where they are phonemes
    new_head: bool
    parameters: int
    budget: Budget
    memory_bytes: int  # weights, gradients and optimiser; activations come on top
    text_example: tuple[str, str]  # a transcript as written, and as the model will learn to write it


def preflight(recipe: Recipe) -> Preflight:
    """The journey up to the first step, on a network without weights. Raises what `finetune` would raise."""
    ready = prepare(recipe, skeleton=True)
    recogniser = ready.recogniser
    plan = plan_for(ready.clips, recipe, recogniser.family == "whisper", 1)
    count = recogniser.parameters
    trained = 0.0 if recipe.model.lora else 1.0
    changed = next(
        (
            (raw, text)
            for raw, text in zip(ready.clips.train["raw"][:], ready.clips.train["text"][:], strict=True)
            if raw != text
        ),
        (ready.clips.train["raw"][0], ready.clips.train["text"][0]),
    )
    return Preflight(
        report=report(ready.clips, ready.written.encode, recipe.training.batch_seconds, count),
        about=recogniser.about,
        family=recogniser.family,
        units=len(ready.written.tokenizer),
        phonemes=None if ready.written.lexicon is None else in_words(ready.written.lexicon),
        new_head=not ready.written.kept,
        parameters=count,
        budget=budget(plan, recipe.training),
        memory_bytes=int(count * (WEIGHT + trained * (GRADIENT + ADAM))),
        text_example=changed,
    )


def steps_in_words(found: Budget) -> str:
    bounds = [] if found.steps == ENDLESS else [f"{found.steps} steps"]
    if found.minutes is not None:
        bounds.append(f"{found.minutes:g} minutes")
    return f"{' or '.join(bounds)}, {found.steps_per_epoch} steps an epoch"
