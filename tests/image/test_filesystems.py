"""Squashfs and EROFS images: the same bytes always, and what is refused or told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.api.pack import FORMATS, IMAGES, pack
from rootgen.api.packable import PackRequest
from rootgen.errors import LayerError, PlanError, UsageError
from rootgen.image.compress import InOrder
from rootgen.image.erofs import write_erofs
from rootgen.image.inodes import device_number
from rootgen.image.squashfs import write_squashfs
from rootgen.plan.entry import Entry, EntryKind, hard_link
from rootgen.plan.plan import Plan
from rootgen.sysroot.memory import BytesFile
from tests.image.mountable import erofs, mountable, squashfs
from tests.image.peak import peak_memory
from tests.layer.archives import directory, file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Pack = Callable[[Plan], bytes]

FORMS: dict[str, Pack] = {"squashfs": squashfs, "erofs": erofs}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> Pack:
    """Return what writes one of the formats."""
    return FORMS[request.param]


def test_same_again(form: Pack) -> None:
    """Written twice it is the same bytes."""
    assert form(mountable(300)) == form(mountable(300))


@pytest.mark.parametrize("processors", [1, 2, 7])
def test_same_on_any_processors(monkeypatch: pytest.MonkeyPatch, processors: int) -> None:
    """However many threads compress, a squashfs is the same."""
    expected = squashfs(mountable(300))
    begin = InOrder.__init__
    monkeypatch.setattr(InOrder, "__init__", lambda self: begin(self, processors))
    assert squashfs(mountable(300)) == expected


class _InPieces(BytesFile):
    """A file of which each read gives at most 1000 bytes."""

    def pread(self, size: int, offset: int) -> bytes:
        return super().pread(min(size, 1000), offset)


@pytest.mark.parametrize("kind", [BytesFile, _InPieces])
def test_same_however_it_is_read(kind: type[BytesFile]) -> None:
    """Contents that are read, in large pieces or small ones, give what inline ones give."""
    data = bytes(range(256)) * 2000
    entries = [directory("/"), file("/a", data), file("/b", data[:5000])]
    plain = [one._replace(content=None) for one in entries]
    contents = {"/a": data, "/b": data[:5000]}
    written: list[bytes] = []
    write_erofs(plain, lambda entry: kind(contents[entry.path], entry.path), written.append)
    assert b"".join(written) == erofs(Plan(entries))
    written.clear()
    write_squashfs(
        plain, lambda entry: kind(contents[entry.path], entry.path), written.append, "zstd", "/tmp"
    )
    assert b"".join(written) == squashfs(Plan(entries))


@pytest.mark.parametrize("length", [0, 10, 4999, 5001, 200_000])
def test_changed_meanwhile(length: int) -> None:
    """A file that is not as long as it was is told, and no bytes of another are taken for its."""
    entries = [directory("/"), file("/a", b"x" * 5000)._replace(content=None)]

    def contents(entry: Entry) -> BytesFile:
        return BytesFile(b"y" * length, entry.path)

    with pytest.raises(LayerError, match="/a changed while it was being packed"):
        write_erofs(entries, contents, len)
    with pytest.raises(LayerError, match="/a changed while it was being packed"):
        write_squashfs(entries, contents, len, "gzip", "/tmp")


REFUSED: dict[str, tuple[list[Entry], str]] = {
    "no top": ([file("/a", b"")], "there is no directory /"),
    "in no directory": ([directory("/"), file("/a/b", b"")], "/a/b is in no directory"),
    "in a file": ([directory("/"), file("/a", b""), file("/a/b", b"")], "/a/b is in no directory"),
    "a link to nothing": (
        [directory("/"), hard_link(file("/a", b""), "/b")],
        "/a is a hard link to /b, which is no file here",
    ),
    "a device": (
        [directory("/"), Entry("/d", EntryKind.BLOCK, 0, device=(4096, 0))],
        "/d is device 4096:0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(form: Pack, name: str) -> None:
    """What no file system can hold is told."""
    entries, message = REFUSED[name]
    with pytest.raises(PlanError, match=message):
        form(Plan(entries))


def test_device_numbers() -> None:
    """The numbers of a device as the kernel folds them, against the C library's."""
    for major, minor in ((0, 0), (1, 3), (8, 300), (4095, 1048575), (1, 256)):
        entry = Entry("/d", EntryKind.BLOCK, 0, device=(major, minor))
        assert device_number(entry) == os.makedev(major, minor) & 0xFFFFFFFF


def test_told(tmp_path: Path) -> None:
    """What a format has no room for is told, and the rest is packed."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "old").touch()
    os.utime(tree / "old", (-5, -5))
    result = pack(PackRequest(str(tree), "squashfs", str(tmp_path / "s")))
    assert [(one.path, one.what) for one in result.notes][1:] == [
        ("/old", "a time that squashfs has no room for")
    ]
    result = pack(PackRequest(str(tree), "erofs", str(tmp_path / "e")))
    assert len(result.notes) == 1
    with pytest.raises(UsageError, match="--to erofs is not compressed by gzip"):
        pack(PackRequest(str(tree), "erofs", str(tmp_path / "f"), "gzip"))


@pytest.mark.parametrize("to", [*(one for one in FORMATS if one != "cpio"), *IMAGES])
def test_constant_memory(tmp_path: Path, to: str) -> None:
    """A file of 256 MiB costs no more memory than one of 32 MiB."""
    peaks = []
    for megabytes in (32, 256):
        tree = tmp_path / str(megabytes)
        tree.mkdir()
        with (tree / "large").open("wb") as large:
            for number in range(megabytes):
                large.write(number.to_bytes(4, "little") * (1 << 18))
        peaks.append(peak_memory(str(tree), to, f"{tree}.{to}"))
        os.unlink(tree / "large")
    assert peaks[1] < peaks[0] + 24_000, peaks
