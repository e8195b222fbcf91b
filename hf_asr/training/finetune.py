"""The journey: from a recipe to a run folder with a model, its evidence and its card."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import set_seed

from hf_asr import run
from hf_asr.data.account import account
from hf_asr.data.check import fits
from hf_asr.data.clips import Clips, load_clips
from hf_asr.data.noise import sounds
from hf_asr.data.replay import balanced, with_replay
from hf_asr.data.tables import DataError
from hf_asr.decoding.decoder import save as save_decoder
from hf_asr.decoding.fit import HeldOut, brought, fit_decoder, hotwords
from hf_asr.evaluation.evaluate import Evaluation, evaluate
from hf_asr.evaluation.evidence import Aside, look_aside
from hf_asr.evaluation.guards import Guarded, guard_account, load_guards
from hf_asr.evaluation.results import (
    BASELINE,
    FINE_TUNED,
    OWN,
    PIPELINE,
    WITH_LM,
    ZERO_SHOT,
    System,
    contexts,
    in_words,
    once,
    read_system,
)
from hf_asr.models import checkpoints
from hf_asr.models.head import Written, with_head, written_for
from hf_asr.models.recogniser import CheckpointError, Recogniser, frame_counter, freeze, label_limit
from hf_asr.models.scratch import scratch_model
from hf_asr.publish.public import hub_ids
from hf_asr.recipe import Hub, Recipe
from hf_asr.recipe import file as recipe_file
from hf_asr.screen import say
from hf_asr.text.pronunciation import unpronounced
from hf_asr.text.vocabulary import unknown_characters
from hf_asr.training.conclude import conclude
from hf_asr.training.lora import require_targets
from hf_asr.training.publishing import publish, require_ready
from hf_asr.training.train import train


@dataclass(frozen=True)
class Ready:
    """All that is known before a step is trained: what `check` looks at and `finetune` goes on with."""

    clips: Clips
    recogniser: Recogniser
    written: Written
    guards: tuple[Guarded, ...]


def prepare(recipe: Recipe, skeleton: bool = False) -> Ready:
    """Recordings, transcripts, checkpoint and units, and the clips that fit them; nothing is trained."""
    require_ready(recipe.hub)
    sounds(recipe.training.augment)  # a recording that cannot be read is told now, not after zero-shot
    with PartialState().main_process_first():  # the first fills the caches, the others read them
        clips = load_clips(recipe.data, recipe.text, recipe.language)
        clips = with_replay(clips, recipe.training.replay, recipe.data, recipe.text, recipe.language)
    recogniser = checkpoints.load(recipe.model, recipe.whisper, recipe.language, skeleton)
    written = written_for(recogniser, clips.train["text"], recipe.units, recipe.language, _also_written(recipe, clips))

    def unknown(text: str) -> set[str]:
        if written.lexicon is not None:
            return written.lexicon.outside(text)
        return set() if recogniser.family == "whisper" else unknown_characters(written.tokenizer, text)

    what = {} if written.lexicon is None else {"unknown_are": "words outside the lexicon"}
    clips = fits(clips, written.encode, frame_counter(recogniser), label_limit(recogniser), unknown, **what)
    clips = balanced(clips, recipe.training.replay)
    for side in ("train", "validation", "test"):
        if not len(getattr(clips, side)):
            raise DataError(f"no clips in {side}: see data.splits, or `use:` of data.sources")
    if recipe.decoding.lm is not None and recogniser.family == "whisper":
        raise CheckpointError("decoding.lm goes with a CTC head; Whisper has a language model inside: leave it out")
    freeze(recogniser, recipe.model.freeze)
    if recipe.model.lora is not None:
        require_targets(recogniser, recipe.model.lora)
    if recipe.baseline is not None:
        scratch_model(recipe.baseline, recipe.model)  # what is wrong with it is told now, not after training
    if recipe.training.compile and recogniser.family == "whisper" and recipe.whisper.own_length:
        raise CheckpointError("training.compile: every window would be compiled anew; set whisper.own_length: false")
    with PartialState().main_process_first():
        guards = load_guards(recipe.guards, recipe.metric, recipe.language, clips.train)
    told = (*unpronounced(written.unpronounced), *(warning for guard in guards for warning in guard.warnings))
    return Ready(replace(clips, warnings=(*clips.warnings, *told)), recogniser, written, guards)


def _also_written(recipe: Recipe, clips: Clips) -> Iterator[str]:
    """Texts whose words a phoneme lexicon needs beside those of train: what the language model and hotwords bring."""
    settings = recipe.decoding.lm
    if settings is None or recipe.units.kind != "phoneme":
        return
    yield from hotwords(settings, recipe.text, recipe.language)
    held_out = HeldOut([*clips.validation["text"], *clips.test["text"]])
    yield from brought(settings, held_out, recipe.text, recipe.language)


def finetune(recipe: Recipe) -> dict[str, Any]:
    """Run the recipe, or go on where it was interrupted; returns what results.json holds.

    Raises RunError, DataError, CheckpointError, each with what to do.
    """
    # without cpu=True, processes that torchrun starts on a CPU would not know of each other
    folder, state = Path(recipe.output), PartialState(cpu=not torch.cuda.is_available())
    if state.is_main_process:
        run.open_folder(folder, recipe_file.dump(recipe))
    state.wait_for_everyone()
    set_seed(recipe.seed)

    ready = prepare(recipe)
    clips, recogniser = ready.clips, ready.recogniser
    if state.is_main_process:
        _same_data(folder, clips)
        run.write_json(folder / run.DATA, _account(recipe, ready))
        run.write_json(folder / run.ENVIRONMENT, run.environment())
    _tell_data(clips)

    systems: dict[str, System] = {}
    asides: dict[str, Aside] = {}
    if recogniser.processor.tokenizer is not None:
        systems[ZERO_SHOT] = _zero_shot(folder, ready, recipe)
        asides[ZERO_SHOT] = look_aside(recogniser, clips.test, ready.guards, recipe, folder)

    set_seed(recipe.seed)
    recogniser = with_head(recogniser, ready.written)
    say(f"[bold]model[/]  {recogniser.about}")
    recogniser, trained = train(recogniser, clips, recipe, folder)
    if state.is_main_process:
        checkpoints.save(recogniser, folder / "model.new", recipe.decoding.beams)
        run.replace_folder(folder / "model.new", folder / run.MODEL)
    state.wait_for_everyone()

    systems[FINE_TUNED] = System(
        about=recogniser.about,
        checkpoint=recipe.model.checkpoint,
        parameters=recogniser.parameters,
        contexts={context: _test(recogniser, clips, recipe, context) for context in _contexts(recipe, ready)},
        bytes=run.weight_bytes(folder / run.MODEL),
        train_hours=sum(clips.train["seconds"]) / 3600,
        train_minutes=trained.minutes,
    )
    if recipe.decoding.lm is not None:
        systems[WITH_LM] = _with_lm(recogniser, clips, recipe, systems[FINE_TUNED])
    asides[FINE_TUNED] = look_aside(recogniser, clips.test, ready.guards, recipe)
    if recipe.baseline is not None:
        _from_scratch(recipe)
    if not state.is_main_process:
        return {}
    if recipe.baseline is not None:
        systems[BASELINE] = read_system(folder / run.BASELINE)
    results = conclude(recipe, clips.train, clips.test, ready.guards, systems, asides, trained)
    publish(folder, recipe.hub, baseline=recipe.baseline is not None)
    return results


def _from_scratch(recipe: Recipe) -> None:
    """The same journey from random weights, on the same split, into baseline/; goes on where it was interrupted."""
    assert recipe.baseline is not None
    own = recipe.model_copy(
        update={
            "name": f"{recipe.name}-{run.BASELINE}",
            "output": str(Path(recipe.output) / run.BASELINE),
            "model": scratch_model(recipe.baseline, recipe.model),
            "units": recipe.baseline.units,
            "training": recipe.baseline.training or recipe.training,
            "decoding": recipe.decoding.model_copy(update={"lm": None}),
            "baseline": None,
            "guards": (),
            "hub": Hub(),
        }
    )
    if (Path(own.output) / run.RESULTS).exists():
        return
    say("[bold]baseline[/]  the same clips, from random weights")
    finetune(own)


def _account(recipe: Recipe, ready: Ready) -> dict[str, Any]:
    """data.json. Which names are of the Hub is known only here: on another machine a folder may have gone."""
    return account(ready.clips) | {"guards": guard_account(ready.guards), "hub": list(hub_ids(recipe))}


def _same_data(folder: Path, clips: Clips) -> None:
    """Raises RunError when an interrupted run would go on with other recordings or transcripts."""
    before = folder / run.DATA
    if before.exists() and run.read_json(before)["checksum"] != clips.checksum:
        raise run.RunError(f"the data changed since {folder} was begun: choose another `output`, or delete it")


def _contexts(recipe: Recipe, ready: Ready) -> tuple[str, ...]:
    return contexts(ready.recogniser.family, recipe.whisper)


def _test(recogniser: Recogniser, clips: Clips, recipe: Recipe, context: str) -> Evaluation:
    return evaluate(
        recogniser, clips.test, recipe.metric, recipe.language, recipe.decoding, full_context=context == PIPELINE
    )


def _zero_shot(folder: Path, ready: Ready, recipe: Recipe) -> System:
    """The checkpoint as it came, on the test side."""
    recogniser = ready.recogniser
    recogniser.model.to(PartialState().device)
    found = {}
    for context in _contexts(recipe, ready):
        measure = partial(_test, recogniser, ready.clips, recipe, context)
        found[context] = once(folder, f"zero-shot {context}", measure)
        note = f"  ({context})" if context == OWN else ""
        say(f"[bold]zero-shot[/]  {in_words(found[context].score)}{note}")
    return System(recogniser.about, recipe.model.checkpoint, recogniser.parameters, found)


def _with_lm(recogniser: Recogniser, clips: Clips, recipe: Recipe, plain: System) -> System:
    """The same network with a language model, estimated on train, weighed on validation, kept in the model folder."""
    decoder = fit_decoder(
        recogniser,
        clips.train["text"][:],
        clips.validation,
        clips.test["text"][:],
        recipe.decoding,
        recipe.text,
        recipe.metric,
        recipe.language,
    )
    if PartialState().is_main_process:
        save_decoder(decoder, recogniser, Path(recipe.output) / run.MODEL)
    found = evaluate(
        recogniser, clips.test, recipe.metric, recipe.language, recipe.decoding, full_context=True, decoder=decoder
    )
    say(f"[bold]with the language model[/]  {in_words(found.score)}")
    return replace(plain, about=f"{plain.about}, a language model", contexts={PIPELINE: found})


def _tell_data(clips: Clips) -> None:
    sides = {"train": clips.train, "validation": clips.validation, "test": clips.test}
    parts = [f"{name} {len(table)} clips, {sum(table['seconds']) / 60:.1f} min" for name, table in sides.items()]
    say(f"[bold]data[/]  {'; '.join(parts)}")
    if clips.left_out:
        say(f"  left out {len(clips.left_out)} of {clips.given} clips: each is listed in data.json")
    for warning in clips.warnings:
        say(f"  [yellow]warning[/] {warning}")
