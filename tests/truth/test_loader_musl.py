"""musl's loader: one small tree for each rule, the truth taken from the real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rootgen.ldso.load import How
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot, host
from tests.truth.compiled import Thing, build_tree, link

if TYPE_CHECKING:
    from pathlib import Path

LOADER = "/lib/ld-musl-x86_64.so.1"
# ``@`` in a path string is the tree's own absolute path.
RULES: dict[str, list[Thing]] = {
    "runpath_is_inherited": [
        Thing("prog", ("liba.so",), runpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libb.so",)),
        Thing("lib/libb.so"),
    ],
    "requester_before_program": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/one", program=True),
        Thing("one/liba.so", ("libb.so",), runpath="$ORIGIN/../two"),
        Thing("one/libb.so"),
        Thing("two/libb.so"),
    ],
    "chain_of_requesters": [
        Thing("prog", ("liba.so", "libz9.so"), rpath="@/one", program=True),
        Thing("one/liba.so", ("libb.so",), runpath="@/two"),
        Thing("two/libb.so", ("libd.so", "libe.so")),
        Thing("one/libd.so"),
        Thing("two/libe.so"),
        Thing("one/libz9.so"),
    ],
    "built_in_names": [
        Thing(
            "prog",
            ("libm.so.6", "libpthread.so.0", "libc.so", "libdl.so.2", "liba.so"),
            rpath="$ORIGIN",
            program=True,
        ),
        Thing("libm.so.6"),
        Thing("liba.so", ("librt.so.1", "libc.musl-x86_64.so.1", "libutil.so", "libxnet.so")),
    ],
    "soname_does_not_count": [
        Thing("prog", ("first.so", "libreal.so.1"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/first.so", soname="libreal.so.1"),
        Thing("lib/libreal.so.1", soname="libreal.so.1"),
    ],
    "known_by_inode": [
        Thing("prog", ("@/lib/liba.so", "libtwin.so", "liba.so"), rpath="@/lib", program=True),
        Thing("lib/liba.so"),
        Thing("lib/libtwin.so -> liba.so"),
    ],
    "other_tokens_make_a_path_void": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/lib:$LIB/x", program=True),
        Thing("lib/liba.so"),
    ],
    "braces": [
        Thing("prog", ("liba.so",), rpath="${ORIGIN}/lib", program=True),
        Thing("lib/liba.so"),
    ],
    "empty_elements_do_not_count": [
        Thing("prog", ("liba.so", "libb.so"), rpath=":@/lib::", program=True),
        Thing("liba.so"),
        Thing("lib/libb.so"),
    ],
    "breadth_first": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN", program=True),
        Thing("liba.so", ("libd.so", "libc.so")),
        Thing("libb.so", ("libe.so",)),
        Thing("libd.so", ("liba.so", "libf.so")),
        Thing("libe.so"),
        Thing("libf.so"),
    ],
    "missing": [
        Thing("prog", ("libnone.so", "liba.so"), rpath="$ORIGIN", program=True),
        Thing("liba.so", ("libnever.so.3", "libnone.so")),
    ],
}


class Listed(NamedTuple):
    """What ``ld-musl --list`` printed: the objects in load order, and what it did not find."""

    paths: list[str]
    missing: list[str]


def listed(
    program: str, directory: Path | str, environment: dict[str, str] | None = None
) -> Listed:
    """Ask the real loader."""
    assert os.path.exists(LOADER), "musl is not installed; tests/run installs it"
    done = subprocess.run(
        [LOADER, "--list", program],
        env=environment or {},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    paths = re.findall(r"^\t\S+ => (\S+) \(0x[0-9a-f]+\)$", done.stdout, re.MULTILINE)
    missing = re.findall(r"^Error loading shared library ([^:]+): ", done.stderr, re.MULTILINE)
    return Listed([path for path in paths if path != LOADER], missing)


def build_rule(rule: str, root: Path) -> None:
    """Make the tree of ``rule`` beneath ``root``."""
    build_tree(RULES[rule], root, LOADER)


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, tmp_path: Path) -> None:
    """Our objects, their order and what lacks are the loader's."""
    build_rule(rule, tmp_path)
    program = str(tmp_path / "prog")
    truth = listed(program, tmp_path)
    load = System(host(), working_directory=str(tmp_path)).load(program)
    ours = [one.path for one in load.objects[1:] if one.how is not How.INTERPRETER]
    assert ours == truth.paths
    assert [one.name for one in load.missing] == truth.missing
    assert LOADER in [one.path for one in load.objects]


