"""What a Hub keeps: users, repositories with branches and commits, large objects, collections. All in memory."""

import hashlib
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

NAME = re.compile(r"[\w\-.]{1,96}")
ATTRIBUTES = b"".join(
    f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n".encode()
    for kind in ("bin", "h5", "npz", "ogg", "onnx", "parquet", "pt", "safetensors", "wav")
)


class Refusal(Exception):
    """An answer that is no success. `code` goes into X-Error-Code, which the client goes by."""

    def __init__(self, status: int, error: str, code: str = "", **more: Any) -> None:
        self.status, self.error, self.code, self.body = status, error, code, {"error": error, **more}
        super().__init__(error)


@dataclass(frozen=True)
class User:
    name: str
    organisations: tuple[str, ...] = ()
    role: str = "write"  # of the token: read, or write

    def may_write(self, namespace: str) -> bool:
        return self.role == "write" and namespace in (self.name, *self.organisations)


@dataclass(frozen=True)
class Blob:
    """A file of a commit: in the repository itself, or a pointer to a large object."""

    oid: str  # git's SHA-1 of the file, or of the pointer
    size: int
    data: bytes | None  # None: a large object
    sha256: str | None = None


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict[str, Blob]


@dataclass
class Repository:
    kind: str  # model, dataset or space
    name: str  # user/name
    private: bool
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)  # by SHA-256
    pulls: list[str] = field(default_factory=list)

    def commit(self, revision: str) -> Commit:
        """A commit by branch, refs/pr/N or its own 40 digits."""
        oid = self.branches.get(revision, revision)
        if oid not in self.commits:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.commits[oid]

    def add(self, branch: str, title: str, files: dict[str, Blob], parent: str | None) -> Commit:
        seed = repr((self.name, parent, title, sorted((path, blob.oid) for path, blob in files.items())))
        commit = Commit(hashlib.sha1(seed.encode()).hexdigest(), parent, title, files)
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit

    def read(self, blob: Blob) -> bytes:
        return self.objects[str(blob.sha256)] if blob.data is None else blob.data


@dataclass
class Store:
    users: dict[str, User] = field(default_factory=dict)  # by token
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    collections: dict[str, dict[str, Any]] = field(default_factory=dict)
    quota: dict[str, int] = field(default_factory=dict)  # bytes of large objects a namespace may keep
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def repository(self, kind: str, name: str, user: User | None) -> Repository:
        """Raises Refusal 401 or 404 for what is not there and for what this user may not see, alike."""
        found = self.repositories.get((kind, name))
        namespace = name.partition("/")[0]
        if found and (not found.private or (user and namespace in (user.name, *user.organisations))):
            return found
        raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")

    def create(self, user: User | None, body: dict[str, Any]) -> Repository:
        user = signed_in(user)
        namespace, kind = body.get("organization") or user.name, body.get("type") or "model"
        name = f"{namespace}/{body['name']}"
        if not NAME.fullmatch(body["name"]) or body["name"].startswith((".", "-")) or ".." in body["name"]:
            raise Refusal(400, f'Invalid repo name: {name} - "name" must use alphanumeric chars, "-", "_" or "."')
        if user.role != "write" or not user.may_write(namespace):
            raise Refusal(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
        if (kind, name) in self.repositories:
            raise Refusal(409, f"You already created this {kind} repo", url=name)
        private = body.get("visibility") == "private" or bool(body.get("private"))
        repository = self.repositories[kind, name] = Repository(kind, name, private)
        repository.add("main", "initial commit", {".gitattributes": regular(ATTRIBUTES)}, None)
        return repository

    def stored(self, namespace: str) -> int:
        owned = [one for (_, name), one in self.repositories.items() if name.startswith(namespace + "/")]
        return sum(len(data) for one in owned for data in one.objects.values())

    def check_quota(self, repository: Repository, more: int) -> None:
        namespace = repository.name.partition("/")[0]
        if self.stored(namespace) + more > self.quota.get(namespace, more + 2**62):
            which = "Private repository storage" if repository.private else "Storage"
            raise Refusal(403, f"{which} limit reached, please upgrade your plan to increase your storage limit.")


def signed_in(user: User | None) -> User:
    if user is None:
        raise Refusal(401, "Invalid username or password.")
    return user


def regular(data: bytes) -> Blob:
    return Blob(hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(), len(data), data)


def pointer(sha256: str, size: int) -> Blob:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return Blob(regular(text).oid, size, None, sha256)
