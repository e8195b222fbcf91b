"""What a push costs: requests and bytes that a Hub on loopback sees, for a run folder of 10 MB of weights.

    .venv/bin/python scripts/benchmarks/push.py [RUN]     RUN: a finished run in place of the made-up one; it is copied

Bytes are those of request bodies. The interrupted push is refused the weights, after the smaller file has arrived.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import perf_counter

os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from huggingface_hub import CommitOperationAdd, HfApi

from hf_asr import run
from hf_asr.errors import UserError
from hf_asr.publish.hub import How, push
from tests.hub.server import Hub, serving
from tests.hub.store import User
from tests.report import folder as runs

TOKEN, TO = "hf_" + "b3nch" * 7, "anna/speech"


@contextmanager
def fresh(source: Path) -> Iterator[tuple[Hub, HfApi, Path]]:
    """A Hub with nothing in it and a run that was never pushed."""
    with tempfile.TemporaryDirectory() as place, serving() as hub:
        folder = Path(place) / "run"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("pushed.json"))
        hub.store.users[TOKEN] = User("anna")
        yield hub, HfApi(endpoint=hub.endpoint, token=TOKEN), folder


def made_up(folder: Path) -> Path:
    for where in (folder, folder / run.BASELINE):
        runs.write(where, runs.prompts(50))
        (where / run.MODEL).mkdir()
        (where / run.MODEL / "config.json").write_text('{"model_type": "wav2vec2"}')
        weights = (2).to_bytes(8, "little") + b"{}" + os.urandom(9_000_000)
        (where / run.MODEL / "model.safetensors").write_bytes(weights)
        (where / run.MODEL / "3gram.bin").write_bytes(os.urandom(1_000_000))
    return folder


def measure(what: str, hub: Hub, do: Callable[[], object]) -> None:
    hub.forget()
    began = perf_counter()
    try:
        do()
        told = ""
    except UserError as error:
        told = f"; refused: {str(error).splitlines()[0][:60]}..."
    took = perf_counter() - began
    requests, bytes_ = hub.seen()
    large = sum(hub.uploads.values())
    names = ", ".join(f"{count} {name}" for name, count in sorted(hub.requests.items()) if name != "agents")
    print(f"| {what} | {requests} | {bytes_:,} | {large:,} | {took:.1f} | {names}{told} |", flush=True)


def main(source: Path) -> None:
    print("| what | requests | bytes | of large files | seconds | which |\n|---|---|---|---|---|---|")
    with fresh(source) as (hub, api, folder):

        def again(how: How = How(), **more: bool) -> object:  # noqa: B008
            return push(folder, TO, how, api=api, wait=0.1, tell=lambda text: None, **more)

        measure("push", hub, again)
        measure("again, nothing changed", hub, again)
        card = next(file for file in api.list_repo_files(TO) if file == run.CARD)
        text = Path(api.hf_hub_download(TO, card, local_dir=folder.parent / "card")).read_text()
        (folder / run.CARD).write_text(text + "\n## Thanks\n\nTo the readers.\n")
        measure("again, the card changed", hub, again)
        api.create_commit(TO, [CommitOperationAdd("notes.txt", b"theirs")], commit_message="Notes")
        (folder / run.CARD).write_text(text + "\n## Thanks\n\nTo all readers.\n")
        measure("somebody else's commit", hub, again)
        measure("the same as a pull request", hub, lambda: again(How(pr=True)))
        with (folder / run.LOG).open("a") as log:
            log.write(f'{{"key": "{TOKEN}"}}\n')
        measure("a token in the log", hub, again)
    with fresh(source) as (hub, api, folder):
        weights = sha256((folder / run.MODEL / "model.safetensors").read_bytes()).hexdigest()
        hub.fault("upload", status=501, times=9, path=weights)
        measure("interrupted", hub, lambda: push(folder, TO, api=api, wait=0.1, tell=lambda text: None))
        hub.faults.clear()
        measure("after the interruption", hub, lambda: push(folder, TO, api=api, wait=0.1, tell=lambda text: None))
    with fresh(source) as (hub, api, folder):
        measure("private", hub, lambda: push(folder, TO, How(private=True), api=api))
    if (source / run.BASELINE).is_dir():
        with fresh(source) as (hub, api, folder):
            measure("model and baseline", hub, lambda: push(folder, TO, api=api, baseline=True, tell=lambda text: None))
            measure("both again", hub, lambda: push(folder, TO, api=api, baseline=True, tell=lambda text: None))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else made_up(Path(place) / "run"))
