"""One small tree for each rule of ld.so(8); the truth is what the real loader says of it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.elf.image import Recipe, build
from tests.truth.compiled import Thing, build_tree, link
from tests.truth.loader import trace

if TYPE_CHECKING:
    from pathlib import Path

# name of the rule: what to link. ``@`` in a path string is the tree's own absolute path.
RULES: dict[str, list[Thing]] = {
    "rpath_is_searched": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", soname="liba.so"),
    ],
    "rpath_of_the_program_serves_its_libraries": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libb.so",)),
        Thing("lib/libb.so"),
    ],
    "rpath_of_a_requester_comes_before_the_programs": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/one", program=True),
        Thing("one/liba.so", ("libb.so",), rpath="$ORIGIN/../two"),
        Thing("one/libb.so"),
        Thing("two/libb.so"),
    ],
    "runpath_is_not_inherited": [
        Thing("prog", ("liba.so",), runpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libb.so",)),
        Thing("lib/libb.so"),
    ],
    "runpath_hides_the_rpath_of_the_chain": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/one", program=True),
        Thing("one/liba.so", ("libb.so",), runpath="$ORIGIN/nowhere"),
        Thing("one/libb.so"),
    ],
    "known_by_soname": [
        Thing("prog", ("first.so", "libreal.so.1"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/first.so", soname="libreal.so.1"),
        Thing("lib/libreal.so.1", soname="libreal.so.1"),
    ],
    "known_by_inode": [
        Thing("prog", ("liba.so", "libtwin.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so"),
        Thing("lib/libtwin.so -> liba.so"),
    ],
    "breadth_first": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libc1.so",)),
        Thing("lib/libb.so", ("libd.so", "libc1.so")),
        Thing("lib/libc1.so", ("libe.so",)),
        Thing("lib/libd.so"),
        Thing("lib/libe.so"),
    ],
    "first_come_wins_for_everyone": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libx.so",), runpath="$ORIGIN/one"),
        Thing("lib/libb.so", ("libx.so",), runpath="$ORIGIN/two"),
        Thing("lib/one/libx.so"),
        Thing("lib/two/libx.so"),
    ],
    "cycle": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libb.so",)),
        Thing("lib/libb.so", ("liba.so", "libb.so")),
    ],
    "origin_of_a_library_is_the_path_it_was_opened_by": [
        Thing("prog", ("liba.so",), runpath="$ORIGIN/links", program=True),
        Thing("real/liba.so", ("libb.so",), runpath="${ORIGIN}/beside"),
        Thing("links/liba.so -> ../real/liba.so"),
        Thing("links/beside/libb.so"),
        Thing("real/beside/libb.so"),
    ],
    "lib_and_platform": [
        Thing("prog", ("liba.so", "libb.so"), rpath="@/$LIB:@/${PLATFORM}/x", program=True),
        Thing("lib/x86_64-linux-gnu/liba.so"),
        Thing("lib64/liba.so"),
        Thing("x86_64/x/libb.so"),
        Thing("haswell/x/libb.so"),
        Thing("xeon_phi/x/libb.so"),
    ],
    "braces_end_a_token": [
        Thing("prog", ("liba.so",), rpath="@/$LIBx:@/${LIB}x", program=True),
        Thing("$LIBx/libb.so"),
        Thing("lib/x86_64-linux-gnux/liba.so"),
    ],
    "unknown_tokens_stay": [
        Thing("prog", ("liba.so",), rpath="@/$ORIGINAL:@/$FOO/${BAR}:@/$", program=True),
        Thing("$ORIGINAL/liba.so"),
        Thing("$FOO/${BAR}/liba.so"),
        Thing("$/liba.so"),
    ],
    "name_with_a_slash": [
        Thing("prog", ("@/lib/liba.so", "$ORIGIN/lib/libb.so"), program=True),
        Thing("lib/liba.so"),
        Thing("lib/libb.so"),
    ],
    "relative_and_empty_elements": [
        Thing("prog", ("liba.so", "libb.so"), rpath=":lib/:@/lib//", program=True),
        Thing("liba.so"),
        Thing("lib/libb.so"),
    ],
    "nodeflib": [
        Thing("prog", ("libc.so.6",), flags=("-z", "nodefaultlib"), program=True),
    ],
    "nodeflib_of_a_library": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN", program=True),
        Thing("liba.so", ("libc.so.6",), flags=("-z", "nodefaultlib")),
        Thing("libb.so", ("libc.so.6",)),
    ],
    "cache": [Thing("prog", ("libz.so.1", "libtinfo.so.6"), program=True)],
    "missing": [
        Thing("prog", ("libnone.so", "liba.so", "libnone.so"), rpath="$ORIGIN", program=True),
        Thing("liba.so", ("libnone.so", "libnever.so.3")),
    ],
    "not_of_this_machine": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/one:$ORIGIN/two", program=True),
        Thing("one/liba.so"),
        Thing("two/liba.so"),
    ],
    "not_of_this_data_order": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/one:$ORIGIN/two", program=True),
        Thing("one/liba.so"),
        Thing("two/liba.so"),
    ],
    "auxiliary": [
        Thing("prog", ("libf.so", "libz.so.1"), rpath="$ORIGIN", program=True),
        Thing("libf.so", ("libb.so",), flags=("--auxiliary=liba.so",)),
        Thing("liba.so", ("libd.so",)),
        Thing("libb.so"),
        Thing("libd.so"),
    ],
    "filter": [
        Thing("prog", ("libz.so.1", "libf.so"), rpath="$ORIGIN", program=True),
        Thing("libf.so", ("libb.so",), flags=("-F", "liba.so")),
        Thing("liba.so"),
        Thing("libb.so"),
    ],
    "glibc_hwcaps_in_a_search_directory": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so"),
        Thing("lib/libb.so"),
        Thing("lib/glibc-hwcaps/x86-64-v2/liba.so"),
        Thing("lib/glibc-hwcaps/x86-64-v3/liba.so"),
        Thing("lib/glibc-hwcaps/x86-64-v4/liba.so"),
        Thing("lib/glibc-hwcaps/x86-64-v2/libb.so"),
    ],
    "interpreter_named_by_a_library": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN", program=True),
        Thing("liba.so", ("ld-linux-x86-64.so.2",)),
        Thing("libb.so", ("libd.so",)),
        Thing("libd.so"),
    ],
}

# What "one/liba.so" says of itself instead; more of them, on more machines: test_foreign_headers.
_HEADERS = {
    "not_of_this_machine": Recipe(machine=183, dynamic=()),
    "not_of_this_data_order": Recipe(byte_order="big", dynamic=()),
}


def build_rule(rule: str, root: Path) -> None:
    """Make the tree of ``rule`` beneath ``root``."""
    build_tree(RULES[rule], root)
    if rule in _HEADERS:
        (root / "one/liba.so").write_bytes(build(_HEADERS[rule]).data)


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: str, tmp_path: Path) -> None:
    """Our objects, their order and what lacks are the loader's."""
    assert shutil.which("ld"), "binutils is not installed; tests/run installs it"
    build_rule(rule, tmp_path)
    program = str(tmp_path / "prog")
    truth = trace(program, directory=str(tmp_path))
    system = System(host(), cpu=read_cpu(host()), working_directory=str(tmp_path))
    load = system.load(program)
    interpreter = load.objects[0].facts.interpreter
    ours = [mapped.path for mapped in load.objects[1:]]
    theirs = [os.path.join(tmp_path, path) for path in truth.paths]
    if interpreter not in theirs:
        theirs.append(str(interpreter))
    assert ours == theirs, truth
    assert [one.name for one in load.missing] == list(truth.missing)


