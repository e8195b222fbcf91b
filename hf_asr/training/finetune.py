"""The journey: from a recipe to a run folder with a model, its evidence and its card."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import set_seed

from hf_asr import run
from hf_asr.data.account import account
from hf_asr.data.clips import Clips
from hf_asr.decoding.decoder import save as save_decoder
from hf_asr.decoding.fit import fit_decoder
from hf_asr.evaluation.evaluate import Evaluation, evaluate
from hf_asr.evaluation.evidence import Aside, look_aside
from hf_asr.evaluation.guards import guard_account
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
from hf_asr.models.head import with_head
from hf_asr.models.recogniser import Recogniser
from hf_asr.models.scratch import scratch_model
from hf_asr.publish.public import hub_ids
from hf_asr.recipe import Hub, Recipe, RecipeError
from hf_asr.recipe import file as recipe_file
from hf_asr.screen import say
from hf_asr.training.conclude import conclude, finish
from hf_asr.training.precision import precision
from hf_asr.training.prepare import Ready, prepare
from hf_asr.training.publishing import publish
from hf_asr.training.tracking import tracked
from hf_asr.training.train import train

PATIENCE = timedelta(hours=24)  # of processes that wait while the first downloads, or tests by itself


def require_open(recipe: Recipe) -> None:
    """Raises RunError when its run folder is finished, or holds another recipe's run or something else."""
    run.require_open(Path(recipe.output), partial(_same_recipe, recipe))


def _same_recipe(recipe: Recipe, file: Path) -> bool:
    """Compared as settings: a later version writes more of them, with the defaults of before."""
    try:
        return recipe_file.load(str(file), check_exists=False) == recipe
    except RecipeError:
        return False


def finetune(recipe: Recipe) -> dict[str, Any]:
    """Run the recipe, or go on where it was interrupted; returns what results.json holds.

    Raises RunError, DataError, CheckpointError, each with what to do.
    """
    # without cpu=True, processes that torchrun starts on a CPU would not know of each other
    folder, state = Path(recipe.output), PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    if all((folder / name).exists() for name in (run.RESULTS, run.CHECKPOINTS)) and _same_recipe(recipe, folder):
        state.wait_for_everyone()
        return _finish(recipe) if state.is_main_process else {}
    if state.is_main_process:
        require_open(recipe)
        if not (folder / run.RECIPE).exists():
            run.write(folder / run.RECIPE, recipe_file.dump(recipe))
    state.wait_for_everyone()
    set_seed(recipe.seed)

    ready = prepare(recipe)
    clips, recogniser = ready.clips, ready.recogniser
    if state.is_main_process:
        _same_data(folder, clips)
        run.write_json(folder / run.DATA, _account(recipe, ready))
        if not (folder / run.ENVIRONMENT).exists():  # a run goes on in the precision it was begun in
            begun = run.environment(precision(recipe.training, recogniser.family))
            run.write_json(folder / run.ENVIRONMENT, begun)
    _tell_data(clips)

    systems: dict[str, System] = {}
    asides: dict[str, Aside] = {}
    if recogniser.processor.tokenizer is not None:
        systems[ZERO_SHOT] = _zero_shot(folder, ready, recipe)
        asides[ZERO_SHOT] = look_aside(recogniser, clips.test, ready.guards, recipe, folder)

    set_seed(recipe.seed)
    recogniser = with_head(recogniser, ready.written)
    say(f"[bold]model[/]  {recogniser.about}")
    with tracked(folder, recipe.training.report_to):
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
        train_hours=sum(clips.train["seconds"][:]) / 3600,
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


def _finish(recipe: Recipe) -> dict[str, Any]:
    """What a kill left undone after the last measurement."""
    folder = Path(recipe.output)
    finish(folder)
    publish(folder, recipe.hub, baseline=recipe.baseline is not None)
    results: dict[str, Any] = run.read_json(folder / run.RESULTS)
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
    if (Path(own.output) / run.RESULTS).exists() and not (Path(own.output) / run.CHECKPOINTS).exists():
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
