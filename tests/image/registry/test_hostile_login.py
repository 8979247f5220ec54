"""Where a password goes, and where it never does, whatever a registry answers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from rootgen.errors import ImageError
from rootgen.image.descriptor import LAYER
from rootgen.image.store import Store
from tests.image.registry.hostile import ACCESS, HASTY, Host, host
from tests.image.registry.places import give, intact, pulled, pushed
from tests.image.registry.real import PASSWORD, USER, make_certificates, write_login
from tests.image.storing import add_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rootgen.api.registry import Access
    from tests.image.registry.hostile import Fault, Handler

_BASIC = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_ANY = ("GET", "HEAD", "POST", "PUT", "PATCH")


@pytest.fixture
def there() -> Iterator[Host]:
    """Run the registry that the login is for."""
    with host() as running:
        yield running


@pytest.fixture
def elsewhere() -> Iterator[Host]:
    """Run another host, which has everything and must not be told who asks."""
    with host() as running:
        yield running


@pytest.fixture
def access(tmp_path: Path, there: Host) -> Access:
    """Return how to come to the registry, with a login for it."""
    write_login(tmp_path / "auth.json", there.name)
    return ACCESS._replace(authfile=str(tmp_path / "auth.json"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a store will be."""
    return tmp_path / "store"


def _demand(challenge: str, field: str, *answer: bytes) -> Fault:
    """Answer with a challenge where a request has not the field Authorization that is wanted."""

    def act(handler: Handler) -> bool:
        if handler.headers.get("Authorization", "") == field:
            return True
        handler.body()
        handler.reply(401, *answer, WWW_Authenticate=challenge)
        return False

    return act


def _everywhere(running: Host, act: Fault, pattern: str = "/v2/") -> None:
    for method in _ANY:
        running.always(method, pattern, act)


def _told(running: Host) -> set[str]:
    """Return every field Authorization that a host was told."""
    return {one.fields.get("authorization", "") for one in running.requests} - {""}


def _send_on(to: Host, scheme: str = "http") -> Fault:
    return lambda one: one.reply(307, Location=f"{scheme}://{to.name}{one.path}")


def test_basic(there: Host, access: Access, store: Path) -> None:
    """A password is told when it is asked for, and not before."""
    give(there)
    _everywhere(there, _demand('Basic realm="x"', _BASIC))
    pulled(there, store, access)
    first, *others = (one.fields.get("authorization") for one in there.requests)
    assert first is None
    assert set(others) == {_BASIC}
    assert intact(store)


def test_redirected(there: Host, elsewhere: Host, access: Access, store: Path) -> None:
    """Blobs and manifests may be had elsewhere; who asks is not told there, even if asked."""
    image = give(there)
    elsewhere.blobs, elsewhere.manifests = there.blobs, there.manifests
    there.fault("GET", "manifests/1", _demand("Basic", _BASIC))
    for pattern in ("manifests/1", image.layer, image.config):
        there.fault("GET", pattern, _send_on(elsewhere))
    pulled(there, store, access)
    assert len(elsewhere.requests) == 3
    assert (_told(there), _told(elsewhere)) == ({_BASIC}, set())
    assert intact(store)
    for challenge in ("Basic", f'Bearer realm="http://{elsewhere.name}/token"'):
        there.fault("GET", "manifests/1", _demand("Basic", _BASIC))
        there.fault("GET", "manifests/1", _send_on(elsewhere))
        elsewhere.fault("GET", "manifests/1", _demand(challenge, _BASIC))
        with pytest.raises(ImageError, match="does not take the login"):
            pulled(there, store, access)
        assert _told(elsewhere) == set()


def test_redirected_without_end(there: Host, store: Path) -> None:
    """Five times is enough; each is another request, and no attempt."""
    give(there)
    there.always("GET", "manifests/1", _send_on(there))
    with pytest.raises(ImageError, match="redirected more than 5 times"):
        pulled(there, store)
    assert len(there.requests) == 1 + 5


@pytest.mark.parametrize(
    "location", ["", "ftp://x/", "http://u:p@x/", "http://x y/", "http://x\\@y/"]
)
def test_redirected_nowhere(there: Host, store: Path, location: str) -> None:
    """A redirect to what is no URL is not followed."""
    give(there)
    there.always("GET", "manifests/1", lambda one: one.reply(302, Location=location))
    with pytest.raises(ImageError, match=r"no URL to ask|\(302\)"):
        pulled(there, store)
    assert len(there.requests) == 1


