"""One request, one answer: over connections that are kept, bounded in time and size."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import suppress
from typing import cast

from rootgen.image.registry.answer import Answer, watched_by
from rootgen.image.registry.failure import FAILURES, lost, not_connected
from rootgen.image.registry.patience import AgainError, StoppedError
from rootgen.image.registry.trust import tls_context
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Mapping

    from rootgen.image.registry.answer import WatchedResponse
    from rootgen.image.registry.patience import Patience
    from rootgen.image.registry.proxy import Proxies
    from rootgen.image.registry.trust import Trust
    from rootgen.image.registry.url import Url

_AGENT = "rootgen"
# RFC 9110, 9.2.1: asking again, or elsewhere, changes nothing there.
SAFE = frozenset(("GET", "HEAD"))
_OLD = 50.0  # seconds: servers let go of a connection after 60 and more


class Body(NamedTuple):
    """What a request sends: ``blocks`` gives the same ``size`` bytes each time it is called."""

    size: int
    blocks: Callable[[], Iterable[bytes]]
    media_type: str = "application/octet-stream"


def body_of(data: bytes, media_type: str) -> Body:
    """Return ``data`` as a body."""
    return Body(len(data), lambda: (data,), media_type)


class Transport:
    """Connections to any number of hosts, shared by threads; ``stop`` ends them all."""

    def __init__(self, trust: Trust, patience: Patience, proxies: Proxies) -> None:
        self.stop = threading.Event()
        self.patience = patience
        self._trust = trust
        self._proxies = proxies
        # Those that nobody uses, with the moment since when.
        self._idle: dict[tuple[str, str, int], list[tuple[http.client.HTTPConnection, float]]] = {}
        # With the socket of each: http.client forgets it where an answer ends with the connection.
        self._all: dict[http.client.HTTPConnection, socket.socket] = {}
        self._contexts: dict[tuple[str, int], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def send(
        self, method: str, url: Url, headers: Mapping[str, str], body: Body | None = None
    ) -> Answer:
        """Send one request, and return its answer once its head is there.

        Raises AgainError for what may go better another time, ImageError
        for a host that cannot be trusted or is none, StoppedError.
        """
        kept = self._kept(url)
        if kept is not None:
            try:
                return self._exchange(kept, method, url, headers, body)
            except AgainError as failure:
                # One that was kept may have ended meanwhile: that says nothing of the host. But
                # who had half of a body may keep it: what sends one must ask before it goes on.
                if method not in SAFE or isinstance(failure.__cause__, TimeoutError):
                    raise
        return self._exchange(self._connect(url), method, url, headers, body)

    def abort(self) -> None:
        """Wake up whoever waits for an answer: it raises StoppedError."""
        self.stop.set()
        with self._lock:
            for kept in self._all.values():
                # Not SSLSocket's own, which would also take its TLS away beneath who reads.
                with suppress(OSError):
                    socket.socket.shutdown(kept, socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
            self._idle.clear()

    def _kept(self, url: Url) -> http.client.HTTPConnection | None:
        """Return a connection to a host that nobody uses, if there is one."""
        while True:
            with self._lock:
                idle = self._idle.get(url.origin())
                if not idle:
                    return None
                connection, since = idle.pop()
            if time.monotonic() - since < _OLD:
                return connection
            self._lose(connection)

    def _connect(self, url: Url) -> http.client.HTTPConnection:
        if self.stop.is_set():
            raise StoppedError
        proxy = self._proxies.of(url)
        host, port = (url.host, url.port) if proxy is None else proxy[:2]
        seconds = self.patience.connect
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            context = self._context(url.host, url.port)
            connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        if proxy is not None:
            login = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
            connection.set_tunnel(url.host, url.port, login)
        answers: list[WatchedResponse] = []
        connection.response_class = watched_by(self.patience, answers)
        try:
            connection.connect()
        except (*FAILURES, UnicodeError) as error:
            connection.close()
            for one in answers:
                one.close()  # a proxy's, of which http.client lets go and does not close it
            raise not_connected(url, error, "" if proxy is None else f"{host}:{port}") from error
        with self._lock:
            self._all[connection] = connection.sock
        return connection

    def _context(self, host: str, port: int) -> ssl.SSLContext:
        with self._lock:
            if (host, port) not in self._contexts:
                self._contexts[host, port] = tls_context(self._trust, host, port)
            return self._contexts[host, port]

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: Body | None,
    ) -> Answer:
        def release(reusable: bool) -> None:  # noqa: FBT001 - Answer calls it
            if not reusable:
                self._lose(connection)
                return
            with self._lock:
                self._idle.setdefault(url.origin(), []).append((connection, time.monotonic()))

        try:
            connection.sock.settimeout(self.patience.silence)
            self._send(connection, method, url, headers, body)
            # Made by what _connect has set as the connection's response_class.
            response = cast("WatchedResponse", connection.getresponse())
        except (*FAILURES, ValueError) as error:
            self._lose(connection)
            if self.stop.is_set():
                raise StoppedError from error
            raise lost(url, error) from error
        except BaseException:
            # What gives the body failed (a damaged blob): the line is left in its middle.
            self._lose(connection)
            raise
        return Answer(url, response, release)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        url: Url,
        headers: Mapping[str, str],
        body: Body | None,
    ) -> None:
        fields = {"User-Agent": _AGENT, "Connection": "keep-alive", **headers}
        if body is not None:
            fields |= {"Content-Length": str(body.size), "Content-Type": body.media_type}
        elif method in {"POST", "PUT", "PATCH"}:
            fields["Content-Length"] = "0"
        connection.putrequest(method, url.target)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()
        if body is None:
            return
        for block in body.blocks():
            if self.stop.is_set():
                raise StoppedError
            try:
                connection.send(block)
            except (BrokenPipeError, ConnectionResetError):
                # Who refuses a body says why before it hangs up; where not, reading tells.
                return

    def _lose(self, connection: http.client.HTTPConnection) -> None:
        connection.close()
        with self._lock:
            self._all.pop(connection, None)
