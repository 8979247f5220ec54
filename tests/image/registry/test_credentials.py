"""Logins: found as podman finds them, whatever the file; never shown."""

from __future__ import annotations

import json
import os
import traceback
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import ImageError
from rootgen.image.document import parse_document
from rootgen.image.registry.credentials import (
    AuthFiles,
    Credential,
    auth_files,
    find_credential,
    find_in,
)
from rootgen.image.registry.helper import ask_helper
from rootgen.image.registry.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

_APP = Repository("r.example:5000", "team/app")
_DOCKER = Repository("docker.io", "library/debian")


def _auth(user: str, password: str = "word") -> dict[str, str]:
    return {"auth": b64encode(f"{user}:{password}".encode()).decode()}


def _found(path: Path, document: Any, repository: Repository = _APP) -> Credential | None:
    path.write_text(json.dumps(document))
    return find_credential(AuthFiles((str(path),)), repository)


@pytest.mark.parametrize(
    ("keys", "repository", "user"),
    [
        (["r.example:5000"], _APP, "r.example:5000"),
        (["r.example", "r.example:5001", "example:5000"], _APP, None),
        (["r.example:5000", "r.example:5000/team"], _APP, "r.example:5000/team"),
        (["r.example:5000/team/app", "r.example:5000/team"], _APP, "r.example:5000/team/app"),
        (["r.example:5000/tea", "r.example:5000/team/app/more"], _APP, None),
        (["https://r.example:5000/v2/"], _APP, "https://r.example:5000/v2/"),
        (["http://r.example:5000"], _APP, "http://r.example:5000"),
        (["https://index.docker.io/v1/"], _DOCKER, "https://index.docker.io/v1/"),
        (["index.docker.io", "docker.io"], _DOCKER, "docker.io"),
        (["docker.io/library"], _DOCKER, "docker.io/library"),
        (["registry-1.docker.io", "evil.docker.io"], _DOCKER, None),
    ],
)
def test_names(tmp_path: Path, keys: list[str], repository: Repository, user: str | None) -> None:
    """The most particular name counts (containers-auth.json(5)); no name is like another."""
    found = _found(tmp_path / "f", {"auths": {one: _auth(f"u {one}") for one in keys}}, repository)
    # A user ends at the first colon.
    expected = None if user is None else f"u {user}".partition(":")[0]
    assert (None if found is None else found.user) == expected


@given(st.text(max_size=20).filter(lambda one: ":" not in one), st.text(max_size=20))
def test_round_trip(user: str, password: str) -> None:
    """Every user and every password, colons in it too, but NULs at its end (docker pads)."""
    document = parse_document(
        json.dumps({"auths": {str(_APP.host): _auth(user, password)}}).encode(), "f"
    )
    found = find_in(document, _APP, "f")
    assert found is not None
    assert (found.user, found.password) == (user, password.rstrip("\0"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["auth", "identitytoken", _APP.host, "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["auths", "x"]), _JSON))
def test_any_file(members: dict[str, Any]) -> None:
    """Whatever stands in a file: a login, none, or an ImageError."""
    document = parse_document(json.dumps(members).encode(), "f")
    try:
        found = find_in(document, _APP, "f")
    except ImageError:
        return
    assert found is None or isinstance(found, Credential)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"auth": "?"}, "'auth' is not base64"),
        ({"auth": b64encode(b"nobody").decode()}, "is not a user and a password"),
        ({"auth": 5}, "'auth' is not a text"),
        ([], "is not an object"),
        ({"identitytoken": "a\nb"}, "is no token"),
        ({"registrytoken": "ä"}, "is no token"),
    ],
)
def test_malformed(tmp_path: Path, entry: Any, message: str) -> None:
    """What is wrong is said, and where; not what was written."""
    with pytest.raises(ImageError, match=message) as error:
        _found(tmp_path / "f", {"auths": {_APP.host: entry}})
    assert str(tmp_path / "f") in error.value.what


def test_tokens(tmp_path: Path) -> None:
    """An identity token, or a registry's, in place of a password; an empty entry says nothing."""
    found = _found(tmp_path / "f", {"auths": {_APP.host: {"identitytoken": "i"}}})
    assert found is not None
    assert found.identity_token == "i"
    found = _found(tmp_path / "f", {"auths": {_APP.host: {"registrytoken": "r"}}})
    assert found is not None
    assert found.registry_token == "r"
    assert _found(tmp_path / "f", {"auths": {_APP.host: {}}}) is None


