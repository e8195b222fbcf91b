"""Nothing of the machine or of its owner goes to the Hub: tokens, keys, passwords, user names, absolute paths.

Everything that is text is read, and the header of safetensors files. A finding names file and line and never what
stands there, so that it can be printed anywhere.
"""

import contextlib
import getpass
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# Not inside a longer run of letters and digits, as in recordings that a page carries in base64.
_ALONE, _END = r"(?<![A-Za-z0-9+/_-])", r"(?![A-Za-z0-9+/_-])"
SECRETS = (
    ("a Hugging Face token", re.compile(rf"{_ALONE}hf_[A-Za-z0-9]{{20,}}")),
    ("a GitHub token", re.compile(rf"{_ALONE}(?:gh[pousr]_[A-Za-z0-9]{{30,}}|github_pat_\w{{40,}})")),
    ("an AWS key", re.compile(rf"{_ALONE}(?:AKIA|ASIA)[A-Z0-9]{{16}}{_END}")),
    ("a Google key", re.compile(rf"{_ALONE}AIza[\w-]{{35}}{_END}")),
    ("a Slack token", re.compile(rf"{_ALONE}xox[abprs]-[A-Za-z0-9-]{{10,}}")),
    ("an API key", re.compile(rf"{_ALONE}sk-[A-Za-z0-9_-]{{20,}}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'<>]+:[^\s/:@\"'<>]+@")),
)
# A value that is a number alone is none: vocabularies have {"password": 17521}.
_GIVEN = re.compile(
    r"(?im)(?<![A-Za-z])(?:password|passwd|pwd|secret|client_secret|api[_-]?key|access[_-]?key|secret[_-]?key"
    r"|(?:hf|auth|access|api|bearer|wandb|github)[_-]?token)[\"']?[ \t]*[=:][ \t]*[\"']?"
    r"(?![\d., \t\"'}\]]*$|[\d.]+\b|(?:null|none|true|false|not|the|and|your|is)\b|[<*$.{\[|])[^\s\"',}]{4,}"
)
# a slash that begins a path: after `file://`, or after nothing that makes it the middle of one
_ROOT = r"(?:(?<=file://)|(?<![\w.~}$/%-]))"
_PATHS = re.compile(
    rf"{_ROOT}/(?:home|Users|root|mnt|media|scratch|tmp|private/(?:var|tmp)|var/folders|content/drive)/+[\w.@~+-]"
    r"|(?<![A-Za-z0-9])[A-Za-z]:\\{1,2}(?=[\w.])(?!n\b|t\b)"
)
_PLACE, USER_NAME = "an absolute path of a machine", "a user name of this machine"
# Their words are those of a language, or pieces of them: a user name may well be among them.
_WORDS = re.compile(r"vocab|merges|tokeni[sz]er|unigrams|lexicon|added_tokens|normalizer|\.arpa$", re.IGNORECASE)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")  # what some Windows programs write
_START, _LONGEST_HEADER = 8192, 100_000_000  # bytes; the second is safetensors' own limit
_EVERYONES = {"root", "user", "users", "ubuntu", "admin", "home", "runner", "jovyan", "nobody", "docker", "work", "app"}


@dataclass(frozen=True)
class Finding:
    """What must not be published, and where; `line` counts from 1."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}  {self.what}"


def private_names(folder: Path, allowed: Iterable[str] = ()) -> frozenset[str]:
    """User names of this machine: of this account, and of the owner of a home folder that `folder` lies in.

    `allowed`: public ones, such as that of the Hub account, in any case; names that every machine has count for none.
    """
    found = {Path.home().name}
    with contextlib.suppress(KeyError, OSError):  # a container may know its user by number only
        found.add(getpass.getuser())
    parts = folder.absolute().parts
    found |= {parts[at + 1] for at in range(len(parts) - 1) if parts[at] in ("home", "Users")}
    public = {name.lower() for name in allowed} | _EVERYONES
    return frozenset(name for name in found if len(name) > 2 and name.lower() not in public)


def scan(files: Iterable[tuple[str, bytes | Path]], folder: Path, allowed: Iterable[str] = ()) -> list[Finding]:
    """What stands in these files, given by their path in the repository, and must not be published.

    `folder` is the run folder: its own absolute path, that of the current folder and of home are looked for, too.
    """
    name = _any(private_names(folder, allowed), r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])")
    own = {str(place) for place in (folder.absolute(), folder.resolve(), Path.cwd(), Path.home())}
    long = [place for place in own if len(Path(place).parts) > 2]
    places = _any({form for one in long for form in (one, one.replace("\\", "\\\\"))}, _ROOT, r"(?![\w-])")
    patterns = [*SECRETS, ("a password or key", _GIVEN), (_PLACE, _PATHS)] + ([(_PLACE, places)] if places else [])
    found: set[Finding] = set()
    for path, content in files:
        text, words = _text(path, content), _WORDS.search(PurePosixPath(path).name) is not None
        named = [(USER_NAME, name)] if name and not words else []
        for what, pattern in patterns + named:
            lines = {text.count("\n", 0, match.start()) + 1 for match in pattern.finditer(text)}
            found |= {Finding(path, line, what) for line in lines}
    return sorted(found, key=lambda one: (one.file, one.line, one.what))


def _any(texts: Iterable[str], before: str, after: str) -> re.Pattern[str] | None:
    some = "|".join(re.escape(text) for text in sorted(texts))
    return re.compile(f"{before}(?:{some}){after}") if some else None


def _text(path: str, content: bytes | Path) -> str:
    """A text file; of a safetensors file what its header says beside names and shapes; of others nothing."""
    if path.endswith(".safetensors"):
        return _header(content)
    data = content if isinstance(content, bytes) else _beginning(content)
    if data[:2] in _UTF16:
        return data.decode("utf-16", errors="replace")
    return "" if b"\0" in data[:_START] else data.decode("utf-8", errors="replace")


def _beginning(path: Path) -> bytes:
    """The file's bytes; of one that begins like no text only the beginning: models are not read as a whole."""
    with path.open("rb") as file:
        start = file.read(_START)
        return start if b"\0" in start and start[:2] not in _UTF16 else start + file.read()


def _header(content: bytes | Path) -> str:
    """The metadata that whoever saved a safetensors file wrote into it (8 bytes of length, then JSON)."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            head = file.read(8)
            text = file.read(min(int.from_bytes(head, "little"), _LONGEST_HEADER))
    else:
        text = content[8 : 8 + int.from_bytes(content[:8], "little")]
    try:
        return json.dumps(json.loads(text).get("__metadata__", {}), ensure_ascii=False)
    except (ValueError, AttributeError):
        return text.decode("utf-8", errors="replace")  # no safetensors file: read it all the same
