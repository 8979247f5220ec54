"""/etc/ld.so.preload, and programs of two libcs in one root, against the real loaders."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.ldso.load import How
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from tests.truth.compiled import LOADER, Thing, link
from tests.truth.loader import AS_ROOT, parse

if TYPE_CHECKING:
    from pathlib import Path

MUSL = "/lib/ld-musl-x86_64.so.1"


def _bring(loader: str, root: Path) -> None:
    target = root / loader.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(loader, target)


@pytest.mark.parametrize(
    "content",
    [
        "/opt/libp.so\n",
        "libq.so:/opt/libp.so",
        "# a comment\n/opt/libp.so libq.so # another\n\nlibnone.so\n",
        "libd.so\n",
        "",
    ],
)
def test_preload(content: str, tmp_path: Path) -> None:
    """What is preloaded stands behind the program and before what it needs."""
    link(
        [
            Thing("prog", ("liba.so",), program=True),
            Thing("usr/lib/liba.so", ("libd.so",)),
            Thing("usr/lib/libd.so"),
            Thing("usr/lib/libq.so", ("libd.so",)),
            Thing("opt/libp.so", ("libq.so",)),
        ],
        tmp_path,
    )
    _bring(LOADER, tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.preload").write_text(content)
    done = subprocess.run(
        [*AS_ROOT, "chroot", str(tmp_path), LOADER, "--list", "/prog"],
        capture_output=True,
        text=True,
    )
    truth = parse(done.stdout)
    load = System(DirectorySysroot(str(tmp_path))).load("/prog")
    assert [one.path for one in load.objects[1:] if one.path != LOADER] == list(truth.paths)


def test_two_libcs(tmp_path: Path) -> None:
    """In one root each program is loaded by the rules of its own loader."""
    things = [
        Thing("usr/bin/prog", ("liba.so",), runpath="/opt/one", program=True),
        Thing("opt/one/liba.so", ("libb.so",)),
        Thing("opt/one/libb.so"),
        Thing("usr/lib/libb.so"),
    ]
    link(things, tmp_path)
    shutil.copy(tmp_path / "usr/bin/prog", tmp_path / "usr/bin/glibc-prog")
    link(things[:1], tmp_path, MUSL)
    for loader in (LOADER, MUSL):
        _bring(loader, tmp_path)
    system = System(DirectorySysroot(str(tmp_path)))
    for loader, program, other in (
        (LOADER, "/usr/bin/glibc-prog", "/usr/lib/libb.so"),
        (MUSL, "/usr/bin/prog", "/opt/one/libb.so"),
    ):
        listed = subprocess.run(
            [*AS_ROOT, "chroot", str(tmp_path), loader, "--list", program],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        theirs = re.findall(r"^\t\S+ => (\S+) \(", listed, re.MULTILINE)
        load = system.load(program)
        ours = [one.path for one in load.objects[1:] if one.how is not How.INTERPRETER]
        assert ours == [path for path in theirs if path != loader]
        assert other in ours
