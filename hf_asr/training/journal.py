"""What is told while the Trainer trains: the log, the bar, and when it has been enough."""

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from hf_asr import recipe, run, screen
from hf_asr.training.budget import ENDLESS, Budget, Clock
from hf_asr.training.gradients import NotANumber


class Journal(TrainerCallback):
    """log.jsonl as it happens, the mark of a whole checkpoint, the end by budget or patience, the bar."""

    def __init__(self, folder: Path, training: recipe.Training, budget: Budget, clock: Clock) -> None:
        self.folder, self.training, self.budget, self.clock = folder, training, budget, clock
        self.bar = screen.Bar("training", None if budget.steps == ENDLESS else budget.steps)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.start(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.stop()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        if not math.isfinite(logs.get("loss", 0.0)) and not args.fp16:  # whose scaler leaves such a step out
            raise NotANumber(
                f"the loss of step {state.global_step} is {logs['loss']}; the best checkpoint is kept. Try a lower"
                " training.learning_rate, a longer training.warmup or training.precision: float32, and another output"
            )
        if not math.isfinite(logs.get("grad_norm", 0.0)):
            logs = {**logs, "grad_norm": None}  # JSON has no NaN
        row = {**logs, "step": state.global_step, "epoch": round(state.global_step / self.budget.steps_per_epoch, 3)}
        run.append_line(self.folder / run.LOG, row)
        shown = {"loss": "{:.3f}", "eval_wer": "WER {:.1%}"}
        self.bar.tell(state.global_step, {key: text.format(row[key]) for key, text in shown.items() if key in row})

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.clock.tick()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        if self.budget.progress(state.global_step, self.clock.minutes) >= 1:
            control.should_evaluate = control.should_save = control.should_training_stop = True
        return control

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        control.should_training_stop = control.should_training_stop or out_of_patience(state, self.training.patience)
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            whole = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            run.write(whole / run.COMPLETE, "")
            best = Path(state.best_model_checkpoint or whole).name
            run.keep_checkpoints(whole.parent, {whole.name, best})


def out_of_patience(state: Any, patience: int | None) -> bool:
    """Whether the last `patience` looks at validation brought nothing better than the look before them."""
    looks = [row["eval_choice"] for row in state.log_history if "eval_choice" in row]
    return patience is not None and len(looks) > patience and min(looks[-patience:]) >= min(looks[:-patience])
