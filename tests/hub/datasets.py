"""A Hub of folders for tests: what load_dataset, its streaming and snapshot_download ask of huggingface.co.

    python tests/hub/datasets.py FOLDER        # prints its address; tests.hub serves it, too

FOLDER/user/name/main/... are the files of dataset user/name on main; another branch is another folder there,
with `/` written as `%2F` (refs%2Fconvert%2Fparquet). FOLDER/requests.log has a line for each request.
"""

import hashlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit


class Datasets(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        with (self.root / "requests.log").open("a") as log:
            log.write(f"{self.command} {self.path} {self.headers.get('Range', '')}\n")
        if path.startswith("/api/datasets/"):
            self.answer_api(path.removeprefix("/api/datasets/").split("/"), body)
        elif path.startswith("/datasets/") and "/resolve/" in path:
            repo, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            self.answer_file(repo, unquote(revision), unquote(name))
        else:
            self.send_json(
                {} if path.startswith("/api/") else {"error": "not here"}, 200 if path.startswith("/api/") else 404
            )

    def answer_api(self, parts: list[str], body: bytes) -> None:
        """api/datasets/USER/NAME[/revision/REV | /tree/REV[/FOLDER] | /paths-info/REV | /refs]"""
        repo, verb, rest = "/".join(parts[:2]), *(parts[2:3] or [""]), parts[3:]
        branch = self.branch(repo, unquote(rest[0]) if rest else "main")
        if branch is None:
            self.send_missing("RevisionNotFound" if (self.root / repo).is_dir() else "RepoNotFound")
        elif verb in ("", "revision"):
            names = [{"rfilename": str(path.relative_to(branch))} for path in files(branch)]
            self.send_json({"id": repo, "sha": commit(branch), "siblings": names, "private": False, "tags": []})
        elif verb == "tree":
            folder = unquote("/".join(rest[1:]))
            deep = "true" in parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower()
            paths = sorted((branch / folder).rglob("*") if deep else (branch / folder).glob("*"))
            if (branch / folder).is_dir():
                self.send_json([entry(branch, path) for path in paths])
            else:
                self.send_missing("EntryNotFound")
        elif verb == "paths-info":
            asked = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode()).get("paths", [])
            self.send_json([entry(branch, branch / path) for path in asked if (branch / path).exists()])
        else:
            self.send_json({"branches": [], "tags": [], "converts": []})

    def answer_file(self, repo: str, revision: str, name: str) -> None:
        branch = self.branch(repo, revision)
        if branch is None:
            self.send_missing("RevisionNotFound" if (self.root / repo).is_dir() else "RepoNotFound")
        elif (branch / name).is_file():
            self.send_span((branch / name).read_bytes(), commit(branch))
        else:
            self.send_missing("EntryNotFound", {"X-Repo-Commit": commit(branch)})

    def send_span(self, data: bytes, sha: str) -> None:
        """A file, or the part of it that is asked for."""
        first, last = 0, len(data) - 1
        if span := self.headers.get("Range"):
            start, _, end = span.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "X-Repo-Commit": sha,
            "Accept-Ranges": "bytes",
            "Content-Range": f"bytes {first}-{last}/{len(data)}",
        }
        self.send(data[first : last + 1], 206 if span else 200, headers)

    def branch(self, repo: str, revision: str) -> Path | None:
        """The folder of a branch, by its name or its commit."""
        for folder in sorted((self.root / repo).glob("*")):
            if revision in (unquote(folder.name), commit(folder)):
                return folder
        return None

    def send_missing(self, code: str, headers: dict[str, str] | None = None) -> None:
        self.send_json({"error": code}, 404, {"X-Error-Code": code} | (headers or {}))

    def send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(json.dumps(value).encode(), status, {"Content-Type": "application/json"} | (headers or {}))

    def send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        pass


def files(branch: Path) -> list[Path]:
    return sorted(path for path in branch.rglob("*") if path.is_file())


def commit(branch: Path) -> str:
    """40 hexadecimal digits that change with any file."""
    digest = hashlib.sha1(quote(branch.name).encode())
    for path in files(branch):
        digest.update(str(path.relative_to(branch)).encode() + path.read_bytes())
    return digest.hexdigest()


def entry(branch: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(branch).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0}
    data = path.read_bytes()
    return {"type": "file", "path": name, "oid": hashlib.sha1(data).hexdigest(), "size": len(data)}


def serve(root: Path) -> ThreadingHTTPServer:
    """A server on a free port of this machine; serve_forever is the caller's to call."""
    return ThreadingHTTPServer(("127.0.0.1", 0), type("DatasetsOf", (Datasets,), {"root": root}))


if __name__ == "__main__":
    server = serve(Path(sys.argv[1]))
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
