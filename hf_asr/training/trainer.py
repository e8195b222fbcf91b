"""Transformers' Trainer with our batches, our loss and our decode path; everything else is its own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from hf_asr import recipe, run
from hf_asr.evaluation.evaluate import Evaluation
from hf_asr.models.recogniser import Family, Recogniser, frame_counter
from hf_asr.screen import say
from hf_asr.training.batches import Plan, Steps
from hf_asr.training.budget import Budget, Clock, learning_rate
from hf_asr.training.loading import Batch, TrainingClips, collate
from hf_asr.training.loss import summed_loss
from hf_asr.training.muon import muon

LOST = "lost"  # files beside the checkpoints, one a process: ids of clips that could not be read after all


class SpeechTrainer(Trainer):
    """Steps from a Plan, a loss summed over labels, validation by the decode path of every other number."""

    def __init__(
        self,
        recogniser: Recogniser,
        network: Any,
        clips: Dataset,
        plan: Plan,
        training: recipe.Training,
        budget: Budget,
        clock: Clock,
        look: Callable[[], Evaluation],
        **kwargs: Any,
    ) -> None:
        self.recogniser, self.plan, self.training, self.look = recogniser, plan, training, look
        self.budget, self.clock = budget, clock
        self.lost: set[str] = set()
        self.training_clips = TrainingClips(
            clips, recogniser.encode, training.augment, plan.seed, frame_counter(recogniser)
        )
        super().__init__(model=network, train_dataset=self.training_clips, **kwargs)
        self.remove_callback(PrinterCallback)  # the Journal tells
        # counts the labels of a whole step over parts and processes, and hands the number to compute_loss
        self.model_accepts_loss_kwargs = True

    def get_train_dataloader(self) -> DataLoader[Any]:
        arguments = self.args
        steps = Steps(
            self.plan,
            self.budget.steps,
            arguments.gradient_accumulation_steps,
            arguments.process_index,
            arguments.world_size,
        )
        return DataLoader(
            self.training_clips,
            batch_sampler=steps,
            collate_fn=collate(self.recogniser, self.training.augment.spec_augment),
            num_workers=arguments.dataloader_num_workers,
            persistent_workers=arguments.dataloader_num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            # encode and collate are closures, which only fork hands to a worker
            multiprocessing_context="fork" if arguments.dataloader_num_workers else None,
        )

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None, **_: Any
    ) -> Any:
        """Negative log likelihood summed over this part, divided by the labels of the whole step.

        So the gradient of a step is the same in one part or many, on one device or many: each process
        averages gradients over devices, hence the factor.
        """
        labels, lost = inputs.pop("labels"), inputs.pop("lost")
        for name in sorted(set(lost) - self.lost):
            run.append_line(Path(str(self.args.output_dir)) / f"{LOST}-{self.args.process_index}.jsonl", name)
        self.lost.update(lost)
        total = summed_loss(self.recogniser, model, inputs, labels)
        return total * self.args.world_size / max(num_items_in_batch, 1)

    def create_optimizer(self, model: Any = None) -> Any:
        if self.training.optimizer == "muon" and self.optimizer is None:
            network: Any = self.model if model is None else model
            decayed = set(self.get_decay_parameter_names(network))
            self.optimizer = muon(network, decayed, self.training.learning_rate, self.training.weight_decay)
            return self.optimizer
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        training = self.training

        def factor(step: int) -> float:
            middle = step + 0.5  # of the coming step: neither the first nor the last is taken at rate 0
            progress = self.budget.progress(middle, self.clock.minutes)
            return learning_rate(training.schedule, training.warmup, progress, middle)

        self.lr_scheduler = LambdaLR(self.optimizer if optimizer is None else optimizer, factor)  # type: ignore[arg-type]
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        with self.accelerator.autocast():
            found = self.look()
        metrics = {
            f"{metric_key_prefix}_wer": found.score.wer,
            f"{metric_key_prefix}_cer": found.score.cer,
            # WER decides, CER between equals: a CTC head starts out at WER 1 for a while
            f"{metric_key_prefix}_choice": found.score.wer + 1e-4 * found.score.cer,
            f"{metric_key_prefix}_seconds": found.took,
        }
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        super().log({**logs, "minutes": self.clock.minutes}, start_time)


def arguments(
    training: recipe.Training, folder: Path, seed: int, steps: Budget, family: Family, chosen: str
) -> TrainingArguments:
    """The recipe in the Trainer's own words."""
    gpu = torch.cuda.is_available()
    every = training.evaluate_every or steps.steps_per_epoch
    given = TrainingArguments(
        output_dir=str(folder / run.CHECKPOINTS),
        max_steps=steps.steps,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=chosen == "bf16",
        fp16=chosen == "fp16",
        activation_checkpointing=training.activation_checkpointing,
        torch_compile=training.compile,
        dataloader_num_workers=_workers(gpu) if training.workers is None else training.workers,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        load_best_model_at_end=True,
        metric_for_best_model="choice",
        greater_is_better=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(training.report_to) or "none",
        seed=seed,
        remove_unused_columns=False,
        label_names=["labels"],
        use_cpu=not gpu,
        # LayerDrop skips layers, and a mask embedding stays unused without SpecAugment
        ddp_find_unused_parameters=family == "ctc",
    )
    if given.n_gpu > 1:  # looked at, it settles the devices
        say(f"{given.n_gpu} GPUs: one is used; for all of them: torchrun --nproc_per_node {given.n_gpu} -m hf_asr ...")
        given._n_gpu = 1
    return given


def _workers(gpu: bool) -> int:
    # on a CPU the workers would take the cores that train
    return min(8, max(1, _cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) - 1)) if gpu else 0


def _cores() -> int:
    # not torch's threads: torchrun sets them to one a process
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
