"""What huggingface.co answers: one function a request, found by method and path in ROUTES.

Paths, payloads and the codes that the client goes by are those of huggingface_hub 2.4 (hf_api.py, _commit_api.py,
lfs.py, utils/_http.py); the words of refusals are the real Hub's where its users have quoted them.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.hub.card_rules import findings
from tests.hub.store import Blob, Commit, Refusal, Repository, Store, User, pointer, regular, signed_in

LARGE = 10_000_000  # bytes from which a file must be a large object
PART = 5_000_000  # bytes of a part of a large object that comes in several
THEN = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # with %2F where a branch has a slash
    query: dict[str, list[str]]
    headers: Any
    body: bytes
    user: User | None
    endpoint: str

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


@dataclass(frozen=True)
class Answer:
    value: Any = None  # sent as JSON, bytes as they are
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def whoami(store: Store, request: Request) -> Any:
    user = signed_in(request.user)
    orgs = [{"type": "org", "name": name, "roleInOrg": "write"} for name in user.organisations]
    token = {"accessToken": {"displayName": "test", "role": user.role}}
    return {"type": "user", "name": user.name, "fullname": user.name, "orgs": orgs, "auth": token}


def create(store: Store, request: Request) -> Any:
    found = store.create(request.user, request.json())
    return {"url": f"{request.endpoint}/{prefix(found.kind)}{found.name}", "name": found.name}


def validate_yaml(store: Store, request: Request) -> Any:
    errors, warnings = findings(request.json()["content"], request.json().get("repoType", "model"))
    told = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    return Answer(told, 400 if errors else 200)


def info(store: Store, request: Request, kind: str, name: str, revision: str = "main") -> Any:
    found = store.repository(kind, name, request.user)
    commit, sizes = found.commit(revision), "blobs" in request.query
    siblings = [{"rfilename": path} | (sibling(blob) if sizes else {}) for path, blob in sorted(commit.files.items())]
    facts = {"id": name, "modelId": name, "sha": commit.oid, "private": found.private, "lastModified": THEN}
    return facts | {"siblings": siblings, "tags": [], "gated": False, "disabled": False, "downloads": 0, "likes": 0}


def tree(store: Store, request: Request, kind: str, name: str, revision: str, folder: str = "") -> Any:
    files, start = store.repository(kind, name, request.user).commit(revision).files, folder and folder + "/"
    deep = "true" in request.query.get("recursive", [""])[0].lower()
    inside = {path: blob for path, blob in files.items() if path.startswith(start)}
    if folder and not inside:
        raise Refusal(404, f"{folder} does not exist on {revision}", "EntryNotFound")
    folders = {path[: path.index("/", len(start))] for path in inside if "/" in path[len(start) :]}
    here = {path: blob for path, blob in inside.items() if deep or "/" not in path[len(start) :]}
    return [folder_entry(path) for path in sorted(folders)] + [entry(*item) for item in sorted(here.items())]


def paths_info(store: Store, request: Request, kind: str, name: str, revision: str) -> Any:
    files = store.repository(kind, name, request.user).commit(revision).files
    return [entry(path, files[path]) for path in request.json()["paths"] if path in files]


def refs(store: Store, request: Request, kind: str, name: str) -> Any:
    branches = store.repository(kind, name, request.user).branches
    told = [
        {"name": one, "ref": f"refs/heads/{one}", "targetCommit": branches[one]} for one in branches if "/" not in one
    ]
    pulls = [{"name": one, "ref": one, "targetCommit": branches[one]} for one in branches if one.startswith("refs/pr/")]
    return {"branches": told, "converts": [], "tags": []} | ({"pullRequests": pulls} if request.query else {})


def commits(store: Store, request: Request, kind: str, name: str, revision: str) -> Any:
    found = store.repository(kind, name, request.user)
    commit: Commit | None = found.commit(revision)
    told = []
    while commit:
        told.append({"id": commit.oid, "title": commit.title, "message": "", "authors": [], "date": THEN})
        commit = found.commits.get(commit.parent or "")
    return told


def branch(store: Store, request: Request, kind: str, name: str, new: str) -> Any:
    found = writable(store, request, kind, name)
    if new.startswith("refs/") or not re.fullmatch(r"[\w./-]+", new):
        raise Refusal(400, f"Invalid reference for a branch: {new}")
    if new in found.branches:
        raise Refusal(409, f"Reference already exists: refs/heads/{new}")
    found.branches[new] = found.commit(request.json().get("startingPoint", "main")).oid
    return {}


def settings(store: Store, request: Request, kind: str, name: str) -> Any:
    found, body = writable(store, request, kind, name), request.json()
    if "visibility" in body or "private" in body:
        found.private = body.get("visibility") == "private" or bool(body.get("private"))
    return {"private": found.private}


def preupload(store: Store, request: Request, kind: str, name: str, revision: str) -> Any:
    found = store.repository(kind, name, request.user)
    files = found.commit(revision).files
    if "create_pr" not in request.query:
        writable(store, request, kind, name)
    kinds = set(re.findall(rb"^\*(\.\w+) filter=lfs", found.read(files[".gitattributes"]), re.MULTILINE))
    told = []
    for file in request.json()["files"]:
        large = file["size"] > LARGE or any(file["path"].encode().endswith(ending) for ending in kinds)
        there = files.get(file["path"])
        oid = there and (there.sha256 or there.oid)
        told.append(
            {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
        )
    return {"files": told}


def commit(store: Store, request: Request, kind: str, name: str, revision: str) -> Any:
    """Lines of JSON: a header, then files, pointers to large objects, deletions. All of it or nothing."""
    pull = "create_pr" in request.query
    found = store.repository(kind, name, request.user) if pull else writable(store, request, kind, name)
    user, lines = signed_in(request.user), [json.loads(line) for line in request.body.splitlines()]
    header = lines[0]["value"]
    head = found.commit(revision)
    parent = header.get("parentCommit")
    if parent is not None and parent not in found.commits:
        raise Refusal(404, f"Invalid parent commit: {parent}", "RevisionNotFound")
    if parent is not None and parent != head.oid and not pull:
        raise Refusal(412, "A commit has happened since. Please refresh and try again.")
    if not header["summary"]:
        raise Refusal(400, "The commit message cannot be empty")
    files = changed(found, dict(found.commits[parent or head.oid].files), lines[1:])
    errors, _ = findings(found.read(files["README.md"]).decode(), kind) if "README.md" in files else ([], [])
    if errors:
        raise Refusal(400, "Your push was rejected because the YAML metadata of README.md is not valid: " + errors[0])
    if pull:
        found.pulls.append(user.name)
        revision = f"refs/pr/{len(found.pulls)}"
    new = found.add(revision, header["summary"], files, parent or head.oid)
    url = f"{request.endpoint}/{prefix(kind)}{name}"
    told = {"success": True, "commitOid": new.oid, "commitUrl": f"{url}/commit/{new.oid}", "hookOutput": ""}
    return told | ({"pullRequestUrl": f"{url}/discussions/{len(found.pulls)}"} if pull else {})


def changed(found: Repository, files: dict[str, Blob], lines: list[Any]) -> dict[str, Blob]:
    for line in lines:
        value = line["value"]
        path = value["path"]
        if line["key"] == "file":
            files[path] = regular(base64.b64decode(value["content"], validate=True))
            if files[path].size > LARGE:
                raise Refusal(413, f"{path} must be a large object")
        elif line["key"] == "lfsFile":
            if value["oid"] not in found.objects or len(found.objects[value["oid"]]) != value["size"]:
                why = "Your push was rejected because an LFS pointer pointed to a file that does not exist."
                raise Refusal(400, f"{why} Offending file: - {path}")
            files[path] = pointer(value["oid"], value["size"])
        elif path not in files:
            raise Refusal(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        else:
            del files[path]
    return files


def batch(store: Store, request: Request, kind: str, name: str) -> Any:
    """Where to put each large object; nowhere when it is there."""
    found, body = writable(store, request, kind, name), request.json()
    missing = [one for one in body["objects"] if one["oid"] not in found.objects]
    store.check_quota(found, sum(one["size"] for one in missing))
    told, parts = [], "multipart" in body["transfers"] and any(one["size"] > PART for one in missing)
    for one in body["objects"]:
        address = f"{request.endpoint}/storage/{kind}/{name}/{one['oid']}"
        actions = {"upload": {"href": address}, "verify": {"href": f"{request.endpoint}/{prefix(kind)}{name}/verify"}}
        if one["size"] > PART and parts:
            count = -(-one["size"] // PART)
            numbered = {str(number): f"{address}/{number}" for number in range(1, count + 1)}
            actions["upload"] = {"href": f"{address}/complete", "header": {"chunk_size": str(PART)} | numbered}
        told.append(one | ({"actions": actions} if one in missing else {}))
    return {"transfer": "multipart" if parts else "basic", "objects": told}


def put(store: Store, request: Request, kind: str, name: str, oid: str, part: str = "") -> Any:
    """A large object, or a part of it: the address is the permission, as in a signed URL."""
    found = store.repositories[kind, name]
    if part:
        found.objects[f"{oid}/{part}"] = request.body
    else:
        keep(found, oid, request.body)
    return Answer(b"", headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})


def complete(store: Store, request: Request, kind: str, name: str, oid: str) -> Any:
    found, parts = store.repositories[kind, name], request.json()["parts"]
    pieces = [found.objects.pop(f"{oid}/{part['partNumber']}") for part in parts]
    if any(part["etag"] != f'"{hashlib.md5(piece).hexdigest()}"' for part, piece in zip(parts, pieces, strict=True)):
        raise Refusal(400, "InvalidPart")
    keep(found, oid, b"".join(pieces))
    return {}


def keep(found: Repository, oid: str, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != oid:
        raise Refusal(400, "BadDigest: the SHA-256 you specified did not match what we received")
    found.objects[oid] = data


def verify(store: Store, request: Request, kind: str, name: str) -> Any:
    objects, body = store.repository(kind, name, request.user).objects, request.json()
    if len(objects.get(body["oid"], b"")) != body["size"]:
        raise Refusal(404, "Object does not exist or has another size")
    return {}


def resolve(store: Store, request: Request, kind: str, name: str, revision: str, path: str) -> Any:
    found = store.repository(kind, name, request.user)
    commit = found.commit(revision)
    headers = {"X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
    if path not in commit.files:
        raise Refusal(404, "Entry not found", "EntryNotFound", headers=headers)
    blob = commit.files[path]
    data = found.read(blob)
    headers["ETag"] = f'"{blob.sha256 or blob.oid}"'
    if blob.sha256:
        headers |= {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(blob.size)}
    if not (span := request.headers.get("Range")):
        return Answer(data, 200, headers)
    first, _, last = span.removeprefix("bytes=").partition("-")
    end = min(int(last or len(data)), len(data) - 1)
    headers["Content-Range"] = f"bytes {first}-{end}/{len(data)}"
    return Answer(data[int(first) : end + 1], 206, headers)


def new_collection(store: Store, request: Request) -> Any:
    user, body = signed_in(request.user), request.json()
    if not user.may_write(body["namespace"]):
        raise Refusal(403, f"You don't have the rights to create a collection under {body['namespace']}")
    if len(body["title"]) > 60 or len(body.get("description", "")) > 150:
        raise Refusal(400, "title: at most 60 characters; description: at most 150")
    words = re.sub(r"[^a-z0-9]+", "-", body["title"].lower()).strip("-")
    for slug, one in store.collections.items():
        if (one["title"], one["owner"]["name"]) == (body["title"], body["namespace"]):
            raise Refusal(409, "A collection with this title exists", slug=slug)
    slug = f"{body['namespace']}/{words}-{next(store.numbers):024x}"
    facts = {"slug": slug, "title": body["title"], "description": body.get("description"), "private": body["private"]}
    more = {"owner": {"name": body["namespace"]}, "items": [], "lastUpdated": THEN, "position": 0, "theme": "blue"}
    store.collections[slug] = facts | more | {"upvotes": 0}
    return store.collections[slug]


def collection(store: Store, request: Request, slug: str) -> Any:
    if slug not in store.collections:
        raise Refusal(404, "Collection not found")
    return store.collections[slug]


def add_item(store: Store, request: Request, slug: str) -> Any:
    found, item = collection(store, request, slug), request.json()["item"]
    if not signed_in(request.user).may_write(slug.partition("/")[0]):
        raise Refusal(403, "You don't have the rights to change this collection")
    store.repository(item["type"], item["id"], request.user)
    if any(one["id"] == item["id"] for one in found["items"]):
        raise Refusal(409, "Item already in the collection")
    found["items"].append(item | {"_id": f"{next(store.numbers):024x}", "position": len(found["items"])})
    return found


def nothing(store: Store, request: Request) -> Any:
    return {}


def writable(store: Store, request: Request, kind: str, name: str) -> Repository:
    found, user = store.repository(kind, name, request.user), signed_in(request.user)
    if user.role != "write":
        raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
    if not user.may_write(name.partition("/")[0]):
        raise Refusal(403, f"You are not authorized to write to {name}: pass `create_pr=1` to open a pull request")
    return found


def prefix(kind: str) -> str:
    return "" if kind == "model" else f"{kind}s/"


def sibling(blob: Blob) -> dict[str, Any]:
    return {"size": blob.size, "blobId": blob.oid} | large(blob)


def entry(path: str, blob: Blob) -> dict[str, Any]:
    return {"type": "file", "path": path, "oid": blob.oid, "size": blob.size} | large(blob)


def large(blob: Blob) -> dict[str, Any]:
    told = {"sha256": blob.sha256, "oid": blob.sha256, "size": blob.size, "pointerSize": 134}
    return {"lfs": told} if blob.sha256 else {}


def folder_entry(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0}


REPOSITORY = r"/api/(models|datasets|spaces)/([^/]+/[^/]+)"
BARE = r"/((?:datasets/|spaces/)?)([^/]+/[^/]+)"
Route = tuple[str, str, str, Callable[..., Any]]
ROUTES: list[Route] = [  # the name under which it is counted, method, path, what answers
    ("whoami", "GET", "/api/whoami-v2", whoami),
    ("create", "POST", "/api/repos/create", create),
    ("validate yaml", "POST", "/api/validate-yaml", validate_yaml),
    ("new collection", "POST", "/api/collections", new_collection),
    ("collection", "GET", "/api/collections/([^/]+/[^/]+)", collection),
    ("collection item", "POST", "/api/collections/([^/]+/[^/]+)/items", add_item),
    ("info", "GET", REPOSITORY, info),
    ("info", "GET", REPOSITORY + "/revision/([^/]+)", info),
    ("tree", "GET", REPOSITORY + "/tree/([^/]+)(?:/(.+))?", tree),
    ("paths info", "POST", REPOSITORY + "/paths-info/([^/]+)", paths_info),
    ("refs", "GET", REPOSITORY + "/refs", refs),
    ("commits", "GET", REPOSITORY + "/commits/([^/]+)", commits),
    ("branch", "POST", REPOSITORY + "/branch/([^/]+)", branch),
    ("settings", "PUT", REPOSITORY + "/settings", settings),
    ("preupload", "POST", REPOSITORY + "/preupload/([^/]+)", preupload),
    ("commit", "POST", REPOSITORY + "/commit/([^/]+)", commit),
    ("batch", "POST", BARE + r"\.git/info/lfs/objects/batch", batch),
    ("upload", "PUT", "/storage/(model|dataset|space)/([^/]+/[^/]+)/([0-9a-f]{64})(?:/([0-9]+))?", put),
    ("complete", "POST", "/storage/(model|dataset|space)/([^/]+/[^/]+)/([0-9a-f]{64})/complete", complete),
    ("verify", "POST", BARE + "/verify", verify),
    ("resolve", "GET", BARE + "/resolve/([^/]+)/(.+)", resolve),
    ("agents", "GET", "/api/agent-harnesses", nothing),
]
