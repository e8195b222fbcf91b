"""One training: resumed when it was interrupted, the best checkpoint by validation WER in the end."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from transformers import TrainerState, set_seed

from hf_asr import run
from hf_asr.data.clips import Clips
from hf_asr.data.tables import DataError
from hf_asr.evaluation.evaluate import evaluate
from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import Recipe
from hf_asr.training.attention import quick_attention
from hf_asr.training.batches import Plan
from hf_asr.training.budget import Budget, Clock, budget
from hf_asr.training.gradients import FiniteGradients
from hf_asr.training.journal import Journal, out_of_patience
from hf_asr.training.lora import adapted, merged
from hf_asr.training.masks import spec_augment
from hf_asr.training.precision import precision
from hf_asr.training.publishing import Publisher
from hf_asr.training.trainer import LOST, SpeechTrainer, arguments


@dataclass(frozen=True)
class Trained:
    """What training did, for results.json."""

    steps: int
    best_step: int | None
    epochs: float
    minutes: float
    parameters: int
    trainable: int
    precision: str  # that `auto` came to
    peak_memory: dict[str, int]  # bytes, of the first process and its device
    unreadable: tuple[str, ...]  # ids of training clips that could not be read after all


def plan_for(clips: Clips, recipe: Recipe, whisper: bool, processes: int) -> Plan:
    """The steps of the recipe's training. Raises DataError when a step cannot give every device a clip."""
    parts = processes * recipe.training.accumulation
    if len(clips.train) < parts:
        raise DataError(f"{len(clips.train)} training clips cannot be shared by {parts} parts of a step")
    own = whisper and recipe.whisper.own_length
    return Plan(
        seconds=np.asarray(clips.train["seconds"][:], float),
        weights=np.asarray(clips.train["weight"][:], float),
        batch_seconds=recipe.training.batch_seconds,
        parts=parts,
        seed=recipe.seed,
        trailing_silence=recipe.whisper.trailing_silence if whisper else None,
        full_context_share=recipe.whisper.full_context_share if own else float(whisper),
    )


def train(recogniser: Recogniser, clips: Clips, recipe: Recipe, folder: Path) -> tuple[Recogniser, Trained]:
    """Fine-tune in place; the recogniser comes back with the best weights, LoRA merged."""
    state, training = PartialState(), recipe.training
    set_seed(recipe.seed)
    network = adapted(recogniser, recipe.model.lora)
    plan = plan_for(clips, recipe, recogniser.family == "whisper", state.num_processes)
    planned = budget(plan, training)
    last = run.last_checkpoint(folder) if state.is_main_process else None
    state.wait_for_everyone()
    last = last or run.last_checkpoint(folder)
    chosen = _precision(folder, recipe, recogniser)
    run.forget_peak_memory()
    clock = Clock(
        _cut_log(folder, last) if state.is_main_process else 0.0,
        shared=state.num_processes > 1 and training.max_minutes is not None,
    )

    def look() -> Any:
        full = not recipe.whisper.own_length
        return evaluate(recogniser, clips.validation, recipe.metric, recipe.language, recipe.decoding, full)

    trainer = SpeechTrainer(
        recogniser=recogniser,
        network=network,
        clips=clips.train,
        eval_dataset=clips.validation,  # only to please the Trainer: `look` reads it
        plan=plan,
        training=training,
        budget=planned,
        clock=clock,
        look=look,
        args=arguments(training, folder, recipe.seed, planned, recogniser.family, chosen),
        callbacks=[
            FiniteGradients(),
            Journal(folder, training, planned, clock),
            Publisher(folder, recipe.hub, recogniser.processor),
        ],
    )
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    total = sum(p.numel() for p in network.parameters())
    if last is not None and _is_over(last, recipe, planned, clock):
        # killed after the end and before the model was saved: not one step more
        trainer.state = _state(last)
        trainer._load_best_model()
    else:
        quick = quick_attention(recogniser.model, trainer.args.bf16, float(plan.seconds.max()))
        with quick, spec_augment(recogniser, training.augment.spec_augment):
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    state.wait_for_everyone()  # each process notes what it could not read
    lost = {name for file in (folder / run.CHECKPOINTS).glob(f"{LOST}-*.jsonl") for name in run.read_lines(file)}
    done = trainer.state
    for wrapped in (network, recogniser.model):
        # accelerate leaves its autocast around forward; the test is read as pipeline() reads, in float32
        wrapped.__dict__.pop("forward", None)
    return replace(recogniser, model=merged(network)), Trained(
        steps=done.global_step,
        best_step=done.best_global_step,
        epochs=done.global_step / planned.steps_per_epoch,
        minutes=clock.minutes,
        parameters=total,
        trainable=trainable,
        precision=chosen,
        peak_memory=run.peak_memory(),
        unreadable=tuple(sorted(lost)),
    )


def _precision(folder: Path, recipe: Recipe, recogniser: Recogniser) -> str:
    """As the run was begun, perhaps on another machine; else what `auto` means on this one."""
    begun = run.read_json(folder / run.ENVIRONMENT) if (folder / run.ENVIRONMENT).exists() else {}
    return str(begun.get("precision") or precision(recipe.training, recogniser.family))


def _state(checkpoint: Path) -> TrainerState:
    state: TrainerState = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    return state


def _is_over(checkpoint: Path, recipe: Recipe, planned: Budget, clock: Clock) -> bool:
    state = _state(checkpoint)
    return planned.progress(state.global_step, clock.minutes) >= 1 or out_of_patience(state, recipe.training.patience)


def _cut_log(folder: Path, last: Path | None) -> float:
    """Leave in the log what led to the checkpoint, since the steps after it come again; minutes it took."""
    step = 0 if last is None else _state(last).global_step
    rows = [row for row in run.read_lines(folder / run.LOG) if row["step"] <= step and last is not None]
    run.write_lines(folder / run.LOG, rows)
    return float(rows[-1]["minutes"]) if rows else 0.0
