"""What failed before there was an answer, or in its middle, in people's words."""

from __future__ import annotations

import http.client
import socket
import ssl

from rootgen.errors import ImageError
from rootgen.image.registry.patience import AgainError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.image.registry.url import Url

# What sockets, TLS and http.client raise.
FAILURES = (OSError, http.client.HTTPException)


def not_connected(url: Url, error: Exception, proxy: str = "") -> Exception:
    """Return what to raise where nobody answers, or somebody who is not believed."""
    site = str(url._replace(target="")) + (f" through the proxy {proxy}" if proxy else "")
    if isinstance(error, ssl.SSLCertVerificationError):
        return ImageError(
            f"{site}: its certificate is not believed: {error.verify_message}",
            hint="name its authority with --ca FILE, or put it into "
            f"/etc/containers/certs.d/{url.host}:{url.port}/ca.crt",
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return ImageError(
            f"{site}: no TLS connection: {reason}",
            hint="where it is a registry without TLS, say so with --plain-http",
        )
    if isinstance(error, UnicodeError):
        return ImageError(f"{site}: that is no host's name")
    if isinstance(error, socket.gaierror):
        failure = ImageError(f"cannot find {proxy or url.host}: {error.strerror or error}")
        return AgainError(failure) if error.errno == socket.EAI_AGAIN else failure
    reason = "it does not answer" if isinstance(error, TimeoutError) else _reason(error)
    failure = ImageError(f"cannot connect to {site}: {reason}")
    if isinstance(error, ConnectionRefusedError):
        return failure
    return AgainError(failure)


def lost(url: Url, error: Exception | None) -> AgainError:
    """Return what to raise where a connection was there; ``error`` None where it ended early."""
    why = "the connection ended in the middle" if error is None else _reason(error)
    return AgainError(ImageError(f"{url.shown()}: {why}"))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long to answer"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended in the middle"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__)[:200]
    return f"it answers what is no HTTP ({type(error).__name__})"
