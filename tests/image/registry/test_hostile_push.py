"""What a registry may do to who pushes: the blob arrives once and whole, or it is said why not."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.config import Config, config_bytes
from rootgen.image.descriptor import CONFIG, INDEX, LAYER, MANIFEST
from rootgen.image.manifest import ImageManifest, Index, index_bytes, manifest_bytes
from rootgen.image.registry import transfers
from rootgen.image.store import Store
from tests.image.registry.hostile import HASTY, Host, host
from tests.image.registry.places import intact, pushed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rootgen.image.descriptor import Descriptor
    from tests.image.registry.hostile import Fault, Handler

_LARGE = 9 << 20
_UPLOADS = "/blobs/uploads/"


@pytest.fixture
def there() -> Iterator[Host]:
    """Run a registry."""
    with host() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Make a store with the image ``a:1``, whose layer is too large for one request."""
    path = tmp_path / "store"
    with Store.open_or_make(str(path)) as made:
        _add(made, os.urandom(_LARGE))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Make a store with the image ``a:1``, whose layer goes with one request."""
    path = tmp_path / "small"
    with Store.open_or_make(str(path)) as made:
        _add(made, os.urandom(1000))
    return path


def _add(store: Store, data: bytes, name: str = "a:1") -> Descriptor:
    with store.adding():
        layer = store.write(LAYER, data)
        config = store.write(CONFIG, config_bytes(Config("amd64", diff_ids=(layer.digest,))))
        manifest = store.write(MANIFEST, manifest_bytes(ImageManifest(config, (layer,))))
        store.tag(manifest, name)
    return manifest


def _whole(there: Host) -> None:
    """Demand that what a registry has are the image's manifest and all of its blobs, unharmed."""
    kind, manifest = there.manifests["1"]
    assert (kind, digest_bytes(manifest) in there.manifests) == (MANIFEST, True)
    assert len(there.blobs) == 2
    for digest, data in there.blobs.items():
        assert digest_bytes(data) == digest
        assert digest.encode() in manifest


def _cut_after(size: int) -> Fault:
    """Take so many bytes of a part, and hang up without an answer."""

    def act(handler: Handler) -> None:
        session = handler.path.rpartition("/")[2]
        handler.host.uploads[session] += handler.rfile.read(size)
        handler.hang_up()

    return act


def test_honest(there: Host, store: Path) -> None:
    """Blobs before the manifest, each asked for before; nothing twice."""
    result = pushed(there, store)
    assert (result.pushed, result.size > _LARGE) == (2, True)
    _whole(there)
    order = [one.method for one in there.requests]
    assert order[-1] == "PUT"
    assert there.requests[-1].path.endswith("/manifests/1")
    assert intact(store) == ("a:1",)
    again = pushed(there, store)
    assert (again.pushed, again.skipped, again.size) == (0, 2, 0)
    assert [one.method for one in there.requests[len(order) :]] == ["HEAD"]


def test_skipped(there: Host, store: Path) -> None:
    """What is there is not sent; what is there by another size is."""
    pushed(there, store)
    there.manifests.clear()
    before = len(there.requests)
    assert pushed(there, store).skipped == 2
    assert {one.method for one in there.requests[before:]} == {"HEAD", "PUT"}
    there.manifests.clear()
    there.blobs = {digest: data[:-1] for digest, data in there.blobs.items()}
    assert pushed(there, store).pushed == 2
    _whole(there)


def test_goes_on(there: Host, store: Path) -> None:
    """A part that was cut off goes on where the registry says that it is."""
    there.fault("PATCH", _UPLOADS, _cut_after(5 << 20))
    there.fault("PATCH", _UPLOADS, _cut_after(1 << 20))
    pushed(there, store)
    _whole(there)
    parts = [one.fields["content-range"] for one in there.asked("PATCH", _UPLOADS)]
    last = _LARGE - 1
    assert parts == [f"0-{last}", f"{5 << 20}-{last}", f"{6 << 20}-{last}"]
    assert len(there.asked("POST", _UPLOADS)) == 2


def test_cut_for_ever(there: Host, store: Path) -> None:
    """A few bytes each time are not sent without end."""
    there.always("PATCH", _UPLOADS, _cut_after(100))
    with pytest.raises(ImageError):
        pushed(there, store)
    assert len(there.asked("PATCH", _UPLOADS)) == HASTY.attempts
    assert "1" not in there.manifests
    assert intact(store) == ("a:1",)