def test_upload_elsewhere(there: Host, elsewhere: Host, access: Access, tmp_path: Path) -> None:
    """An upload that goes to another host has no password with it; nor one that is redirected."""
    path = tmp_path / "store"
    with Store.open_or_make(str(path)) as made:
        add_image(made, "a:1", {"x": b"x" * 1000})
    _everywhere(there, _demand("Basic", _BASIC))
    elsewhere.blobs = there.blobs

    def begin(handler: Handler) -> None:
        session = str(len(elsewhere.uploads))
        elsewhere.uploads[session] = bytearray()
        handler.reply(202, Location=f"http://{elsewhere.name}/v2/a/blobs/uploads/{session}")

    there._faults[0:0] = [there._faults[0]._replace(method="POST", act=begin)] * 2
    assert pushed(there, path, access).pushed == 2
    assert len(elsewhere.asked("PUT", "uploads")) == 2
    assert _told(elsewhere) == set()
    there.manifests.clear()
    there._faults.insert(0, there._faults[0]._replace(method="PUT", act=_send_on(elsewhere)))
    before = len(elsewhere.requests)
    with pytest.raises(ImageError, match=r"\(307\)"):
        pushed(there, path, access)
    assert len(elsewhere.requests) == before


def test_without_tls(there: Host, tmp_path: Path, store: Path) -> None:
    """From https to http nobody is followed: no redirect, no upload, no token server."""
    certificates = make_certificates(tmp_path / "tls")
    with host(certificates) as safe:
        image = give(safe)
        there.blobs, there.manifests = safe.blobs, safe.manifests
        write_login(tmp_path / "auth.json", safe.name)
        access = ACCESS._replace(
            plain_http=False, ca=str(certificates / "ca.crt"), authfile=str(tmp_path / "auth.json")
        )
        pulled(safe, store, access)
        for pattern in ("manifests/1", image.layer):
            safe.fault("GET", pattern, _send_on(there))
            with pytest.raises(ImageError, match="which has no TLS: not followed"):
                pulled(safe, tmp_path / "other", access)
        safe.fault("HEAD", "manifests/1", lambda handler: handler.reply(404))
        safe.fault("HEAD", "blobs", lambda handler: handler.reply(404), 2)
        upload = f"http://{there.name}/v2/a/blobs/uploads/0"
        safe.always("POST", "uploads", lambda handler: handler.reply(202, Location=upload))
        with Store(str(store)) as made:
            add_image(made, "a:1", {"x": b"x"})
        with pytest.raises(ImageError, match="which has no TLS: not followed"):
            pushed(safe, store, access)
        realm = f'Bearer realm="http://{there.name}/token"'
        safe.always("GET", "manifests", _demand(realm, "Bearer t"))
        with pytest.raises(ImageError, match="has no TLS: no password goes there"):
            pulled(safe, store, access)
    assert there.requests == []


def _tokens(*tokens: str, **more: object) -> Fault:
    """Give one token after the other, then the last again and again."""
    left = list(tokens)

    def act(handler: Handler) -> None:
        handler.body()
        token = left.pop(0) if len(left) > 1 else left[0]
        handler.reply(200, json.dumps({"token": token, **more}).encode())

    return act


def _asked(running: Host, name: str) -> list[str]:
    """Return what a token server was asked for under a name of the query."""
    queries = [parse_qsl(urlsplit(one.path).query) for one in running.asked("GET", "/token")]
    return [value for query in queries for key, value in query if key == name]


def _bearer(there: Host) -> str:
    return f'Bearer realm="http://{there.name}/token",service="s",scope="repository:a:pull"'


def test_token(there: Host, access: Access, store: Path) -> None:
    """The password goes to the token server, the token to the registry, and one does for all."""
    give(there)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    there.always("GET", "/token", _tokens("t"))
    pulled(there, store, access)
    assert [one.fields["authorization"] for one in there.asked("GET", "/token")] == [_BASIC]
    assert (_asked(there, "service"), _asked(there, "scope")) == (["s"], ["repository:a:pull"])
    assert _asked(there, "account") == [USER]
    told = [one.fields.get("authorization") for one in there.asked("GET", "/v2/")]
    assert told == [None, *["Bearer t"] * 3]


def test_token_for_anyone(there: Host, store: Path) -> None:
    """Without a login a token is asked for as well: who reads what is public wants one."""
    give(there)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    there.always("GET", "/token", _tokens("t"))
    pulled(there, store)
    assert _told(there) == {"Bearer t"}


def test_token_ends(there: Host, access: Access, store: Path) -> None:
    """A token that is refused is asked for anew, once; then it is a refusal."""
    image = give(there)
    there.always("GET", "/token", _tokens("1", "2", "3", "4"))
    _everywhere(there, _demand(_bearer(there), "Bearer 1"), "manifests")
    _everywhere(there, _demand(_bearer(there), "Bearer 2"), "blobs")
    pulled(there, store, access)
    assert intact(store)
    assert image.layer in there.blobs
    with pytest.raises(ImageError, match="does not take the login of"):
        pulled(there, store, access)


