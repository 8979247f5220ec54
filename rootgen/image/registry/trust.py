"""Whose certificates are believed: the system's authorities, and those for one host."""

from __future__ import annotations

import os

from rootgen.errors import ImageError, UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

# containers-certs.d(5): a directory of a host's, the first that is there.
_SYSTEM = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class Trust(NamedTuple):
    """``ca`` is a file of certificates (PEM), or nothing; ``directories`` hold some by host."""

    ca: str = ""
    directories: tuple[str, ...] = _SYSTEM


def user_trust(ca: str, environ: Mapping[str, str]) -> Trust:
    """Return what a user trusts: ``ca``, their own directory of certificates, the system's."""
    config = environ.get("XDG_CONFIG_HOME", "")
    if not config.startswith("/"):
        config = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".config")
    return Trust(ca, (os.path.join(config, "containers/certs.d"), *_SYSTEM))


def tls_context(trust: Trust, host: str, port: int) -> ssl.SSLContext:
    """Return what to connect to ``host`` by; OpenSSL itself honours SSL_CERT_FILE and SSL_CERT_DIR.

    Raises UsageError for a ``ca`` that is no file of certificates, ImageError
    for what is wrong in a directory of the host's.
    """
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 would refuse private authorities that `openssl req -x509` makes, for an extension
    # that they lack; podman, docker and curl take them, and so does any Python before.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if trust.ca:
        try:
            context.load_verify_locations(trust.ca)
        except OSError as error:  # SSLError is one
            raise UsageError(f"--ca {trust.ca}: {_reason(error)}") from error
    for name in (f"{host}:{port}", host):
        for top in trust.directories:
            directory = os.path.join(top, name)
            if os.path.isdir(directory):
                _load(context, directory)
                return context
    return context


def _load(context: ssl.SSLContext, directory: str) -> None:
    """Believe ``*.crt``, and show ``*.cert`` with the ``*.key`` beside it."""
    path = directory
    try:
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if name.endswith(".crt"):
                context.load_verify_locations(path)
            elif name.endswith(".cert"):
                context.load_cert_chain(path, path.removesuffix(".cert") + ".key")
    except OSError as error:
        raise ImageError(f"cannot use {path}: {_reason(error)}") from error


def _reason(error: OSError) -> str:
    import ssl

    if isinstance(error, ssl.SSLError):
        return "it holds no certificate in PEM" if not error.reason else error.reason
    return error.strerror or str(error)
