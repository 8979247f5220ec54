"""The way out of networks that have one: HTTPS_PROXY and NO_PROXY, as curl and podman read them.

A proxy connects us (CONNECT, RFC 9110, 9.3.6), and sees nothing of what TLS
hides. Without TLS none is asked, nor for this machine itself.
"""

from __future__ import annotations

import os

from rootgen.errors import UsageError
from rootgen.image.registry.url import is_host
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address

    from rootgen.image.registry.url import Url

_PORT = 80  # of a proxy that names none, as Go's net/http has it


class Proxy(NamedTuple):
    """Who connects us; ``authorization`` is a field's value, or nothing."""

    host: str
    port: int
    authorization: str = ""

    def __repr__(self) -> str:
        """Tell no password."""
        return f"Proxy({self.host!r}, {self.port})"


class Proxies(NamedTuple):
    """One for all hosts but the ``exceptions``; or none."""

    proxy: Proxy | None = None
    exceptions: tuple[str, ...] = ()

    def of(self, url: Url) -> Proxy | None:
        """Return who connects us to a URL's host, None where we connect ourselves."""
        if self.proxy is None or url.scheme != "https":
            return None
        return None if _is_here(url.host) or self._excepts(url) else self.proxy

    def _excepts(self, url: Url) -> bool:
        return any(_covers(one, url.host, url.port) for one in self.exceptions)


def user_proxies(environ: Mapping[str, str]) -> Proxies:
    """Return what the environment says; raise UsageError for what is no proxy that we can ask."""
    written = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    if not written:
        return Proxies()
    exceptions = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    listed = tuple(one.strip().lower() for one in exceptions.split(",") if one.strip())
    return Proxies(_parse(written), listed)


def _parse(written: str) -> Proxy:
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit

    # Not what was written: a password may be in it.
    wrong = UsageError("HTTPS_PROXY is not http://HOST:PORT", hint="with USER:PASSWORD@ if need be")
    try:
        parts = urlsplit(written if "://" in written else f"http://{written}")
        host, port = parts.hostname or "", parts.port or _PORT
    except ValueError:
        raise wrong from None
    if parts.scheme != "http" or not is_host(host):
        raise wrong
    authorization = ""
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(os.fsencode(login)).decode()}"
    return Proxy(host, port, authorization)


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return (address := _address(host)) is not None and address.is_loopback


def _covers(exception: str, host: str, port: int) -> bool:
    """Tell whether an entry of NO_PROXY is about a host.

    ``*`` is about all; a network about its addresses; a name about itself
    and what is beneath it, with a dot in front only about the latter; each
    with a port about that alone (golang.org/x/net/http/httpproxy).
    """
    from ipaddress import ip_network

    if exception == "*":
        return True
    if "/" in exception:
        try:
            network = ip_network(exception, strict=False)
        except ValueError:
            return False
        return (address := _address(host)) is not None and address in network
    if not exception.startswith("[") and exception.count(":") > 1:
        return _address(exception) == _address(host) is not None
    name, colon, digits = exception.rpartition(":")
    if colon and not exception.endswith("]"):
        if digits != str(port):
            return False
        exception = name
    exception = exception.strip("[]")
    if exception.startswith((".", "*.")):
        return host.endswith(exception.removeprefix("*"))
    return host == exception or host.endswith(f".{exception}")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None