def test_answer_lost(there: Host, store: Path) -> None:
    """Where the last answer is lost, it is asked whether the blob is there."""

    def act(handler: Handler) -> None:
        handler.wfile = BytesIO()
        handler._honest()
        handler.hang_up()

    there.fault("PUT", _UPLOADS, act)
    pushed(there, store)
    _whole(there)
    assert len(there.asked("PUT", _UPLOADS)) == 2


@pytest.mark.parametrize("answer", [404, 405, 400, 204, 503])
def test_cannot_be_asked(there: Host, store: Path, answer: int) -> None:
    """A registry that does not say how far an upload is gets it from the beginning."""
    there.fault("PATCH", _UPLOADS, _cut_after(5 << 20))
    there.fault("GET", _UPLOADS, lambda handler: handler.reply(answer))
    pushed(there, store)
    _whole(there)


def test_takes_less(there: Host, store: Path) -> None:
    """A registry that takes less of a part than it was sent is sent no larger ones."""

    def act(handler: Handler) -> None:
        session = handler.path.rpartition("/")[2]
        handler.host.uploads[session] += handler.body()[: 2 << 20]
        sent = len(handler.host.uploads[session])
        handler.reply(202, Location=handler.path, Range=f"0-{sent - 1}")

    there.always("PATCH", _UPLOADS, act)
    pushed(there, store)
    _whole(there)
    sizes = [one.size for one in there.asked("PATCH", _UPLOADS)]
    assert sizes == [_LARGE, 2 << 20, 2 << 20, 2 << 20, 1 << 20]


def test_says_more(there: Host, store: Path) -> None:
    """A registry that has more than it was sent is not believed."""

    def act(handler: Handler) -> None:
        handler.body()
        handler.reply(202, Location=handler.path, Range=f"0-{1 << 60}")

    there.always("PATCH", _UPLOADS, act)
    there.always(
        "GET", _UPLOADS, lambda one: one.reply(204, Location=one.path, Range=f"0-{1 << 60}")
    )
    with pytest.raises(ImageError, match="it took"):
        pushed(there, store)
    assert "1" not in there.manifests


def test_too_large(there: Host, store: Path) -> None:
    """What is too large for what stands before a registry goes in smaller parts, to an end."""
    limit = 3 << 20

    def act(handler: Handler) -> bool:
        if int(handler.headers["Content-Length"]) <= limit:
            return True
        handler.body()
        handler.reply(413)
        return False

    there.always("PATCH", _UPLOADS, act)
    there.always("PUT", _UPLOADS, act)
    pushed(there, store)
    _whole(there)
    assert any(one.size > limit for one in there.asked("PATCH", _UPLOADS))
    there.blobs.clear()
    there.manifests.clear()
    limit = 1000
    with pytest.raises(ImageError, match="too large for the registry"):
        pushed(there, store)


def test_wrong_digests(there: Host, store: Path, small: Path) -> None:
    """A registry that stored something else, by its own word, has not got what was sent."""
    other = f"sha256:{'1' * 64}"
    for kind, path in ((_UPLOADS, store), (_UPLOADS, small), ("/manifests/", small)):

        def act(handler: Handler) -> None:
            handler.body()
            handler.reply(201, Docker_Content_Digest=other)

        there.fault("PUT", kind, act)
        with pytest.raises(ImageError, match=f"stored {other}, and sha256:.* was sent"):
            pushed(there, path)
        assert "1" not in there.manifests
    assert (intact(store), intact(small)) == (("a:1",), ("a:1",))


def test_says_why(there: Host, small: Path) -> None:
    """What a registry says of its refusal is told."""
    body = b'{"errors":[{"code":"DENIED","message":"quota\\u001b[2J exceeded"}]}'

    def act(handler: Handler) -> None:
        handler.body()
        handler.reply(403, body)

    there.fault("PUT", "/manifests/", act)
    with pytest.raises(ImageError, match="does not permit it") as error:
        pushed(there, small)
    assert error.value.why == ("DENIED: quota\x1b[2J exceeded",)


@pytest.mark.parametrize("location", ["", "gopher://x/", "https://u:p@x/", "//../x", "\x7f"])
def test_locations(there: Host, small: Path, location: str) -> None:
    """An upload that is to go nowhere, or to what is none."""
    there.always("POST", _UPLOADS, lambda handler: handler.reply(202, Location=location))
    with pytest.raises(ImageError, match=r"no Location|no URL to ask"):
        pushed(there, small)


