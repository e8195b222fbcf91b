"""The Hub of a test: huggingface_hub's own client talks to it over loopback, and it counts what comes.

with serving() as hub:
    hub.store.users["hf_..."] = User("anna")
    api = HfApi(endpoint=hub.endpoint, token="hf_...")
    hub.fault("upload", cut=100_000)  # the next upload loses its connection after so many bytes
"""

import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub.datasets import Datasets
from tests.hub.routes import ROUTES, Answer, Request
from tests.hub.store import Refusal, Store

CHUNK = 65_536


@dataclass
class Fault:
    """What goes wrong with requests of one name, whose path has `path` in it, so many times."""

    name: str
    times: int = 1
    status: int = 0  # answered without being carried out
    error: str = "a fault on demand"
    cut: int | None = None  # the connection is lost after so many bytes of the body
    lost: bool = False  # carried out, and the connection lost before the answer
    hold: threading.Event | None = None  # what a cut waits for, so that a client can be killed meanwhile
    slow: float = 0.0  # bytes a second
    path: str = ""


@dataclass
class Hub:
    endpoint: str = ""
    store: Store = field(default_factory=Store)
    faults: list[Fault] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)  # by name
    bytes: Counter[str] = field(default_factory=Counter)  # of bodies received, by name
    uploads: Counter[str] = field(default_factory=Counter)  # bytes received, by SHA-256 of the object
    log: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, status
    lock: threading.RLock = field(default_factory=threading.RLock)

    def fault(self, name: str, **how: Any) -> None:
        self.faults.append(Fault(name, **how))

    def forget(self) -> None:
        """Count from nothing again."""
        for counter in (self.requests, self.bytes, self.uploads):
            counter.clear()
        self.log.clear()

    def seen(self) -> tuple[int, int]:
        """Requests and bytes of their bodies. Not counted: what the client asks once a day for itself."""
        return sum(n for name, n in self.requests.items() if name != "agents"), sum(self.bytes.values())

    def take_fault(self, name: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.name == name and fault.path in path and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None


class Lost(Exception):
    """The connection is gone."""


class Handler(Datasets):
    """Datasets as they lie in a folder, when one is given; all else from the store."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def answer(self) -> None:
        path = urlsplit(self.path).path
        if self.root is not None and path.startswith(("/api/datasets/", "/datasets/")):
            super().answer()
            return
        name, arguments, do = find(self.command, path)
        fault = self.hub.take_fault(name, path)
        try:
            body = self.receive(name, path, fault)
            answer = self.refused(fault) if fault and fault.status else self.carry_out(do, arguments, body)
            if fault and fault.lost:
                raise Lost
        except Lost:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
            self.close_connection = True
            self.connection.close()
            return
        with self.hub.lock:
            self.hub.log.append((self.command, self.path, answer.status))
        self.reply(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def receive(self, name: str, path: str, fault: Fault | None) -> bytes:
        left, parts, got = int(self.headers.get("Content-Length") or 0), [], 0
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        with self.hub.lock:
            self.hub.requests[name] += 1
        while left > 0 or chunked:
            if chunked and left <= 0 and (left := int(self.rfile.readline().strip() or b"0", 16)) == 0:
                self.rfile.readline()
                break
            part = self.rfile.read1(min(CHUNK, left))
            left, got = left - len(part), got + len(part)
            if chunked and left == 0:
                self.rfile.readline()
            parts.append(part)
            with self.hub.lock:
                self.hub.bytes[name] += len(part)
                if name == "upload":
                    self.hub.uploads[path.split("/")[5]] += len(part)
            if fault and fault.cut is not None and got >= fault.cut:
                if fault.hold:
                    fault.hold.wait(60)
                raise Lost
            if not part:
                raise Lost
            if fault and fault.slow:
                time.sleep(len(part) / fault.slow)
        return b"".join(parts)

    def carry_out(self, do: Any, arguments: tuple[str, ...], body: bytes) -> Answer:
        try:
            with self.hub.lock:
                request = self.request_of(body)
                found = do(self.hub.store, request, *arguments)
            return found if isinstance(found, Answer) else Answer(found)
        except Refusal as refusal:
            headers = refusal.body.pop("headers", {}) | {
                "X-Error-Message": refusal.error.encode("ascii", "replace").decode()
            }
            return Answer(
                refusal.body, refusal.status, headers | ({"X-Error-Code": refusal.code} if refusal.code else {})
            )

    def request_of(self, body: bytes) -> Request:
        url, given = urlsplit(self.path), self.headers.get("Authorization", "")
        token = given.removeprefix("Bearer ")
        if given and token not in self.hub.store.users:
            raise Refusal(401, "Invalid credentials in Authorization header")
        user = self.hub.store.users.get(token)
        return Request(self.command, url.path, parse_qs(url.query), self.headers, body, user, self.hub.endpoint)

    def refused(self, fault: Fault) -> Answer:
        return Answer({"error": fault.error}, fault.status)

    def reply(self, answer: Answer) -> None:
        data = answer.value if isinstance(answer.value, bytes) else json.dumps(answer.value).encode()
        kind = "application/octet-stream" if isinstance(answer.value, bytes) else "application/json"
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        pass


def find(method: str, path: str) -> tuple[str, tuple[str, ...], Any]:
    """The route of a request and the groups of its path; kinds as `model`, without the plural's s."""
    for name, wanted, pattern, do in ROUTES:
        if wanted == ("GET" if method == "HEAD" else method) and (match := re.fullmatch(pattern, path)):
            groups = [unquote(group) for group in match.groups() if group is not None]
            if pattern.startswith(("/api/(models", "/((?:")):
                groups[0] = groups[0].rstrip("/").removesuffix("s") or "model"
            return name, tuple(groups), do
    return "unknown", (), unknown


def unknown(store: Store, request: Request) -> Any:
    raise Refusal(404, "Not Found")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients that are killed are no news
            super().handle_error(request, client_address)


@contextmanager
def serving(port: int = 0, datasets: Path | None = None) -> Iterator[Hub]:
    """A Hub on this machine's loopback, in a thread of this process; `datasets` as tests/hub/datasets.py has them."""
    hub = Hub()
    server = Server(("127.0.0.1", port), type("HandlerOf", (Handler,), {"hub": hub, "root": datasets}))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
