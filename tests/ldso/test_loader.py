"""What a loader's bytes say of its release, and of what it does."""

from __future__ import annotations

import pytest

from rootgen.ldso.loader import parse_loader

_BANNER = b"\0ld.so (Debian GLIBC %b-1) stable release version %b.\n\0GLIBC_PRIVATE\0"


@pytest.mark.parametrize(
    ("data", "version", "does"),
    [
        (b"\0GLIBC_PRIVATE\0", (2, 32), (False, True, False)),
        (_BANNER % (b"2.33", b"2.33"), (2, 33), (True, True, False)),
        (_BANNER % (b"2.36", b"2.36"), (2, 36), (True, True, False)),
        (_BANNER % (b"2.37", b"2.37"), (2, 37), (True, False, False)),
        (_BANNER % (b"2.39", b"2.39"), (2, 39), (True, False, True)),
        (_BANNER % (b"2.43", b"2.43.9000"), (2, 43), (True, False, True)),
        (b"\0not of glibc\0", (), (True, False, True)),
    ],
)
def test_release(data: bytes, version: tuple[int, ...], does: tuple[bool, ...]) -> None:
    """One that says no release is older than all that do; one of no glibc has none."""
    loader = parse_loader(data)
    assert loader.version == version
    assert (loader.searches_hwcaps(), loader.searches_legacy(), loader.skips_files()) == does