def test_mounted(there: Host, store: Path) -> None:
    """What went to one repository is mounted from there in another."""
    pushed(there, store)
    _forget(there)
    result = pushed(there, store, name="b")
    assert (result.mounted, result.pushed, result.size) == (2, 0, 0)
    assert {"mount=" in one.path for one in there.asked("POST", "/b/blobs/uploads/")} == {True}
    assert "from=a" in there.asked("POST", "/b/blobs/uploads/")[0].path


def _forget(there: Host) -> None:
    """Let a registry have no blob in the repository ``b``, and no image there."""
    there.manifests.clear()
    there.fault("HEAD", "/b/blobs/", lambda handler: handler.reply(404), 2)


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 405])
def test_not_mounted(there: Host, store: Path, status: int) -> None:
    """A registry that does not mount is sent the blob, whatever it answers."""
    pushed(there, store)
    _forget(there)

    def act(handler: Handler) -> None:
        session = str(len(handler.host.uploads))
        handler.host.uploads[session] = bytearray()
        handler.reply(status, Location=f"/v2/b/blobs/uploads/{session}")

    there.always("POST", "mount=", act)
    result = pushed(there, store, name="b")
    assert (result.mounted, result.pushed) == (0, 2)
    _whole(there)


def test_mounted_another(there: Host, store: Path) -> None:
    """A registry that mounted something else, by its own word, is sent the blob."""
    pushed(there, store)
    _forget(there)
    digest = f"sha256:{'1' * 64}"
    there.always("POST", "mount=", lambda one: one.reply(201, Docker_Content_Digest=digest))
    assert pushed(there, store, name="b").pushed == 2


def test_foreign_names(there: Host, small: Path) -> None:
    """A hostile image's word on where its blobs are is put into no request."""
    with Store(str(small)) as opened:
        key = f"containerd.io/distribution.source.{there.name}"
        hostile = "x:pull repository:victim:push,../../y,a b,X"
        opened.annotate(
            "a:1", lambda one: one._replace(annotations=(*one.annotations, (key, hostile)))
        )
    assert pushed(there, small).pushed == 2
    assert there.asked("POST", "mount=") == []


def test_order_of_documents(there: Host, tmp_path: Path) -> None:
    """What leads somewhere goes after what it leads to, however an index is tangled."""
    path = tmp_path / "tangled"
    with Store.open_or_make(str(path)) as made:
        inner = _add(made, b"inner", "inner:1")
        other = _add(made, b"other", "other:1")
        with made.adding():
            one = made.write(INDEX, index_bytes(Index((inner,))))
            two = made.write(INDEX, index_bytes(Index((other, inner, one))))
            made.tag(made.write(INDEX, index_bytes(Index((one, two, inner, two)))), "a:1")

    def known(handler: Handler) -> bool:
        before = {one for one in handler.host.manifests if one.startswith("sha256:")}
        handler.host.requests[-1].fields["before"] = " ".join(before)
        return True

    there.always("PUT", "/manifests/", known)
    pushed(there, path)
    puts = [one.path.rpartition("/")[2] for one in there.asked("PUT", "/manifests/")]
    assert len(puts) == len(set(puts)) == 5
    assert puts[-1] == "1"
    assert puts.index(two.digest) > max(puts.index(one.digest), puts.index(other.digest))
    assert puts.index(one.digest) > puts.index(inner.digest)


def test_fails_together(there: Host, tmp_path: Path) -> None:
    """The first blob that fails ends the others, and nothing is named."""
    path = tmp_path / "several"
    with Store.open_or_make(str(path)) as made, made.adding():
        layers = tuple(made.write(LAYER, os.urandom(_LARGE)) for _ in range(6))
        diff_ids = tuple(one.digest for one in layers)
        config = made.write(CONFIG, config_bytes(Config("amd64", diff_ids=diff_ids)))
        made.tag(made.write(MANIFEST, manifest_bytes(ImageManifest(config, layers))), "a:1")
    there.fault("PATCH", _UPLOADS, lambda handler: handler.reply(403))
    with pytest.raises(ImageError, match="does not permit it"):
        pushed(there, path)
    assert len(there.asked("PATCH", _UPLOADS)) <= transfers.AT_ONCE + 1
    assert "1" not in there.manifests
