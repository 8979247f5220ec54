"""What a registry may do to who pulls: a clear error in bounded time, or the image as it is."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import INDEX, MANIFEST
from tests.image.registry.hostile import ACCESS, HASTY, Host, host
from tests.image.registry.places import give, intact, pulled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.image.registry.hostile import Fault, Handler

_HALF = 50_000


@pytest.fixture
def there() -> Iterator[Host]:
    """Run a registry."""
    with host() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return where a store will be."""
    return tmp_path / "store"


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def _cut_after(size: int) -> Fault:
    """Answer with the whole length, send ``size`` bytes of what was asked for, and hang up."""

    def act(handler: Handler) -> None:
        digest = handler.path.rpartition("/")[2]
        data = handler.host.blobs[digest]
        found = re.match(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        handler.send_response(206 if found else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(data[start : start + size])
        handler.hang_up()

    return act


def _ranges(there: Host, digest: str) -> list[str]:
    return [one.fields.get("range", "") for one in there.asked("GET", digest)]


def test_honest(there: Host, store: Path) -> None:
    """The registry of these tests is one."""
    image = give(there)
    result = pulled(there, store)
    assert (result.digest, result.pulled) == (image.digest, 2)
    assert intact(store) == (f"{there.name}/a:1",)


def test_goes_on(there: Host, store: Path) -> None:
    """What was cut off goes on where it was."""
    image = give(there)
    there.fault("GET", image.layer, _cut_after(30_000))
    there.fault("GET", image.layer, _cut_after(20_000))
    pulled(there, store)
    assert _ranges(there, image.layer) == ["", "bytes=30000-99999", "bytes=50000-99999"]
    assert intact(store)


def test_cut_for_ever(there: Host, store: Path) -> None:
    """A little each time is not asked for without end; a MiB each time is."""
    image = give(there)
    there.always("GET", image.layer, _cut_after(10))
    with pytest.raises(ImageError, match="bytes did not come"):
        pulled(there, store)
    assert len(_ranges(there, image.layer)) == HASTY.attempts
    assert intact(store) == ()
    image = give(there, 5 << 20)
    there.always("GET", image.layer, _cut_after(1 << 20))
    pulled(there, store)
    assert len(_ranges(there, image.layer)) == 5
    assert intact(store)


def test_no_ranges(there: Host, store: Path) -> None:
    """A registry that knows no ranges is read past what came before."""
    image = give(there)
    there.fault("GET", image.layer, _cut_after(_HALF))
    there.fault("GET", image.layer, lambda handler: handler.reply(200, image.data))
    pulled(there, store)
    assert intact(store)


@pytest.mark.parametrize("written", ["bytes 60000-99999/100000", "bytes x-/", "lines 1-2/3", ""])
def test_another_range(there: Host, store: Path, written: str) -> None:
    """Bytes from elsewhere are not taken for those that lack."""
    image = give(there)
    there.fault("GET", image.layer, _cut_after(_HALF))
    there.always(
        "GET", image.layer, lambda handler: handler.reply(206, b"x" * 40_000, Content_Range=written)
    )
    with pytest.raises(ImageError, match="another part of the blob"):
        pulled(there, store)
    assert intact(store) == ()


def _dribble(head: bytes, unit: bytes, pause: float = 0.05) -> Fault:
    """Answer with ``head``, then with ``unit`` again and again, until the test ends."""

    def act(handler: Handler) -> None:
        handler.wfile.write(head)
        while not handler.host.ended.wait(pause):
            handler.wfile.write(unit)
        handler.hang_up()

    return act


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize("kind", ["manifests/1", "blobs/.*"])
@pytest.mark.parametrize(
    ("head", "unit"),
    [
        (b"", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (_LONG, b""),
        (_LONG, b"x"),
        (_CHUNKED, b"1\r\nx\r\n"),
        (_CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n"),
        (_CHUNKED + b"0\r\n", b"X: y\r\n" * 10_000),
        (_CHUNKED, b"f"),
    ],
    ids=[
        *("silence", "a letter at a time", "fields", "continue", "a field", "no body", "a byte"),
        *("chunks", "chunk extensions", "trailers", "a chunk's size"),
    ],
)
def test_slow(there: Host, store: Path, kind: str, head: bytes, unit: bytes) -> None:
    """However a registry spends its time, it has not more of ours than it was given."""
    give(there)
    there.always("GET", kind, _dribble(head, unit))
    patience = HASTY._replace(attempts=2, head=0.5, silence=0.25)
    longest = (patience.head + patience.silence) * patience.attempts + 2
    with _within(longest), pytest.raises(ImageError):
        pulled(there, store, ACCESS._replace(patience=patience))


def _page(handler: Handler) -> None:
    page = b"<html><style>b {}</style><title>Sign in</title>\x1b[31m to our hotel"
    handler.reply(200, page, Content_Type="text/html; charset=utf-8")


def test_page(there: Host, store: Path) -> None:
    """A page instead of JSON is called one."""
    image = give(there)
    there.fault("GET", "manifests/1", _page)
    with pytest.raises(ImageError, match=r"a page \(text/html\) came where a manifest was"):
        pulled(there, store)
    there.fault("GET", image.layer, _page)
    with pytest.raises(ImageError, match=r"has 65 bytes of sha256:.* and the image says 100000"):
        pulled(there, store)
    there.fault(
        "GET", "manifests/1", lambda one: one.reply(403, b"<b>no", Content_Type="text/html")
    )
    with pytest.raises(ImageError, match=r"does not permit it \(403\)") as error:
        pulled(there, store)
    assert error.value.why == ("it says (text/html): no",)
    assert intact(store) == ()


@pytest.mark.parametrize("length", [0, 1, 99_999, 100_001, 1 << 62])
def test_wrong_length(there: Host, store: Path, length: int) -> None:
    """A Content-Length that is not the image's is refused before anything is read."""
    image = give(there)

    def act(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(image.data)
        handler.hang_up()

    there.always("GET", image.layer, act)
    with _within(5), pytest.raises(ImageError, match=f"has {length} bytes of"):
        pulled(there, store)
    assert intact(store) == ()


@pytest.mark.parametrize("length", [10, 1 << 40])
def test_length_of_manifest(there: Host, store: Path, length: int) -> None:
    """A manifest with another length than it has is none."""
    give(there)

    def act(handler: Handler) -> None:
        kind, data = handler.host.manifests["1"]
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(data)
        handler.hang_up()

    there.always("GET", "manifests/1", act)
    with _within(5), pytest.raises(ImageError, match=r"not JSON|ended in the middle"):
        pulled(there, store)


@pytest.mark.parametrize("head", [_CHUNKED, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
def test_endless(there: Host, store: Path, head: bytes) -> None:
    """Bodies without end: of a blob as much is read as it has, of a document 4 MiB."""
    image = give(there, layer=b"x" * 100_000)
    unit = b"x" * 65536
    if head is _CHUNKED:
        unit = b"10000\r\n" + unit + b"\r\n"
    there.fault("GET", image.layer, _dribble(head, unit, 0))
    with _within(5):
        pulled(there, store)
    for status in ("200", "403"):
        there.fault("GET", "manifests/1", _dribble(head.replace(b"200", status.encode()), unit, 0))
        with _within(5), pytest.raises(ImageError, match=r"more than 4096 KiB|does not permit"):
            pulled(there, store)
    assert intact(store)


def test_wrong_digests(there: Host, store: Path) -> None:
    """What has not the digest that it was promised is not kept."""
    image = give(there)
    there.blobs[image.layer] = b"y" * len(image.data)
    with pytest.raises(ImageError, match=f"what came for {image.layer}"):
        pulled(there, store)
    there.blobs[image.layer] = image.data
    kind, data = there.manifests["1"]
    there.manifests[image.digest] = (kind, data + b" ")
    with pytest.raises(ImageError, match=f"has the digest .*, not {image.digest}"):
        pulled(there, store, which=f"@{image.digest}")
    there.fault(
        "GET",
        "manifests/1",
        lambda one: one.reply(200, data, Content_Type=kind, Docker_Content_Digest=image.layer),
    )
    with pytest.raises(ImageError, match=f"has the digest {image.digest}, not {image.layer}"):
        pulled(there, store)
    assert intact(store) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one | {"manifests": []}, "a manifest and an index at once"),
        (lambda one: one | {"mediaType": INDEX}, "it says that it is .*index"),
        (lambda one: one | {"mediaType": "application/x"}, "neither a manifest nor an index"),
        (lambda one: one | {"schemaVersion": 1}, "'schemaVersion' is not 2"),
        (lambda one: one | {"layers": one["layers"] * 2}, "2 layers, and diff IDs of 1"),
        (
            lambda one: one | {"layers": [one["layers"][0] | {"size": 1 << 61}]},
            "and .* has room for",
        ),
        (
            lambda one: one | {"layers": [*one["layers"], one["layers"][0] | {"size": 5}]},
            "says two sizes of",
        ),
        (
            lambda one: one | {"layers": [one["layers"][0] | {"digest": "sha256:../../../x"}]},
            "is not a sha256 digest",
        ),
        (
            lambda one: (
                one | {"layers": [one["layers"][0] | {"mediaType": "application/x.foreign.tar"}]}
            ),
            "may not be distributed",
        ),
        (lambda one: one | {"config": one["layers"][0]}, "it is no image"),
        (lambda one: one["layers"], "not a JSON object"),
    ],
)
def test_lying_manifest(
    there: Host, store: Path, change: Callable[[object], object], message: str
) -> None:
    """What a manifest says, and must not."""
    give(there)
    data = json.dumps(change(json.loads(there.manifests["1"][1]))).encode()
    there.manifests["1"] = (MANIFEST, data)
    with pytest.raises(ImageError, match=message):
        pulled(there, store)
    assert not store.exists() or intact(store) == ()


def test_old_kind(there: Host, store: Path) -> None:
    """Docker's first form is named."""
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    there.manifests["1"] = (old, b"{}")
    with pytest.raises(ImageError, match="of docker's first kind"):
        pulled(there, store)


def _refuse(status: int, after: str = "", body: bytes = b"") -> Fault:
    return lambda handler: handler.reply(status, body, Retry_After=after)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing(there: Host, store: Path, status: int) -> None:
    """What may pass is asked for again, and not for ever."""
    image = give(there)
    there.fault("GET", "manifests/1", _refuse(status), HASTY.attempts - 1)
    there.fault("GET", image.layer, _refuse(status), HASTY.attempts - 1)
    pulled(there, store)
    there.always("GET", "manifests/1", _refuse(status, body=b'{"errors":[{"code":"SLOW"}]}'))
    before = len(there.requests)
    with pytest.raises(ImageError, match=rf"\({status}\)") as error:
        pulled(there, store)
    assert error.value.why == ("SLOW",)
    assert len(there.requests) == before + HASTY.attempts


@pytest.mark.parametrize("status", [400, 401, 403, 405, 410, 418, 501])
def test_final(there: Host, store: Path, status: int) -> None:
    """What does not pass is asked for once."""
    give(there)
    there.always("GET", "manifests/1", _refuse(status))
    with pytest.raises(ImageError):
        pulled(there, store)
    assert len(there.requests) == 1


def test_retry_after(there: Host, store: Path) -> None:
    """Who asks to be left alone is, for as long as anyone waits."""
    give(there)
    there.fault("GET", "manifests/1", _refuse(429, "1"))
    begun = time.monotonic()
    pulled(there, store)
    assert time.monotonic() - begun >= 1
    for after in ("3600", "9" * 400, "Fri, 31 Dec 2999 23:59:59 GMT"):
        there.fault("GET", "manifests/1", _refuse(503, after))
        with _within(1), pytest.raises(ImageError) as error:
            pulled(there, store)
        assert "it asks to be left alone for" in error.value.why[-1]
    for after in ("-1", "soon", "Fri, 31 Dec 1999 23:59:59 GMT", "1e9", "Fri, 99 Dec 99"):
        there.fault("GET", "manifests/1", _refuse(503, after))
        pulled(there, store)


def _index(there: Host, entries: list[dict[str, object]], name: str = "") -> dict[str, object]:
    """Give a registry an index; return what leads to it."""
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    digest = digest_bytes(data)
    there.manifests[digest] = there.manifests[name or digest] = (INDEX, data)
    platform = {"os": "linux", "architecture": "amd64"}
    return {"mediaType": INDEX, "digest": digest, "size": len(data), "platform": platform}


def test_indexes_within_indexes(there: Host, store: Path) -> None:
    """Few documents that lead to each other in many ways are read once, by whoever reads them."""
    give(there, name="inner")
    kind, data = there.manifests["inner"]
    entry: dict[str, object] = {"mediaType": kind, "digest": digest_bytes(data), "size": len(data)}
    for number in range(8):
        entry = _index(there, [entry] * 200, "1" if number == 7 else "")
    with _within(20):
        pulled(there, store, every=True)
        assert intact(store) == (f"{there.name}/a:1",)
    assert len(there.requests) == 8 + 1 + 2
    _index(there, [entry], "1")
    for every in (True, False):
        with pytest.raises(ImageError, match=r"leads to more than|over 8 deep"):
            pulled(there, store, every=every)


def test_many_manifests(there: Host, store: Path) -> None:
    """More manifests than an image has are not asked for."""
    entries: list[dict[str, object]] = [
        {"mediaType": MANIFEST, "digest": f"sha256:{number:064}", "size": 1}
        for number in range(300)
    ]
    _index(there, entries, "1")
    with pytest.raises(ImageError, match="leads to more than an image has"):
        pulled(there, store, every=True)
    assert len(there.requests) == 1


def test_nobody(store: Path) -> None:
    """What is no registry at all."""
    with host() as there:
        there.always("GET", "", lambda handler: (handler.wfile.write(b"SSH-2.0-x\r\n"), None)[1])
        with pytest.raises(ImageError, match="it answers what is no HTTP"):
            pulled(there, store)
    with pytest.raises(ImageError, match="cannot connect to http://"):
        pulled(there, store)
    with host() as there, pytest.raises(ImageError, match="say so with --plain-http"):
        pulled(there, store, ACCESS._replace(plain_http=False))


def test_large_documents(there: Host, store: Path) -> None:
    """Documents that are few, and large each, are not all read into memory."""
    entries = []
    for number in range(20):
        data = json.dumps({"schemaVersion": 2, "x": f"{number:02}" + "y" * (3 << 20)}).encode()
        digest = digest_bytes(data)
        there.manifests[digest] = (MANIFEST, data)
        entries.append({"mediaType": MANIFEST, "digest": digest, "size": len(data)})
    _index(there, list(entries), "1")
    with pytest.raises(ImageError, match="documents, or 32 MiB of them"):
        pulled(there, store, every=True)
    assert len(there.requests) == 1 + 11
