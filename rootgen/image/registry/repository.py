"""Where a reference leads: which host is asked for it, and by which name."""

from __future__ import annotations

from rootgen.errors import UsageError
from rootgen.image.reference import parse_reference
from rootgen.image.registry.url import PORTS, Url
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.image.reference import Reference

DOCKER = "docker.io"
# Names of one registry, of which the last answers (distribution/reference, "splitDockerDomain").
_DOCKER_NAMES = frozenset((DOCKER, "index.docker.io", "registry-1.docker.io"))
_DOCKER_API = "registry-1.docker.io"
# Where docker.io keeps images whose name has one part.
_DOCKER_LIBRARY = "library"


class Repository(NamedTuple):
    """A name at a registry; ``host`` is as people and credentials call it, with a port if any."""

    host: str
    name: str

    def __str__(self) -> str:
        """Return both, as they are written."""
        return f"{self.host}/{self.name}"

    def url(self, path: str, *, plain_http: bool = False) -> Url:
        """Return where ``path`` of this repository is asked for (distribution-spec, Endpoints)."""
        scheme = "http" if plain_http else "https"
        host, port = _DOCKER_API if self.host == DOCKER else self.host, PORTS[scheme]
        if ":" in host and not host.endswith("]"):
            host, _, written = host.rpartition(":")
            port = int(written)
        return Url(scheme, host.strip("[]").lower(), port, f"/v2/{self.name}/{path}")


def remote_reference(written: str) -> tuple[Repository, Reference]:
    """Return the repository that an image's name is of, and the name itself.

    Raises UsageError for a name without a host: those are of images made
    here, and which registry is meant is not guessed.
    """
    reference = parse_reference(written)
    if not reference.registry:
        hint = f"with its registry in front: {DOCKER}/{_library(reference.name)}:{reference.tag}"
        raise UsageError(f"at which registry is {written[:255]}?", hint=hint)
    port = reference.registry.rpartition(":")[2] if ":" in reference.registry else ""
    if port.isdigit() and not 0 < int(port) < 1 << 16:
        raise UsageError(f"'{reference.registry}' has no port of that number")
    if reference.registry in _DOCKER_NAMES:
        return Repository(DOCKER, _library(reference.name)), reference
    return Repository(reference.registry, reference.name), reference


def _library(name: str) -> str:
    return name if "/" in name else f"{_DOCKER_LIBRARY}/{name}"