def test_order(tmp_path: Path) -> None:
    """The first file that knows the registry counts; one that is not there is no mistake."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text(json.dumps({"auths": {"other.example": _auth("no")}}))
    second.write_text(json.dumps({"auths": {_APP.host: _auth("yes")}}))
    paths = (str(tmp_path / "none"), str(first), str(second))
    found = find_credential(AuthFiles(paths), _APP)
    assert found is not None
    assert (found.user, found.source) == ("yes", str(second))
    with pytest.raises(ImageError, match="cannot read"):
        find_credential(AuthFiles(paths, demanded=True), _APP)
    first.write_text("{")
    with pytest.raises(ImageError, match="not JSON"):
        find_credential(AuthFiles(paths), _APP)


def test_places() -> None:
    """Where podman, docker and skopeo write; where one is named, there alone."""
    assert auth_files("/a", {"REGISTRY_AUTH_FILE": "/b"}) == AuthFiles(("/a",), demanded=True)
    assert auth_files("", {"REGISTRY_AUTH_FILE": "/b"}) == AuthFiles(("/b",), demanded=True)
    assert auth_files("", {"HOME": "/h"}).paths == (
        f"/run/containers/{os.geteuid()}/auth.json",
        "/h/.config/containers/auth.json",
        "/h/.docker/config.json",
    )
    environ = {
        "HOME": "/h",
        "XDG_RUNTIME_DIR": "/r",
        "XDG_CONFIG_HOME": "/c",
        "DOCKER_CONFIG": "/d",
    }
    assert auth_files("", environ).paths == (
        "/r/containers/auth.json",
        "/c/containers/auth.json",
        "/d/config.json",
    )


def _helper(place: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    place.mkdir(exist_ok=True)
    program = place / "docker-credential-t"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")


def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper for the host before what is written, one for all hosts after it."""
    _helper(
        tmp_path / "bin",
        monkeypatch,
        """
        [ "$1" = get ] && printf '{"Username":"helped by %s","Secret":"s"}' "$(cat)" """,
    )
    written = {"auths": {_APP.host: _auth("written")}}
    found = _found(tmp_path / "f", written | {"credHelpers": {_APP.host: "t"}})
    assert found is not None
    assert (found.user, found.source) == ("helped by r.example:5000", "docker-credential-t")
    found = _found(tmp_path / "f", written | {"credsStore": "t"})
    assert found is not None
    assert found.user == "written"
    found = _found(tmp_path / "f", {"auths": {_APP.host: {}}, "credsStore": "t"})
    assert found is not None
    assert found.user == "helped by r.example:5000"
    found = _found(tmp_path / "f", {"credsStore": "t"}, _DOCKER)
    assert found is not None
    assert found.user == "helped by https://index.docker.io/v1/"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo secret; exit 3", r"docker-credential-t failed for r.example \(exit status 3\)"),
        ("echo secret", "the answer of docker-credential-t: not JSON"),
        ('echo \'{"Username": "u"}\'', "no 'Secret'"),
        ("exec sleep 60", "did not answer within"),
        ("sleep 60 & sleep 60", "did not answer within"),
    ],
)
def test_helper_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    """A helper that fails, or does not end, is an error that keeps what it printed to itself."""
    _helper(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(ImageError, match=message) as error:
        ask_helper("t", "r.example", seconds=0.3 if "sleep" in script else 60)
    assert "secret" not in str(error.value)


def test_helper_knows_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docker's own helpers print where they have none is none; a token is told from a user."""
    message = "credentials not found in native keychain"
    _helper(tmp_path / "bin", monkeypatch, f"echo '{message}'; exit 1")
    assert ask_helper("t", "r.example") is None
    _helper(tmp_path / "bin", monkeypatch, """echo '{"Username":"<token>","Secret":"i"}'""")
    found = _found(tmp_path / "f", {"credsStore": "t"})
    assert found is not None
    assert (found.user, found.identity_token) == ("", "i")
    for name in ("none", "../t", "a\0b"):
        with pytest.raises(ImageError, match="credential helper"):
            ask_helper(name, "r.example")


def test_never_shown() -> None:
    """A traceback with the value in it has no password."""
    credential = Credential("ada", "correct horse", "i", "r", "f")
    assert repr(credential) == str(credential) == "Credential(source='f')"
    assert "horse" not in "".join(traceback.format_exception(ValueError(credential)))
