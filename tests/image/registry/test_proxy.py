"""Proxies: asked for whom they should be, told nothing that is not theirs."""

from __future__ import annotations

import re
import select
import socket
import threading
from base64 import b64encode
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import ImageError, UsageError
from rootgen.image.registry.patience import AgainError
from rootgen.image.registry.proxy import Proxies, Proxy, user_proxies
from rootgen.image.registry.transport import Transport
from rootgen.image.registry.trust import Trust
from rootgen.image.registry.url import Url, parse_url
from tests.image.registry.hostile import HASTY, host
from tests.image.registry.real import make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROXY = Proxy("proxy.example", 3128)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("http://proxy.example:3128", _PROXY),
        ("http://proxy.example:3128/", _PROXY),
        ("proxy.example:3128", _PROXY),
        ("http://proxy.example", Proxy("proxy.example", 80)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
        (
            "http://ada:a%40b@proxy.example:3128",
            _PROXY._replace(authorization="Basic " + b64encode(b"ada:a@b").decode()),
        ),
    ],
)
def test_written(written: str, expected: Proxy) -> None:
    """The forms that people write."""
    assert user_proxies({"HTTPS_PROXY": written}).proxy == expected
    assert user_proxies({"https_proxy": written, "HTTPS_PROXY": "x:1"}).proxy == expected
    assert "a%40b" not in repr(expected)
    assert "Basic" not in repr(expected)


@pytest.mark.parametrize(
    "written",
    ["https://p:1", "socks5://u:secret@p:1", "http://p:x", "http://", "http://:80", "p q", "ä:1"],
)
def test_refused(written: str) -> None:
    """What we cannot ask is said, and not shown."""
    with pytest.raises(UsageError, match="HTTPS_PROXY is not") as error:
        user_proxies({"HTTPS_PROXY": written})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("exceptions", "site", "direct"),
    [
        ("", "https://r.example", False),
        ("*", "https://r.example", True),
        ("example", "https://r.example", True),
        ("r.example", "https://r.example", True),
        (" a.example , R.Example ", "https://r.example", True),
        ("r.example", "https://a.r.example", True),
        ("r.example", "https://notr.example", False),
        (".r.example", "https://r.example", False),
        (".r.example", "https://a.r.example", True),
        ("*.r.example", "https://a.r.example", True),
        ("r.example:443", "https://r.example", True),
        ("r.example:444", "https://r.example", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.0.0.0/8", "https://r.example", False),
        ("10.1.2.3", "https://10.1.2.3:5000", True),
        ("fd00::1", "https://[fd00::1]:5000", True),
        ("[fd00::1]:5000", "https://[fd00::1]:5000", True),
        ("fd00::/8", "https://[fd00::1]", True),
        ("x/y,,:", "https://r.example", False),
        ("", "https://localhost", True),
        ("", "https://127.9.9.9:5000", True),
        ("", "https://[::1]", True),
        ("", "http://r.example", True),
    ],
)
def test_exceptions(exceptions: str, site: str, direct: bool) -> None:
    """Who is come to without one, as Go has it for podman, docker and skopeo."""
    proxies = user_proxies({"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": exceptions})
    assert proxies.of(parse_url(site)) == (None if direct else _PROXY)
    assert Proxies().of(parse_url(site)) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text(written: str, exceptions: str) -> None:
    """Whatever stands there: a proxy, none, or a UsageError."""
    try:
        proxies = user_proxies({"HTTPS_PROXY": written, "NO_PROXY": exceptions})
    except UsageError:
        return
    found = proxies.of(Url("https", "r.example", 443, "/"))
    assert found in {None, proxies.proxy}


class _Connects:
    """A proxy that connects to one port, whatever it is asked for."""

    def __init__(self, port: int, answer: bytes) -> None:
        self.requests: list[bytes] = []
        self._port, self._answer = port, answer
        self.listener = socket.create_server(("127.0.0.1", 0))

    def serve(self) -> None:
        """Take one connection after the other, until the listener is closed."""
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            with one, suppress(OSError):  # whoever is at an end may hang up first
                self.requests.append(one.recv(4096))
                one.sendall(self._answer)
                if self._port and b" 200 " in self._answer:
                    self._pass_on(one)

    def _pass_on(self, one: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as other:
            ways = {one: other, other: one}
            while ready := select.select(list(ways), [], [], 10)[0]:
                for each in ready:
                    data = each.recv(65536)
                    if not data:
                        return
                    ways[each].sendall(data)


@contextmanager
def _proxy(port: int, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Iterator[_Connects]:
    running = _Connects(port, answer)
    thread = threading.Thread(target=running.serve)
    thread.start()
    try:
        yield running
    finally:
        running.listener.shutdown(socket.SHUT_RDWR)
        running.listener.close()
        thread.join()


def _ask(proxy: Proxy, ca: str) -> int:
    transport = Transport(Trust(ca, ()), HASTY, Proxies(proxy))
    try:
        headers = {"Authorization": "Basic secret"}
        with transport.send("GET", Url("https", "localhost.example", 443, "/v2/"), headers) as one:
            return one.status
    finally:
        transport.close()


def test_connected(tmp_path: Path) -> None:
    """The proxy is told the host and its own login; the host's name is verified beyond it."""
    certificates = make_certificates(tmp_path / "tls", "DNS:localhost.example")
    with host(certificates) as there, _proxy(int(there.name.partition(":")[2])) as between:
        proxy = Proxy("127.0.0.1", between.listener.getsockname()[1], "Basic own")
        assert _ask(proxy, str(certificates / "ca.crt")) == 404
        (request,) = between.requests
        assert request.startswith(b"CONNECT localhost.example:443 HTTP/1.")
        assert b"Proxy-Authorization: Basic own\r\n" in request
        assert b"secret" not in request
        (asked,) = there.requests
        assert asked.fields["authorization"] == "Basic secret"
        assert "proxy-authorization" not in asked.fields
        with pytest.raises(ImageError, match="its certificate is not believed"):
            _ask(proxy, "")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "407 Who are you"),
        (b"HTTP/1.1 502 No\r\n\r\n", "502 No"),
        (b"what\r\n\r\n", "is no HTTP"),
        (b"", "closed without an answer|took too long|ended|does not answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5, "closed|took too long|ended|no TLS|not answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "no TLS connection"),
    ],
)
def test_refusals(answer: bytes, message: str) -> None:
    """What a proxy says instead of connecting is told, with its name; nothing is sent to it."""
    with _proxy(0, answer) as between:
        proxy = Proxy("127.0.0.1", between.listener.getsockname()[1])
        with pytest.raises((ImageError, AgainError)) as caught:
            _ask(proxy, "")
    failure = caught.value
    error = failure.error if isinstance(failure, AgainError) else failure
    assert isinstance(error, ImageError)
    told = error.what
    assert re.search(message, told), told
    assert f"through the proxy 127.0.0.1:{proxy.port}" in told
    assert not any(b"secret" in one for one in between.requests)
