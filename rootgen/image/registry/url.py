"""A URL that is asked, and those that registries answer with, which nobody vouches for."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.named import NamedTuple

PORTS = {"http": 80, "https": 443}
_LIMIT = 16384  # what servers take for a request line, with room: signed URLs are long


class Url(NamedTuple):
    """Where a request goes: ``target`` is the path and the query."""

    scheme: str
    host: str
    port: int
    target: str

    def origin(self) -> tuple[str, str, int]:
        """Return what decides whether a credential may go along (RFC 6454)."""
        return self[:3]

    def shown(self) -> str:
        """Return the URL for a message: without its query, which may hold a signature."""
        return f"{self.scheme}://{self.host_port()}{self.target.partition('?')[0]}"

    def with_query(self, *pairs: tuple[str, str]) -> Url:
        """Return the URL with more in its query."""
        from urllib.parse import urlencode

        mark = "&" if "?" in self.target else "?"
        return self._replace(target=f"{self.target}{mark}{urlencode(pairs)}")

    def __str__(self) -> str:
        """Return the URL in full."""
        return f"{self.scheme}://{self.host_port()}{self.target}"

    def host_port(self) -> str:
        """Return the host, and its port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{host}{port}"


def parse_url(written: str, base: Url | None = None) -> Url:
    """Return the URL that a registry wrote, relative to ``base`` where it is so (RFC 3986, 5).

    Raises ImageError for what is no URL of http or https, or has a user in it.
    """
    from urllib.parse import urljoin, urlsplit

    wrong = f"the registry named '{written[:100]}', which is no URL to ask"
    if (
        len(written) > _LIMIT
        or not written.isascii()
        or not written.isprintable()
        or " " in written
    ):
        raise ImageError(wrong)
    try:
        parts = urlsplit(urljoin(str(base), written) if base is not None else written)
        port = parts.port
    except ValueError as error:
        raise ImageError(wrong, why=(str(error),)) from error
    host = parts.hostname or ""
    if parts.scheme not in PORTS or "@" in parts.netloc or not is_host(host):
        raise ImageError(wrong)
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    return Url(parts.scheme, host, port or PORTS[parts.scheme], target)


def is_host(host: str) -> bool:
    """Tell whether a host is a name or an address (RFC 1123, 2.1; with what resolvers let pass)."""
    import re

    # Directories are named after hosts (trust): no slash, and no dot in front.
    return re.fullmatch(r"[a-z0-9][a-z0-9._-]*|[0-9a-f:.]*:[0-9a-f:.]*", host) is not None
