"""Whatever a registry answers, to whatever it is asked: an error with a reason, or an image."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.store import Store
from tests.image.registry.hostile import ACCESS, HASTY, Host, host
from tests.image.registry.places import give, intact, pulled, pushed
from tests.image.storing import add_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.image.registry.hostile import Fault, Handler

_PATIENCE = HASTY._replace(attempts=2, silence=0.2, head=0.4, first=0.0, longest=0.0, asked=0.0)
_ACCESS = ACCESS._replace(patience=_PATIENCE)
_PIECES = st.sampled_from(
    [
        *(
            "",
            "0",
            "1",
            "-1",
            "9" * 20,
            "9" * 5000,
            f"0-{'9' * 5000}",
            f"bytes {'9' * 5000}-",
            "0-0",
            "0-99",
            "bytes 0-9/10",
            "bytes */5",
        ),
        *("bytes 5-1/0", "chunked", "gzip", "close", "keep-alive", "text/html", "*/*", "\xff\xfe"),
        *("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json"),
        *("sha256:" + "0" * 64, "sha512:0", "/v2/", "http://[", "//", "?", "http://localhost:1/"),
        *('Bearer realm="', "Basic", 'Bearer realm="http://127.0.0.1:1/",scope=""', "Fri, 31 Dec"),
    ]
)
_VALUES = _PIECES | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)
_NAMES = st.sampled_from(
    [
        *("Content-Length", "Content-Type", "Content-Range", "Location", "Range", "Retry-After"),
        *("WWW-Authenticate", "Docker-Content-Digest", "Transfer-Encoding", "Connection", "X"),
    ]
)
_STATUSES = st.sampled_from(
    [
        *(100, 101, 200, 201, 202, 204, 206, 301, 304, 307, 400, 401, 403, 404, 413, 416, 429),
        500,
        999,
    ]
)
_BODIES = st.binary(max_size=60) | st.sampled_from(
    [
        b"{}",
        b"[]",
        b'{"errors":[{}]}',
        b'{"errors":5}',
        b'{"token":"t"}',
        b"0\r\n\r\n",
        b"5\r\nabcde\r\n",
    ]
)


@st.composite
def _answers(draw: st.DrawFn) -> bytes:
    """Draw what comes over a connection: mostly HTTP, with fields that mean something."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=80))
    lines = [f"HTTP/1.{draw(st.sampled_from('10'))} {draw(_STATUSES)} x"]
    fields = draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))
    lines += [f"{name}: {value}" for name, value in fields]
    end = "\r\n" * draw(st.sampled_from([2, 2, 2, 1]))
    return ("\r\n".join(lines) + end).encode("latin-1") + draw(_BODIES)


_PLANS = st.lists(st.none() | _answers(), min_size=1, max_size=5)


def _say(answer: bytes) -> Fault:
    def act(handler: Handler) -> None:
        handler.wfile.write(answer)
        handler.hang_up()

    return act


@pytest.fixture(scope="module")
def there() -> Iterator[Host]:
    """Run a registry that the examples of this module share."""
    with host() as running:
        yield running


def _plan(there: Host, answers: list[bytes | None]) -> None:
    """Let a registry give these answers to the next requests, one each; None is an honest one."""
    there.mend()
    for answer in answers:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH"):
            honest: Fault = lambda _: True  # noqa: E731 - a value among others
            there.fault(method, "", honest if answer is None else _say(answer))


@given(answers=_PLANS)
def test_pulled(there: Host, answers: list[bytes | None]) -> None:
    """A pull fails with a reason, or brings the image; the store is intact either way."""
    image = give(there, 100)
    _plan(there, answers)
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        try:
            assert pulled(there, store, _ACCESS).digest == image.digest
        except ImageError:
            assert not store.exists() or intact(store) == ()
        else:
            assert intact(store) == (f"{there.name}/a:1",)


@given(answers=_PLANS)
def test_pushed(there: Host, answers: list[bytes | None]) -> None:
    """A push fails with a reason, or ends; what the registry has under a digest has that digest."""
    there.blobs, there.manifests = {}, {}
    _plan(there, answers)
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        with Store.open_or_make(str(store)) as made:
            add_image(made, "a:1", {"x": b"1"})
        try:
            pushed(there, store, _ACCESS)
        except ImageError:
            assert all(digest_bytes(data) == one for one, data in there.blobs.items())
        assert intact(store) == ("a:1",)
