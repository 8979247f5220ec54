"""What people call an image: ``NAME:TAG``, ``REGISTRY/NAME:TAG``, ``NAME@sha256:…``.

The grammar is that of the distribution specification ("Pulling manifests"),
with a host where the first part has a dot, a colon or is localhost, as
docker's reference package decides it.
"""

from __future__ import annotations

from rootgen.errors import UsageError
from rootgen.image.descriptor import check_digest
from rootgen.named import NamedTuple

DEFAULT_TAG = "latest"
_TAG_LIMIT = 128
_NAME_LIMIT = 255
_HINT = "write it as NAME:TAG, such as tools/git:1.0, in lower case"


class Reference(NamedTuple):
    """An image: ``registry`` is empty for one that was made here; ``digest`` may be empty."""

    registry: str
    name: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        """Return the reference in full."""
        host = f"{self.registry}/" if self.registry else ""
        return f"{host}{self.name}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parse_reference(written: str) -> Reference:
    """Return the reference that ``written`` is, its tag ``latest`` where none is given.

    Raises UsageError.
    """
    rest, at, digest = written.partition("@")
    if at:
        check_digest(digest, written[:_NAME_LIMIT])
    registry, rest = _split_registry(rest)
    name, colon, tag = rest.partition(":")
    tag = tag if colon else DEFAULT_TAG
    if not (_is_host(registry) and is_name(name) and _is_tag(tag)):
        raise UsageError(f"'{written[:_NAME_LIMIT]}' is no name of an image", hint=_HINT)
    return Reference(registry, name, tag, digest)


def _split_registry(written: str) -> tuple[str, str]:
    first, slash, rest = written.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", written


def _is_host(host: str) -> bool:
    import re

    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    pattern = rf"(?:{label}(?:\.{label})*|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?"
    return not host or (len(host) <= _NAME_LIMIT and re.fullmatch(pattern, host) is not None)


def is_name(name: str) -> bool:
    """Tell whether a repository may be called so (distribution-spec, "Pulling manifests")."""
    import re

    part = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    return len(name) <= _NAME_LIMIT and re.fullmatch(rf"{part}(?:/{part})*", name) is not None


def _is_tag(tag: str) -> bool:
    import re

    return re.fullmatch(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{_TAG_LIMIT - 1}}}", tag) is not None
