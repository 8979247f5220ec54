"""``rootgen rebase`` from one release of Debian onto the next, and what no release takes back."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.people.command import rootgen, succeed
from tests.truth.debian import download

if TYPE_CHECKING:
    from pathlib import Path

# The C library whole, so that no increment brings a part of it.
_BASE = """
rootgen: 1
name: base
programs: [bash, cat, env, ls]
libraries: [libm.so.6, libresolv.so.2, libpthread.so.0, libdl.so.2, librt.so.1, libutil.so.1,
  libnss_dns.so.2, libnss_files.so.2, libanl.so.1]
"""
_SMALL = ("bash", "cat", "env", "ls")
_PACKAGES = ("bash", "coreutils", "mawk")
_VERSION = "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))"

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make bases of this machine's release and of a newer one, and increments over each."""
    top = tmp_path_factory.mktemp("releases")
    (top / "scratch").mkdir()
    (top / "newer").mkdir()
    for archive in download(["amd64"], _PACKAGES, str(top / "scratch"), ("trixie",)):
        subprocess.run(["dpkg-deb", "-x", archive, str(top / "newer")], check=True)
    (top / "base.yaml").write_text(_BASE)
    for line in (
        ("-f", "base.yaml", "-t", "base:1"),
        ("-f", "base.yaml", "--sysroot", "newer", "-t", "base:2"),
        (*_SMALL, "-t", "small:1"),
        (*_SMALL, "--sysroot", "newer", "-t", "small:2"),
        ("git", "--base", "base:1", "-t", "git:1"),
        ("git", "--base", "small:1", "-t", "parts:1"),
        ("python3", "--base", "base:1", "-t", "python:1"),
        ("mawk", "--sysroot", "newer", "--base", "base:2", "-t", "mawk:2"),
    ):
        succeed("make", *line, "--store", "store", directory=top)
    return top


@pytest.mark.parametrize(
    ("name", "command", "printed"),
    [
        ("git", ("git", "--version"), "git version "),
        ("git", ("git", "init", "/tmp"), "Initialized empty "),
        ("python", ("python3", "-c", _VERSION), "glibc 2.41"),
    ],
)
def test_upgraded(place: Path, name: str, command: tuple[str, ...], printed: str) -> None:
    """What was built for the older release runs over the newer one's C library."""
    store = ("--store", "store")
    line = ("rebase", f"{name}:1", "--onto", "base:2", "-t", f"{name}:2", *store)
    succeed(*line, directory=place)
    shown = succeed("run", *store, "--user", "0", f"{name}:2", "--", *command, directory=place)
    assert shown.startswith(printed)


@pytest.mark.parametrize(
    ("name", "onto", "told"),
    [
        # What was linked with the newer C library.
        ("mawk:2", "base:1", "/usr/bin/mawk wants GLIBC_2.38 of libm.so.6; "),
        # Parts of the older one, of which the newer has the rest.
        ("parts:1", "small:2", "libm.so.6 wants GLIBC_PRIVATE of the libc.so.6 that it was built "),
        # A part that the newer base has not at all.
        ("git:1", "small:2", "wants libresolv.so.2, which is not found"),
    ],
)
def test_refused(place: Path, record_property: Any, name: str, onto: str, told: str) -> None:
    """And what would not run there is refused, with the version or the build that lacks."""
    done = rootgen("rebase", name, "--onto", onto, "--store", "store", directory=place)
    assert done.returncode == 1
    assert f"{name} cannot be rebased onto {onto}" in done.stderr
    assert told in done.stderr
    record_property("figure", f"{name} onto {onto}: refused in {done.stderr.count(chr(10))} lines")
