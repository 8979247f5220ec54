"""What ``podman login``, ``docker login`` and ``skopeo login`` left: containers-auth.json(5)."""

from __future__ import annotations

import os

from rootgen.errors import ImageError
from rootgen.image.document import LIMIT, Document, parse_document
from rootgen.image.registry.repository import DOCKER
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.image.registry.repository import Repository

# What docker calls docker.io in its file, and to its helpers.
_DOCKER_SERVER = "https://index.docker.io/v1/"
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers write where a name stands


class Credential(NamedTuple):
    """Who asks. ``identity_token`` stands for a password, ``registry_token`` goes as it is."""

    user: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    source: str = ""

    def __repr__(self) -> str:
        """Tell nothing: a traceback is no place for a password."""
        return f"Credential(source={self.source!r})"


class AuthFiles(NamedTuple):
    """Files to look in, in this order; where ``demanded``, the first one must be there."""

    paths: tuple[str, ...]
    demanded: bool = False


def auth_files(given: str, environ: Mapping[str, str]) -> AuthFiles:
    """Return where a user's credentials are: one file that was named, or all the usual ones."""
    named = given or environ.get("REGISTRY_AUTH_FILE", "")
    if named:
        return AuthFiles((named,), demanded=True)
    home = environ.get("HOME") or os.path.expanduser("~")
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.geteuid()}"
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    return AuthFiles(
        (
            os.path.join(runtime, "containers/auth.json")
            if "XDG_RUNTIME_DIR" in environ
            else os.path.join(runtime, "auth.json"),
            os.path.join(config, "containers/auth.json"),
            os.path.join(docker, "config.json"),
        )
    )


def find_credential(files: AuthFiles, repository: Repository) -> Credential | None:
    """Return what the first file that knows the repository says, or None.

    Within a file the most particular name counts (``host/team/app`` before
    ``host``), a helper for the host before what is written, a helper for all
    hosts last. Raises ImageError for a file that cannot be read, or a helper
    that fails.
    """
    for path in files.paths:
        document = _read(path, demanded=files.demanded)
        if document is None:
            continue
        found = find_in(document, repository, path)
        if found is not None:
            return found
    return None


def find_in(document: Document, repository: Repository, path: str) -> Credential | None:
    """Return what the file ``path``, already read, says of a repository, or None."""
    server = _DOCKER_SERVER if repository.host == DOCKER else repository.host
    helpers = dict(document.pairs("credHelpers"))
    for name in _hosts(repository):
        if name in helpers:
            return _helped(helpers[name], server)
    written = document.inner("auths")
    keys = {_normalised(key): key for key in reversed(written.keys())}
    for name in _names(repository):
        if name in keys:
            found = _written(written.inner(keys[name]), path)
            if found is not None:
                return found
    store = document.text("credsStore", "")
    return _helped(store, server) if store else None


def _hosts(repository: Repository) -> tuple[str, ...]:
    if repository.host == DOCKER:
        return (DOCKER, _DOCKER_SERVER, "index.docker.io")
    return (repository.host,)


def _names(repository: Repository) -> Iterator[str]:
    """Return what a credential may be filed under, the most particular name first."""
    name = str(repository)
    while "/" in name:
        yield name
        name = name.rpartition("/")[0]
    yield name
    if repository.host == DOCKER:
        yield "index.docker.io"


def _normalised(key: str) -> str:
    """Return a key without what old files have around the host: a scheme, the API's version."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return key.removeprefix(scheme).partition("/")[0]
    return key.removesuffix("/")


def _written(entry: Document, path: str) -> Credential | None:
    """Return what one entry says; None for one that says nothing (a helper has the rest)."""
    from base64 import b64decode

    identity, registry = entry.text("identitytoken", ""), entry.text("registrytoken", "")
    for token in (identity, registry):
        if not token.isascii() or not token.isprintable():
            raise ImageError(f"{entry.where}: what stands there is no token")
    encoded = entry.text("auth", "")
    try:
        plain = b64decode(encoded, validate=True).rstrip(b"\0").decode()
    except ValueError:
        raise ImageError(f"{entry.where}: 'auth' is not base64") from None
    user, colon, password = plain.partition(":")
    if plain and not colon:
        raise ImageError(f"{entry.where}: 'auth' is not a user and a password")
    if not (plain or identity or registry):
        return None
    return Credential(user, password, identity, registry, path)


def _helped(name: str, server: str) -> Credential | None:
    from rootgen.image.registry.helper import ask_helper  # few have one, and it is a process

    answer = ask_helper(name, server)
    if answer is None:
        return None
    user, secret = answer
    source = f"docker-credential-{name}"
    if user == _TOKEN_USER:
        return Credential(identity_token=secret, source=source)
    return Credential(user, secret, source=source)


def _read(path: str, *, demanded: bool) -> Document | None:
    try:
        with open(path, "rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        # Where nothing was named, a file that is not there says nothing; nor a path through a file.
        if not demanded and isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return None
        hint = "podman login, docker login and skopeo login write such a file"
        raise ImageError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    return parse_document(data, path) if data.strip() else None