def test_token_elsewhere(there: Host, elsewhere: Host, access: Access, store: Path) -> None:
    """Without TLS a token server elsewhere gets no password, whoever names it."""
    give(there)
    _everywhere(
        there,
        _demand(
            f'Bearer realm="http://localhost:{elsewhere.name.partition(":")[2]}/token"', "Bearer t"
        ),
    )
    with pytest.raises(ImageError, match="has no TLS: no password goes there"):
        pulled(there, store, access)
    assert elsewhere.requests == []


def test_token_server_sends_on(there: Host, elsewhere: Host, access: Access, store: Path) -> None:
    """A token server that sends us elsewhere is not followed."""
    give(there)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    there.always("GET", "/token", _send_on(elsewhere))
    with pytest.raises(ImageError, match=r"cannot get a token: .*\(307\)"):
        pulled(there, store, access)
    assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "is none"),
        (b'{"token": 5}', "'token' is not a text"),
        (b'{"token": "a\\r\\nX: y"}', "is none"),
        (b'{"token": "\xc3\xa4"}', "is none"),
        (b'{"token": "t", "expires_in": -5}', "'expires_in' is not a size"),
        (b'{"token": "' + b"t" * 300_000 + b'"}', "more than 256 KiB"),
        (b"[" * 200_000, "not JSON"),
    ],
)
def test_token_reply(there: Host, access: Access, store: Path, body: bytes, message: str) -> None:
    """What is no token, or more than one is."""
    give(there)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    there.always("GET", "/token", lambda handler: handler.reply(200, body))
    with pytest.raises(ImageError, match=message):
        pulled(there, store, access)


@pytest.mark.parametrize("status", [500, 429])
def test_token_server_fails(there: Host, access: Access, store: Path, status: int) -> None:
    """A token server that fails for a while is asked again, and not for ever."""
    give(there)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    there.fault("GET", "/token", lambda handler: handler.reply(status), HASTY.attempts - 1)
    there.always("GET", "/token", _tokens("t"))
    pulled(there, store, access)
    assert intact(store)


def test_identity_token(there: Host, tmp_path: Path, store: Path) -> None:
    """An identity token is exchanged (OAuth 2), and goes to the token server alone."""
    give(there)
    (tmp_path / "auth.json").write_text(
        json.dumps({"auths": {there.name: {"identitytoken": "secret"}}})
    )
    bodies = []

    def exchange(handler: Handler) -> None:
        bodies.append(dict(parse_qsl(handler.body().decode())))
        handler.reply(200, b'{"access_token": "t", "expires_in": 3600}')

    there.always("POST", "/token", exchange)
    _everywhere(there, _demand(_bearer(there), "Bearer t"))
    pulled(there, store, ACCESS._replace(authfile=str(tmp_path / "auth.json")))
    assert [one["refresh_token"] for one in bodies] == ["secret"]
    assert bodies[0]["scope"] == "repository:a:pull"
    assert _told(there) == {"Bearer t"}


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", 'Bearer realm="', "Bearer", 'Bearer realm="file:///etc/passwd"']
)
def test_odd_challenge(there: Host, access: Access, store: Path, challenge: str) -> None:
    """A registry that wants something else, or says it badly, is told nothing."""
    give(there)
    _everywhere(there, _demand(challenge, "x"))
    with pytest.raises(ImageError, match=r"wants to know who asks|no URL to ask|\(404\)"):
        pulled(there, store, access)
    assert _told(there) <= {_BASIC}


def test_never_shown(there: Host, access: Access, store: Path) -> None:
    """A registry that says the password back is not repeated in what is thrown."""
    give(there)
    _everywhere(there, _demand("Basic", "another"))
    with pytest.raises(ImageError, match="does not take the login of") as error:
        pulled(there, store, access)
    assert PASSWORD not in str((error.value.what, error.value.why, error.value.hint))


def test_mount_wants_a_token(there: Host, access: Access, store: Path) -> None:
    """To mount from another repository, that one is asked to be read as well; else it is sent."""
    with Store.open_or_make(str(store)) as made:
        add_image(made, "a:1", {"x": b"x"})
    pushed(there, store, access)
    for gives in (200, 403):
        there.manifests.clear()
        name = f"b{gives}"

        def act(handler: Handler) -> None:
            if "repository%3Aa%3Apull" in handler.path:
                handler.reply(gives, b'{"token": "t"}')  # noqa: B023 - used in this round
            else:
                handler.reply(200, b'{"token": "t"}')

        there._faults.clear()
        there.fault("HEAD", f"/{name}/blobs/", lambda handler: handler.reply(404), 4)
        there.always("GET", "/token", act)
        challenge = f'Bearer realm="http://{there.name}/token"'
        for method in ("POST", "PUT"):
            there.always(method, "/v2/", _demand(challenge, "Bearer t"))
        there.fault("HEAD", "manifests", _demand(challenge, "Bearer t"))
        result = pushed(there, store, access, name)
        assert result.pushed + result.mounted == 2
        assert LAYER.encode() in there.manifests["1"][1]