def test_library_path(tmp_path: Path) -> None:
    """LD_LIBRARY_PATH comes before every RPATH."""
    things = [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN/two", program=True),
        Thing("one/liba.so"),
        Thing("two/liba.so"),
        Thing("two/libb.so"),
    ]
    link(things, tmp_path, LOADER)
    program = str(tmp_path / "prog")
    path = f"{tmp_path}/one"
    truth = listed(program, tmp_path, {"LD_LIBRARY_PATH": path})
    load = System(host()).load(program, library_path=(path,))
    assert [one.path for one in load.objects[1:] if one.path != LOADER] == truth.paths


@pytest.mark.parametrize("content", [None, "", "/odd\n/more:/lib\n", "/none"])
def test_path_file(tmp_path: Path, content: str | None) -> None:
    """The path file replaces the default directories, also where it is empty."""
    link(
        [
            Thing("prog", ("liba.so", "libb.so"), program=True),
            Thing("odd/liba.so"),
            Thing("usr/local/lib/liba.so"),
            Thing("lib/libb.so"),
        ],
        tmp_path,
        LOADER,
    )
    (tmp_path / "etc").mkdir()
    if content is not None:
        (tmp_path / "etc/ld-musl-x86_64.path").write_text(content)
    shutil.copy(LOADER, tmp_path / LOADER.lstrip("/"))
    done = subprocess.run(
        ["unshare", "-r", "chroot", str(tmp_path), LOADER, "--list", "/prog"],
        capture_output=True,
        text=True,
        check=False,
    )
    theirs = re.findall(r"^\t\S+ => (\S+) \(", done.stdout, re.MULTILINE)
    load = System(DirectorySysroot(str(tmp_path))).load("/prog")
    ours = [one.path for one in load.objects[1:] if one.how is not How.INTERPRETER]
    assert ours == [path for path in theirs if path != LOADER]


def test_real_program(tmp_path: Path) -> None:
    """A program built with musl-gcc is resolved, made into a tree, and runs there."""
    from tests.people.command import succeed

    source = tmp_path / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello from musl"); return 0; }\n')
    subprocess.run(["musl-gcc", "-o", tmp_path / "hello", source], check=True)
    out = tmp_path / "rootfs"
    succeed("make", str(tmp_path / "hello"), "--add", f"{tmp_path}/hello:/hello", "--out", str(out))
    assert succeed("run", str(out), "--", "/hello") == "hello from musl\n"


def test_library_as_the_target(tmp_path: Path) -> None:
    """A library that needs libc by musl's name for it is musl's; $ORIGIN is where its name is."""
    things = [
        Thing("real/liba.so", ("libb.so", "libc.musl-x86_64.so.1"), rpath="$ORIGIN/beside"),
        Thing("real/beside/libb.so"),
        Thing("links/beside/libb.so"),
    ]
    link(things, tmp_path, LOADER)
    (tmp_path / "links/liba.so").symlink_to("../real/liba.so")
    target = str(tmp_path / "links/liba.so")
    truth = listed(target, tmp_path)
    load = System(host()).load(target)
    assert [one.path for one in load.objects[1:]] == [*truth.paths, LOADER]
    assert truth.paths == [f"{tmp_path}/links/beside/libb.so"]
