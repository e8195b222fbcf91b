"""What the Trainer writes to trackers: in a place that outlives its checkpoints, and each training a run of its own."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"


@contextmanager
def tracked(folder: Path, trackers: Sequence[str]) -> Iterator[None]:
    """TensorBoard's files go to `tensorboard` in the run folder, unless the environment says where; W&B's run ends.

    The Trainer would write the former beside the checkpoints, which are removed at the end, and would go on with the
    latter when the baseline trains.
    """
    own = "tensorboard" in trackers and TENSORBOARD not in os.environ
    if own:
        os.environ[TENSORBOARD] = str(folder / "tensorboard")
    try:
        yield
    finally:
        if own:
            del os.environ[TENSORBOARD]
        if "wandb" in trackers:
            import wandb

            wandb.finish()
