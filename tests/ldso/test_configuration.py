"""ld.so.conf against ldconfig's own reading of it, and what stands in for a cache."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from rootgen.ldso.configuration import read_configuration
from rootgen.ldso.load import How
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.memory import draw
from tests.truth.compiled import Thing, link
from tests.truth.loader import AS_ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONTENTS = """\
# a comment
/opt/first   # behind a directory
/opt/typed=libc6
include conf.d/*.conf
include /etc/none.conf
relative/is/ignored
hwcap 1 nosegneg
/opt/last/
"""


def _tree(root: Path) -> None:
    (root / "etc/conf.d").mkdir(parents=True)
    (root / "etc/ld.so.conf").write_text(CONTENTS)
    (root / "etc/conf.d/b.conf").write_text("/opt/b\ninclude /etc/ld.so.conf\n")
    (root / "etc/conf.d/a.conf").write_text("\t/opt/a\n/opt/first\n")
    (root / "etc/conf.d/.hidden.conf").write_text("/opt/hidden\n")
    (root / "etc/conf.d/no.txt").write_text("/opt/no\n")


def test_against_ldconfig(tmp_path: Path) -> None:
    """The same directories, in the same order, as `ldconfig -v` goes through."""
    _tree(tmp_path)
    (tmp_path / "etc/conf.d/b.conf").write_text("/opt/b\n")
    for name in ("first", "typed", "a", "b", "last", "hidden", "no"):
        (tmp_path / "opt" / name).mkdir(parents=True)
    done = subprocess.run(
        [*AS_ROOT, "/sbin/ldconfig", "-r", str(tmp_path), "-v", "-N", "-X"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = re.findall(r"^(/opt[^:]*):", done.stdout, re.MULTILINE)
    ours = [
        directory
        for directory in read_configuration(DirectorySysroot(str(tmp_path)))
        if directory.startswith("/opt")
    ]
    assert ours == theirs


def test_circle(tmp_path: Path) -> None:
    """Files that include each other end."""
    _tree(tmp_path)
    assert read_configuration(DirectorySysroot(str(tmp_path))) == (
        "/opt/first",
        "/opt/typed",
        "/opt/a",
        "/opt/b",
        "/opt/last",
    )


def test_none() -> None:
    """A root without one has no directories."""
    assert read_configuration(draw("etc/")) == ()


def test_in_place_of_a_cache(tmp_path: Path) -> None:
    """Where there is no cache ld.so.conf may speak for it, if that is asked for."""
    link([Thing("prog", ("liba.so",), program=True), Thing("opt/odd/liba.so")], tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.conf").write_text("/opt/odd\n")
    root = DirectorySysroot(str(tmp_path))
    assert [one.name for one in System(root).load("/prog").missing][-1] == "liba.so"
    mapped = System(root, configuration=True).load("/prog").objects[-1]
    assert (mapped.path, mapped.how) == ("/opt/odd/liba.so", How.CONFIGURATION)
