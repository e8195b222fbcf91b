"""What a push would do, before it does: every repository, its files, and what forbids it. No network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from hf_asr import __version__, run
from hf_asr.publish.files import File, gather
from hf_asr.publish.refusals import PushError
from hf_asr.publish.scan import USER_NAME, Finding, scan
from hf_asr.recipe import Hub
from hf_asr.recipe import file as recipe_file

MESSAGE = f"Model, card and evidence by hf-asr {__version__}"
SHOWN = 20  # findings that an error lists


@dataclass(frozen=True)
class Wanted:
    """A repository as it should be. `folder` remembers what was pushed; `notes` are told, `findings` forbid it."""

    repository: str
    folder: Path
    files: tuple[File, ...]
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    kind: str = "model"
    message: str = ""


def settings(folder: Path, to: str | None = None) -> Hub:
    """The `hub` section of the run's recipe, with `to` in place of its own. Raises PushError when there is none."""
    if not (folder / run.RECIPE).is_file():
        raise run.RunError(f"{folder} is no run folder: it has no {run.RECIPE}")
    hub = recipe_file.load(str(folder / run.RECIPE), check_exists=False).hub
    if to is None and hub.to is None:
        raise PushError("where to? give --to USER/NAME; the run's recipe has no `hub.to`")
    return hub.model_copy(update={"to": to or hub.to})


def plan(
    folder: Path,
    to: str,
    baseline: bool = False,
    space: Mapping[str, str] | None = None,
    audio: bool = False,
    allow: Iterable[str] = (),
) -> list[Wanted]:
    """What would go where, and what forbids it; no network. Raises PushError for an unfinished run or a bad name.

    space: the texts of a Space's files by path (hf_asr.app.space makes them), for `to`-demo. allow: user names of
    this machine that may be read by everyone; that of `to` is one.
    """
    require_name(to)
    if baseline and not (folder / run.BASELINE / run.RESULTS).is_file():
        raise PushError(f"{folder} has no finished {run.BASELINE}/: leave out --baseline, or run a recipe with one")
    second = f"{to}-{run.BASELINE}"
    pairs = [(folder, to, (run.BASELINE, second) if baseline else None)]
    pairs += [(folder / run.BASELINE, second, ("fine-tuned model", to))] if baseline else []
    found = []
    for where, repository, other in pairs:
        gathered = gather(where, repository, other, audio)
        found.append(Wanted(repository, where, gathered.files, gathered.notes, message=MESSAGE))
    if space is not None:
        texts = tuple(File(path, text.encode()) for path, text in sorted(space.items()))
        found.append(Wanted(f"{to}-demo", folder, texts, kind="space", message=f"Demo of {to}"))
    return [checked(wanted, (to.partition("/")[0], *allow)) for wanted in found]


def require_name(to: str) -> None:
    try:
        validate_repo_id(to)
    except HFValidationError:
        to = ""
    if to.count("/") != 1:
        raise PushError("a repository is written USER/NAME, of at most 96 letters, digits, `-`, `_` and `.`: mend --to")


def checked(wanted: Wanted, allow: Iterable[str]) -> Wanted:
    given = [(file.path, file.content) for file in wanted.files]
    return replace(wanted, findings=tuple(scan(given, wanted.folder, allow)))


def require_clean(wanted: Sequence[Wanted]) -> None:
    """Raises PushError with every finding; it names files and lines, never what stands there."""
    found = [(f"{one.repository}/" if len(wanted) > 1 else "", finding) for one in wanted for finding in one.findings]
    if not found:
        return
    lines = [f"  {where}{finding}" for where, finding in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} more")
    if any(finding.what == USER_NAME for _, finding in found):
        lines.append("  a user name that everyone may read: --allow NAME")
    places = "a place" if len(found) == 1 else f"{len(found)} places"
    raise PushError("\n".join([f"nothing was pushed; mend {places} that must not be published", *lines]))


def in_words(wanted: Wanted) -> str:
    """Every file with its size, what stays here and why, and what must not go: a dry run."""
    sized = [(file.path, f"{file.size:,}") for file in wanted.files]
    sized.append((f"{len(sized)} files, bytes", f"{sum(file.size for file in wanted.files):,}"))
    width, digits = (max(len(row[column]) for row in sized) for column in (0, 1))
    lines = [f"{wanted.kind} {wanted.repository}", *(f"  {path:<{width}}  {size:>{digits}}" for path, size in sized)]
    lines += [f"  {note}" for note in wanted.notes]
    return "\n".join(lines + [f"  must not go: {finding}" for finding in wanted.findings])
