"""Roots that were made to mislead, by hand: what glibc's and musl's own loaders map in them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.load import NeedKind
from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot, host
from tests.truth.compiled import LOADER
from tests.truth.foreign import run_all
from tests.truth.loader import parse
from tests.truth.rooted import drawn_roots, write_root
from tests.truth.test_loader_musl import LOADER as MUSL
from tests.truth.test_loader_releases import RELEASES, loader_of_release

_TEXTS = Path(__file__).parent / "corners"
GLIBC = drawn_roots(_TEXTS / "glibc.txt")
MUSL_ROOTS = drawn_roots(_TEXTS / "musl.txt")
# Of what ends a process, our words where they are not the loader's.
_WORDS = {
    "a directory, not a file": "cannot read file data",
    "not an ELF file": "file too short",
    "truncated in the ELF identification": "file too short",
}
# Where the loaders of other releases list the same in another order, or fail an assertion.
_OTHERWISE = {"preload ld", "filter on prog"}


@pytest.mark.parametrize("root", GLIBC)
def test_glibc(root: str, tmp_path: Path) -> None:
    """The trace in the root, or why the loader ended."""
    _compare(root, tmp_path, None)


@pytest.mark.long
@pytest.mark.parametrize("suites", RELEASES, ids=[names[0] for names in RELEASES])
@pytest.mark.parametrize("root", sorted(set(GLIBC) - _OTHERWISE))
def test_other_releases(root: str, suites: tuple[str, ...], tmp_path: Path) -> None:
    """The same of older and newer loaders."""
    _compare(root, tmp_path, loader_of_release(suites))


def _compare(root: str, tmp_path: Path, loader: str | None) -> None:
    write_root(GLIBC[root], tmp_path, LOADER, loader)
    variables = {"LD_TRACE_LOADED_OBJECTS": "1"}
    [done] = run_all(str(tmp_path), [["/bin/prog"]], qemu="", environment=variables)
    truth = parse(done.output)
    system = System(DirectorySysroot(str(tmp_path)), cpu=read_cpu(host()))
    load = system.load("/bin/prog")
    lacking = [one for one in load.missing if one.kind is not NeedKind.PRELOAD]
    fatal = [one for one in lacking if one.why.partition(" (")[0] != "not found"]
    if done.status:
        why = fatal[0].why.rpartition(": ")[2]
        assert _WORDS.get(why, why) in done.errors
        return
    assert not fatal
    ours = [one.path for one in load.objects[1:]]
    theirs = [os.path.join("/", path) for path in truth.paths]
    # What no object names is not in the trace, nor what stands before the program.
    if LOADER not in theirs:
        ours.remove(LOADER)
    ours = [path for path in ours if path != "/one/before-the-program.so"]
    assert ours == theirs
    filtees = {one.name for one in load.needs if one.kind is NeedKind.AUXILIARY}
    assert len(set(truth.missing) - filtees) == len({one.name for one in lacking})
    for one in load.missing:
        if one.kind is NeedKind.PRELOAD:
            # Python read the errors as text.
            name = one.name.replace("\r", "\n")
            assert f"object '{name}' from /etc/ld.so.preload" in done.errors


@pytest.mark.parametrize("name", MUSL_ROOTS)
def test_musl(name: str, tmp_path: Path) -> None:
    """What musl's loader lists in the root, and each name that it cannot load, with its words."""
    write_root(MUSL_ROOTS[name], tmp_path, MUSL)
    [done] = run_all(str(tmp_path), [[MUSL, "--list", "/bin/prog"]], qemu="")
    paths = re.findall(r"^\t.* => (\S+) \(0x[0-9a-f]+\)$", done.output, re.MULTILINE)
    failures = re.findall(
        r"^Error loading shared library ([^:]*): (.*) \(", done.errors, re.MULTILINE
    )
    load = System(DirectorySysroot(str(tmp_path))).load("/bin/prog", by_name=True)
    ours = [one.path for one in load.objects[1:] if one.path != MUSL]
    assert ours == [os.path.join("/", path) for path in paths if path != MUSL]
    missing = [one for one in load.missing if "cannot relocate" not in one.why]
    assert [one.name for one in missing] == [name for name, _ in failures]
    for one, (_, why) in zip(missing, failures, strict=True):
        words = one.why.rpartition(": ")[2]
        # For a name that is too long musl gives what errno happens to be.
        assert words == why or one.why == "not found"
