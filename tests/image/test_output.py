"""The file being packed into: whole or not there, and never by accident over another."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ImageError, UsageError
from rootgen.image.output import OutputFile

if TYPE_CHECKING:
    from pathlib import Path

_OPEN = os.open


@pytest.fixture(params=[True, False], ids=["unnamed", "named"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory of a file system with files without names, and of one without."""

    def refuse(path: str, flags: int, mode: int = 0o777, **more: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and os.path.isdir(path):
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return _OPEN(path, flags, mode, **more)

    if not request.param:
        monkeypatch.setattr(os, "open", refuse)
    return tmp_path


def write(path: Path, data: bytes = b"data", *, force: bool = False) -> None:
    """Write a file whole."""
    with OutputFile(str(path), force=force) as output:
        output.write(data[:2])
        output.write(data[2:])
        output.commit()


def test_written(place: Path) -> None:
    """What is committed is there, alone, with the mode that the umask leaves."""
    before = os.umask(0o027)
    try:
        write(place / "out")
    finally:
        os.umask(before)
    assert (place / "out").read_bytes() == b"data"
    assert os.stat(place / "out").st_mode & 0o7777 == 0o640
    assert os.listdir(place) == ["out"]


def test_not_committed(place: Path) -> None:
    """What is not committed was never there."""
    with OutputFile(str(place / "out")) as output:
        output.write(b"data")
    assert os.listdir(place) == []


def test_there_already(place: Path) -> None:
    """What is there stays, unless force is used; also what came while we wrote."""
    (place / "out").write_bytes(b"old")
    with pytest.raises(UsageError, match="out is there already"):
        OutputFile(str(place / "out"))
    write(place / "out", b"newer", force=True)
    assert (place / "out").read_bytes() == b"newer"
    with OutputFile(str(place / "late")) as output:
        (place / "late").write_bytes(b"theirs")
        with pytest.raises(UsageError, match="late is there already"):
            output.commit()
    assert (place / "late").read_bytes() == b"theirs"
    assert sorted(os.listdir(place)) == ["late", "out"]


def test_force_of_what_is_not_there(place: Path) -> None:
    """Force where nothing is to be replaced is no error; a link is replaced, not followed."""
    write(place / "out", force=True)
    (place / "link").symlink_to("out")
    with pytest.raises(UsageError):
        OutputFile(str(place / "link"))
    write(place / "link", b"new", force=True)
    assert not (place / "link").is_symlink()
    assert (place / "out").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("no/out", ImageError, "no/out: No such file or directory"),
        ("", UsageError, "is a directory"),
        ("file/out", ImageError, "Not a directory"),
    ],
)
def test_cannot(place: Path, name: str, error: type[Exception], message: str) -> None:
    """What cannot be written is said, with its name."""
    (place / "file").touch()
    with pytest.raises(error, match=message):
        OutputFile(f"{place}/{name}")


def test_full() -> None:
    """A full disk is an error that names the output."""
    with OutputFile("/dev/full") as output, pytest.raises(ImageError, match="/dev/full: No space"):
        output.write(b"data")


def test_fifo(place: Path) -> None:
    """A fifo is written into, not replaced."""
    os.mkfifo(place / "fifo")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((place / "fifo").read_bytes()))
    reader.start()
    write(place / "fifo")
    reader.join()
    assert read == [b"data"]
