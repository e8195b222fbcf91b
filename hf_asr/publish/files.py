"""What of a run folder goes to the Hub, and what stays here and why."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from hf_asr import run
from hf_asr.publish import public
from hf_asr.publish.card import card
from hf_asr.publish.metadata import eval_results
from hf_asr.publish.refusals import PushError
from hf_asr.recipe import file as recipe_file
from hf_asr.report.page import build

PICKLES = (".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib")  # they run code when they are loaded
STAYS = {
    run.PREDICTIONS: "transcripts of test clips",
    run.AUDIO: "recordings of test clips",
    run.CHECKPOINTS: "states of an unfinished training",
    run.BASELINE: "goes into a repository of its own: --baseline",
}


@dataclass(frozen=True)
class File:
    """A file of the repository: where it goes, and its bytes or where they lie."""

    path: str
    content: Path | bytes

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Gathered:
    """Files by path, and what is to be known of them: what stays and why, what is not as it was made."""

    files: tuple[File, ...]
    notes: tuple[str, ...]


def gather(folder: Path, repository: str, other: tuple[str, str] | None, audio: bool) -> Gathered:
    """The files of a finished run as they lie in `repository`. Raises RunError or PushError when it is not finished.

    other: (what it is, its repository) of the run it is compared with, which the card links. audio: the report
    carries its recordings.
    """
    public.finished(folder)
    if not (folder / run.MODEL / "config.json").is_file():
        raise PushError(f"{folder}/{run.MODEL} has no config.json: it is no saved model; repeat the run")
    files, stays = model_files(folder / run.MODEL)
    text, by_hand = _card(folder, repository, other)
    texts = {run.CARD: text} | public.files(folder) | eval_results(folder)
    files += [File(name, text.encode()) for name, text in texts.items()]
    if (folder / run.LOG).is_file():
        files.append(File(run.LOG, folder / run.LOG))
    files.append(File(run.REPORT, build(folder, audio, named=False).encode()))
    stays += [(name, why) for name, why in STAYS.items() if (folder / name).exists() and not (other and "--" in why)]
    notes = [f"{name} stays here: {why}" for name, why in stays]
    notes.append(f"{run.REPORT} shows transcripts of test clips{' and has recordings of some' if audio else ''}")
    notes += [f"{run.CARD} is pushed as it was changed by hand"] if by_hand else []
    by_path = {file.path: file for file in files}  # of two at one place the run's own, not the model folder's
    return Gathered(tuple(by_path[path] for path in sorted(by_path)), tuple(notes))


def model_files(folder: Path) -> tuple[list[File], list[tuple[str, str]]]:
    """Everything that pipeline() may read from a saved model, at the repository's root."""
    files: list[File] = []
    stays: list[tuple[str, str]] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        why = _why_not(path, folder, name)
        if why:
            stays.append((f"{folder.name}/{name}", why))
        elif path.is_file():
            files.append(File(name, path))
    return files, stays


def _why_not(path: Path, folder: Path, name: str) -> str | None:
    if any(part.startswith(".") for part in Path(name).parts):
        return "hidden" if path.is_file() else None
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        return "a link to somewhere else"
    if path.is_file() and (path.suffix.lower() in PICKLES or name in ("training_args.bin", "pytorch_model.bin")):
        return "a pickle, which runs code when it is loaded"
    return "the card takes its place" if name == "README.md" else None


def _card(folder: Path, repository: str, other: tuple[str, str] | None) -> tuple[str, bool]:
    """The card for this repository, or the one in the folder where somebody wrote on it, and whether that is so."""
    what, link = other or ("", "")
    text, by_hand = card(folder, repository, link or None), False
    if (folder / run.CARD).is_file():
        own = (folder / run.CARD).read_text(encoding="utf-8")
        to = recipe_file.load(str(folder / run.RECIPE), check_exists=False).hub.to
        seconds = (None, f"{to}-{run.BASELINE}") if to else (None,)
        made = (card(folder, *names) for names in product((None, to) if to else (None,), seconds))
        by_hand = own != text and own not in made
        text = own if by_hand else text
    if link and link not in text:
        text += f"\n## {what.capitalize()}\n\nTo compare with: [{link}](https://huggingface.co/{link})\n"
    return text, by_hand
