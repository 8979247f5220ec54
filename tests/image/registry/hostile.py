"""A registry in this process: honest, but for the faults that a test gives it."""

from __future__ import annotations

import re
import ssl
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rootgen.api.registry import Access
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import MANIFEST
from rootgen.image.registry.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    # Does what a test wants of one request; returns whether the honest answer follows.
    Fault = Callable[["Handler"], bool | None]

# Of little patience: what would take minutes takes a second.
HASTY = Patience(
    attempts=3, connect=5.0, silence=3.0, head=6.0, first=0.01, longest=0.05, asked=1.5
)
ACCESS = Access(plain_http=True, patience=HASTY)
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs)/(?P<which>[^/]+|uploads/.*)")


class Request(NamedTuple):
    """What came: header fields in lower case; ``size`` of the body, in bytes."""

    method: str
    path: str
    fields: dict[str, str]
    size: int


class _Fault(NamedTuple):
    method: str
    pattern: str
    act: Fault


class Host:
    """What a registry has, what it was asked, and what is to go wrong."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[Request] = []
        self.ended = threading.Event()
        self._faults: list[_Fault] = []

    def fault(
        self, method: str, pattern: str, act: Fault, times: int = 1, *, before: bool = False
    ) -> None:
        """Let ``act`` answer the next ``times`` requests of a method to a path with ``pattern``.

        What was given first comes first; ``before`` puts it before all others.
        """
        at = 0 if before else len(self._faults)
        self._faults[at:at] = [_Fault(method, pattern, act)] * times

    def always(self, method: str, pattern: str, act: Fault) -> None:
        """Let ``act`` answer all of them."""
        self.fault(method, pattern, act, 1000)

    def mend(self) -> None:
        """Forget every fault."""
        self._faults.clear()

    def asked(self, method: str, pattern: str) -> list[Request]:
        """Return the requests of a method to paths with ``pattern``."""
        return [
            one for one in self.requests if one.method == method and re.search(pattern, one.path)
        ]

    def take(self, method: str, path: str) -> Fault | None:
        """Return what is to be done with a request, if anything, and forget it."""
        for number, one in enumerate(self._faults):
            if one.method == method and re.search(one.pattern, path):
                return self._faults.pop(number).act
        return None


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Else a body waits 40 ms for the acknowledgement of its head.
    disable_nagle_algorithm = True
    host: Host

    def reply(self, status: int, body: bytes = b"", **fields: str) -> None:
        """Answer; underscores of ``fields`` are hyphens."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **fields}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def hang_up(self) -> None:
        """End the connection after this request."""
        self.close_connection = True

    def body(self) -> bytes:
        """Return what the request brought."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def _perform(self) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        size = int(fields.get("content-length", 0))
        self.host.requests.append(Request(self.command, self.path, fields, size))
        fault = self.host.take(self.command, self.path)
        try:
            if fault is None or fault(self):
                self._honest()
        except OSError:
            self.hang_up()  # who asked is gone: what tests of cut connections want

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _perform  # noqa: N815 - http.server's names

    def _honest(self) -> None:
        found = _PATH.fullmatch(urlsplit(self.path).path)
        if found is None:
            self.reply(404)
        elif found["kind"] == "manifests":
            self._manifest(found["which"])
        elif found["which"].startswith("uploads/"):
            self._upload(found["name"], found["which"].removeprefix("uploads/"))
        else:
            self._blob(found["which"])

    def _manifest(self, which: str) -> None:
        if self.command == "PUT":
            data = self.body()
            kind = self.headers["Content-Type"]
            self.host.manifests[which] = self.host.manifests[digest_bytes(data)] = (kind, data)
            self.reply(201, Docker_Content_Digest=digest_bytes(data))
        elif which in self.host.manifests:
            kind, data = self.host.manifests[which]
            self.reply(200, data, Content_Type=kind, Docker_Content_Digest=digest_bytes(data))
        else:
            self.reply(404)

    def _blob(self, digest: str) -> None:
        data = self.host.blobs.get(digest)
        if data is None:
            self.reply(404)
            return
        start = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if start is None:
            self.reply(200, data)
            return
        part = data[int(start[1]) :]
        self.reply(206, part, Content_Range=f"bytes {start[1]}-{len(data) - 1}/{len(data)}")

    def _upload(self, name: str, session: str) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        if self.command == "POST":
            if query.get("mount") in self.host.blobs:
                self.reply(201, Docker_Content_Digest=query["mount"])
                return
            session = str(len(self.host.uploads))
            self.host.uploads[session] = bytearray()
            self.reply(202, Location=f"/v2/{name}/blobs/uploads/{session}")
            return
        if session not in self.host.uploads:
            self.reply(404)
            return
        sent = self.host.uploads[session]
        sent += self.body()
        if self.command == "PUT":
            if digest_bytes(bytes(sent)) != query["digest"]:
                self.reply(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"it is not"}]}')
                return
            self.host.blobs[query["digest"]] = bytes(sent)
            self.reply(201, Docker_Content_Digest=query["digest"])
        else:
            self.reply(
                202 if self.command == "PATCH" else 204,
                Location=self.path.partition("?")[0],
                Range=f"0-{max(len(sent) - 1, 0)}",
            )


class _Server(ThreadingHTTPServer):
    def handle_error(self, *arguments: Any) -> None:
        """Say nothing of who hung up, in the middle of TLS as well."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*arguments)


@contextmanager
def host(tls: Path | None = None) -> Iterator[Host]:
    """Run a registry in this process, until the end of the ``with``."""
    handler = type("_Handler", (Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.crt", tls / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Host(f"127.0.0.1:{server.server_address[1]}")
    handler.host = running  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield running
    finally:
        running.ended.set()
        server.shutdown()
        thread.join()
        # Not its threads: those that never end are what some tests want.
        server.socket.close()


def fill(running: Host, manifest: bytes, *blobs: bytes, name: str = "1") -> str:
    """Give a registry an image; return the digest of its manifest."""
    digest = digest_bytes(manifest)
    running.manifests[name] = running.manifests[digest] = (MANIFEST, manifest)
    running.blobs |= {digest_bytes(one): one for one in blobs}
    return digest
