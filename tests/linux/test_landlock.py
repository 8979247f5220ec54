"""Landlock domains, entered by a process of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.linux import landlock
from tests.linux.contained import run_python

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("version", "last"),
    [(1, "MAKE_SYM"), (2, "REFER"), (3, "TRUNCATE"), (4, "TRUNCATE"), (5, "IOCTL_DEV"), (9, "")],
)
def test_rights(version: int, last: str) -> None:
    """Each version knows the rights of landlock(7), and no kernel is asked about others."""
    bits = {"MAKE_SYM": 12, "REFER": 13, "TRUNCATE": 14, "IOCTL_DEV": 15, "": 15}
    assert landlock.file_rights(version) == (1 << bits[last] + 1) - 1


def test_rights_of_this_kernel() -> None:
    """What we think that it knows it takes."""
    rights = landlock.file_rights(landlock.version())
    os.close(landlock.create_ruleset(rights, scope_abstract_sockets=False))


def test_domain(tmp_path: Path) -> None:
    """Only what is allowed is opened, though it is asked for by a descriptor from before."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("text")
    lines = run_python(
        """
        from rootgen.linux import landlock
        inner, outer = (os.open(f"{sys.argv[1]}/{name}", os.O_RDONLY) for name in ("in", "out"))
        file = os.open("file", os.O_RDONLY, dir_fd=outer)
        rights = landlock.file_rights(landlock.version())
        ruleset = landlock.create_ruleset(rights, scope_abstract_sockets=False)
        landlock.allow(ruleset, inner, landlock.READ_FILE)
        reading, _ = os.pipe()
        print(failure(landlock.allow, ruleset, reading, landlock.READ_FILE))
        print(failure(landlock.allow, ruleset, inner, 1 << 40))
        process.set_no_new_privileges()
        now(landlock.record_restriction, ruleset)
        print(failure(os.fstat, ruleset))
        print(failure(os.open, "file", os.O_RDONLY, dir_fd=inner))
        print(failure(os.open, "file", os.O_WRONLY, dir_fd=inner))
        print(failure(os.open, "file", os.O_RDONLY, dir_fd=outer))
        print(os.read(file, 9).decode())
        """,
        str(tmp_path),
    )
    assert lines == ["EBADFD", "EINVAL", "EBADF", "no error", "EACCES", "EACCES", "text"]


def test_none() -> None:
    """A kernel without it, or where it is off, has version 0."""
    lines = run_python(
        """
        import ctypes
        from rootgen.linux import landlock
        for number in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            def refused(*_):
                ctypes.set_errno(number)
                return -1
            landlock.system_call = refused
            print(landlock.version())
        """
    )
    assert lines == ["0", "0", "0"]
