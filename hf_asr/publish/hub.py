"""A finished run to the Hub: one commit with what changed, or none.

`pushed.json` in the run folder remembers, for each repository and branch, the commit of the last push and the
SHA-256 of its files. The next push compares with it and with the Hub, so that somebody else's work is not
overwritten, and an interrupted push goes on: large files that arrived are not sent again.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
from rich.markup import escape

from hf_asr import run
from hf_asr.publish import collection
from hf_asr.publish.files import File
from hf_asr.publish.plan import Wanted, plan, require_clean
from hf_asr.publish.refusals import LOGIN, TRIES, PushError, attempt
from hf_asr.screen import say

MEMORY = "pushed.json"
MAIN = "main"
CHUNK = 2**20  # bytes read at once
WAIT = 2.0  # seconds before what may pass is tried again
SHORT = 7  # digits of a commit that tell it from others


@dataclass(frozen=True)
class How:
    """private: a new repository is, and a public one becomes so. pr: as a pull request. onto: over this commit."""

    private: bool = False
    pr: bool = False
    onto: str | None = None
    branch: str = MAIN


@dataclass(frozen=True)
class Pushed:
    """What a push did. Nothing changed: `changed` and `removed` are empty and `commit` is the one that was there."""

    repository: str
    url: str
    commit: str
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    pull_request: str | None
    private: bool


def plainly(text: str) -> None:
    """On the screen as it is: what a Hub answered is no markup."""
    say(escape(text))


def push(
    folder: Path,
    to: str,
    how: How = How(),
    *,
    baseline: bool = False,
    space: Mapping[str, str] | None = None,
    audio: bool = False,
    allow: Iterable[str] = (),
    api: HfApi | None = None,
    wait: float = WAIT,
    tell: Callable[[str], None] = plainly,
) -> list[Pushed]:
    """Everything of `plan` to the Hub, with a collection of model and baseline. Raises PushError, nothing half done.

    api: another endpoint or token than those of the environment.
    """
    wanted = plan(folder, to, baseline, space, audio, allow)
    require_clean(wanted)
    api = signed_in(api)
    done = [send(api, one, how, wait, tell) for one in wanted]
    if baseline and not how.pr:
        pair = [one.repository for one in wanted if one.kind == "model"]
        memory = run.read_json(folder / MEMORY)
        slug = attempt(lambda: collection.hold(api, pair, memory.get("collection"), how.private), api, to, wait, tell)
        if slug != memory.get("collection"):
            run.write_json(folder / MEMORY, {**memory, "collection": slug})
        tell(f"  both in {api.endpoint}/collections/{slug}")
    return done


def told(done: Pushed) -> str:
    """What a push did, on one line."""
    files = f"{len(done.changed)} file{'' if len(done.changed) == 1 else 's'}"
    if done.pull_request:
        return f"pull request with {files}: {done.pull_request}"
    where = f"{done.url}{' (private)' if done.private else ''} is at {done.commit[:SHORT]}"
    if not done.changed and not done.removed:
        return f"nothing changed since the last push: {where}"
    return f"pushed {files}{f', removed {len(done.removed)}' if done.removed else ''}: {where}"


def signed_in(api: HfApi | None = None) -> HfApi:
    """The client. Raises PushError where there is no token; whether it is a good one only the Hub knows."""
    api = api or HfApi()
    if not (api.token or get_token()):
        raise PushError(f"not logged in to the Hub: {LOGIN}")
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its warnings about retries show addresses that are signed
    return api


def send(
    api: HfApi, wanted: Wanted, how: How = How(), wait: float = WAIT, tell: Callable[[str], None] = plainly
) -> Pushed:
    """One repository. A try whose commit was taken, though its answer was lost, is found there by the next.

    Raises PushError. A pull request is tried once: a second try might open a second one.
    """
    tried: list[Pushed] = []
    tries = 1 if how.pr else TRIES
    done = attempt(lambda: _send(api, wanted, how, tried), api, wanted.repository, wait, tell, tries)
    return replace(done, changed=tried[0].changed, removed=tried[0].removed) if tried else done


def _send(api: HfApi, wanted: Wanted, how: How, tried: list[Pushed]) -> Pushed:
    there = _look(api, wanted, how)
    known = _memory(wanted).get(how.branch, {"commit": None, "files": {}})
    if how.private and not there.private and not how.pr:
        api.update_repo_settings(wanted.repository, private=True, repo_type=wanted.kind)
    remote = {one.rfilename: one for one in there.siblings}
    digests = {file.path: _digests(file.content) for file in wanted.files}
    changed = [file for file in wanted.files if not _same(remote.get(file.path), digests[file.path])]
    removed = sorted(path for path in known["files"] if path in remote and path not in digests)
    done = Pushed(
        wanted.repository,
        f"{api.endpoint}/{'' if wanted.kind == 'model' else wanted.kind + 's/'}{wanted.repository}",
        there.sha,
        tuple(file.path for file in changed),
        tuple(removed),
        None,
        there.private or how.private,
    )
    if changed or removed:
        if not how.pr:
            _require_ours(wanted.repository, how, there, known["commit"], set(remote) - {".gitattributes"})
        tried.append(done)
        commit = api.create_commit(
            wanted.repository,
            [_addition(file) for file in changed] + [CommitOperationDelete(path) for path in removed],
            commit_message=wanted.message,
            repo_type=wanted.kind,
            revision=how.branch,
            create_pr=how.pr,
            parent_commit=there.sha,
        )
        done = replace(done, commit=commit.oid, pull_request=commit.pr_url)
    if not how.pr:
        hashes = {path: sha256 for path, (sha256, _) in digests.items()}
        _remember(wanted, how.branch, {"commit": done.commit, "files": hashes})
    return done


def _look(api: HfApi, wanted: Wanted, how: How) -> Any:
    """The head of the branch with its files and their hashes; repository and branch are made when missing."""

    def info() -> Any:
        revision = None if how.branch == MAIN else how.branch
        return api.repo_info(wanted.repository, repo_type=wanted.kind, revision=revision, files_metadata=True)

    try:
        return info()
    except RevisionNotFoundError:
        api.create_branch(wanted.repository, branch=how.branch, repo_type=wanted.kind, exist_ok=True)
    except RepositoryNotFoundError:
        if how.pr:
            raise
        sdk = "gradio" if wanted.kind == "space" else None
        api.create_repo(wanted.repository, private=how.private, repo_type=wanted.kind, space_sdk=sdk)
        return _look(api, wanted, how)
    return info()


def _require_ours(repository: str, how: How, there: Any, known: str | None, files: set[str]) -> None:
    """Raises PushError when the head is neither the last push of this run, nor that which --onto names, nor empty."""
    head = str(there.sha)
    named = how.onto is not None and len(how.onto) >= SHORT and head.startswith(how.onto)
    if named or head == known or (known is None and not files):
        return
    what = "has a newer commit than the last push of this run" if known else "holds files that this run did not push"
    raise PushError(
        f"{repository} {what} (it is at {head[:SHORT]}): look at it on the Hub, then open a pull request (--pr),"
        f" put this run over it (--onto {head[:SHORT]}), or push to another --to"
    )


def _addition(file: File) -> CommitOperationAdd:
    return CommitOperationAdd(file.path, file.content if isinstance(file.content, bytes) else str(file.content))


def _digests(content: Path | bytes) -> tuple[str, str]:
    """SHA-256, which large files go by on the Hub, and git's SHA-1 of a blob, which the others go by."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    if isinstance(content, bytes):
        sha256.update(content)
        sha1.update(content)
    else:
        with content.open("rb") as file:
            while part := file.read(CHUNK):
                sha256.update(part)
                sha1.update(part)
    return sha256.hexdigest(), sha1.hexdigest()


def _same(remote: Any, digests: tuple[str, str]) -> bool:
    sha256, sha1 = digests
    return remote is not None and (remote.lfs.sha256 == sha256 if remote.lfs else remote.blob_id == sha1)


def _key(wanted: Wanted) -> str:
    return wanted.repository if wanted.kind == "model" else f"{wanted.kind}s/{wanted.repository}"


def _memory(wanted: Wanted) -> dict[str, Any]:
    path = wanted.folder / MEMORY
    found: dict[str, Any] = run.read_json(path)["repositories"].get(_key(wanted), {}) if path.exists() else {}
    return found


def _remember(wanted: Wanted, branch: str, what: dict[str, Any]) -> None:
    path = wanted.folder / MEMORY
    memory = run.read_json(path) if path.exists() else {"repositories": {}}
    memory["repositories"].setdefault(_key(wanted), {})[branch] = what
    run.write_json(path, memory)
