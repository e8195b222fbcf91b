"""Publishing in training and after it. No training dies because a push failed: it is told, and training goes on."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from transformers import TrainerCallback

from hf_asr import recipe, run
from hf_asr.errors import UserError
from hf_asr.publish.files import File, model_files
from hf_asr.publish.hub import WAIT, How, plainly, push, send, signed_in, told
from hf_asr.publish.plan import Wanted, checked, require_clean, require_name

BRANCH = "training"
SCRATCH = "publishing"  # in the run folder, while a push is under way
LAST_WAIT = 120.0  # seconds that the end of training waits for a push
CARD = """---
library_name: transformers
pipeline_tag: automatic-speech-recognition
tags: [hf-asr]
---

# A training that is not finished

Weights after step {step}{wer}. The finished model, with its evidence, comes to the branch `main`.
"""


def require_ready(hub: recipe.Hub) -> None:
    """Before hours of training: raises PushError when the recipe wants to publish and there is no login."""
    if hub.to is not None:
        require_name(hub.to)
        signed_in()


def publish(folder: Path, hub: recipe.Hub, baseline: bool, tell: Callable[[str], None] = plainly, **how: Any) -> None:
    """Push a finished run where its recipe says; what goes wrong is told, with the command for another try."""
    if hub.to is None:
        return
    try:
        for done in push(folder, hub.to, How(private=hub.private), baseline=baseline, tell=tell, **how):
            tell(f"  {told(done)}")
    except Exception as error:
        again = f"hf-asr push {folder}" + (" --baseline" if baseline else "")
        tell(f"  the run is finished and was not pushed: {_words(error)}\n  again: {again}")


class Publisher(TrainerCallback):
    """After every `hub.every` looks at validation the weights so far go to the branch `training`.

    In a thread, so that training does not wait for the network; a look that comes while the last push is still
    under way is passed over.
    """

    def __init__(
        self,
        folder: Path,
        hub: recipe.Hub,
        processor: Any,
        api: HfApi | None = None,
        wait: float = WAIT,
        tell: Callable[[str], None] = plainly,
    ) -> None:
        self.folder, self.hub, self.processor = folder, hub, processor
        self.api, self.wait, self.tell = api, wait, tell
        self.thread: threading.Thread | None = None

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        looks = [row["eval_wer"] for row in state.log_history if "eval_wer" in row]
        every = self.hub.every if self.hub.to else None
        if not state.is_world_process_zero or every is None or not looks or len(looks) % every:
            return
        if self.thread is not None and self.thread.is_alive():
            self.tell(f"  step {state.global_step} is not pushed: the last push is still under way")
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.thread = threading.Thread(
            target=self._push, args=(checkpoint, state.global_step, looks[-1], self._snapshot(checkpoint)), daemon=True
        )
        self.thread.start()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        if self.thread is not None:
            self.thread.join(LAST_WAIT)
        shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)

    def _snapshot(self, checkpoint: Path) -> Path:
        """The checkpoint's model by hard links, since old checkpoints are removed while they are pushed."""
        scratch = self.folder / SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        for path in checkpoint.iterdir():
            # .py: the network of a DeepSpeech2
            if path.suffix in (".safetensors", ".py") or (path.suffix == ".json" and path.name != "trainer_state.json"):
                _link(path, scratch / path.name)
        self.processor.save_pretrained(scratch)
        return scratch

    def _push(self, checkpoint: Path, step: int, wer: float, scratch: Path) -> None:
        try:
            text = CARD.format(step=step, wer=f", validation WER {wer:.1%}")
            files = [*model_files(scratch)[0], File("README.md", text.encode())]
            files.append(File(run.LOG, (self.folder / run.LOG).read_bytes()))
            to = str(self.hub.to)
            wanted = Wanted(to, self.folder, tuple(files), message=f"Step {step}, validation WER {wer:.1%}")
            require_clean([checked(wanted, (to.partition("/")[0],))])
            send(signed_in(self.api), wanted, How(self.hub.private, branch=BRANCH), self.wait, self.tell)
            self.tell(f"  step {step} is pushed to {to}, branch {BRANCH}")
        except Exception as error:
            self.tell(f"  step {step} is not pushed, training goes on: {_words(error)}")


def _link(path: Path, to: Path) -> None:
    try:
        os.link(path, to)
    except OSError:  # a file system without links
        shutil.copyfile(path, to)


def _words(error: Exception) -> str:
    """A refusal's own words; of anything else only its kind, since its text may carry a signed address."""
    return str(error) if isinstance(error, UserError) else type(error).__name__
