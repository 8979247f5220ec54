"""What the commands of registries share."""

from __future__ import annotations

from rootgen.api.registry import Access
from rootgen.cli.command import Option, flag
from rootgen.cli.duration import duration
from rootgen.image.registry.patience import Patience

_PATIENCE = Patience()

ACCESS_OPTIONS = (
    flag("--plain-http", "Connect without TLS: what is sent can be read and changed on the way."),
    Option(
        ("--ca",), "ca", metavar="FILE",
        help="Believe the certificates in FILE (PEM) besides the system's.",
    ),
    Option(
        ("--authfile",), "authfile", metavar="FILE",
        help="The logins.  [default: REGISTRY_AUTH_FILE, or where podman and docker keep them]",
    ),
    Option(
        ("--retries",), "retries", metavar="N", kind="int", default=_PATIENCE.attempts - 1,
        least=0, most=100, shown=True,
        help="How often to ask again, after longer and longer, where a registry fails.",
    ),
    Option(
        ("--timeout",), "timeout", metavar="DURATION", default="60s", shown=True,
        help="How long to wait while nothing comes.",
    ),
)  # fmt: skip


def access_of(*, plain_http: bool, ca: str, authfile: str, retries: int, timeout: str) -> Access:
    """Return how the options say that a registry is come to; raise OptionError."""
    silence = max(duration(timeout, "--timeout"), 0.001)
    patience = _PATIENCE._replace(
        attempts=retries + 1,
        silence=silence,
        connect=min(_PATIENCE.connect, silence),
        head=max(_PATIENCE.head, 2 * silence) if silence >= _PATIENCE.silence else 2 * silence,
    )
    return Access(plain_http, ca, authfile, patience)