@pytest.mark.parametrize("order", ["one:two", "two:one", ":one", "one;two"])
def test_library_path(order: str, tmp_path: Path) -> None:
    """LD_LIBRARY_PATH comes behind RPATH and before RUNPATH; elements end at ``:`` or ``;``."""
    things = [
        Thing("prog", ("liba.so", "libb.so", "libd.so"), runpath="$ORIGIN/two", program=True),
        Thing("one/liba.so"),
        Thing("two/liba.so"),
        Thing("libb.so"),
        Thing("two/libb.so"),
        Thing("one/libd.so"),
    ]
    link(things, tmp_path)
    program = str(tmp_path / "prog")
    variables = {"LD_LIBRARY_PATH": order}
    truth = trace(program, environment=variables, directory=str(tmp_path))
    system = System(host(), working_directory=str(tmp_path))
    load = system.load(program, library_path=(order,))
    ours = [mapped.path for mapped in load.objects[1:]]
    assert ours[:-1] == [os.path.join(tmp_path, path) for path in truth.paths]


def test_missing_filtee(tmp_path: Path) -> None:
    """A DT_AUXILIARY that is not there lacks nothing: the filter's own symbols count."""
    things = [
        Thing("prog", ("libf.so",), rpath="$ORIGIN", program=True),
        Thing("libf.so", flags=("--auxiliary=libnone.so",)),
    ]
    link(things, tmp_path)
    program = str(tmp_path / "prog")
    assert trace(program).paths == (str(tmp_path / "libf.so"),)
    assert System(host()).load(program).missing == ()
