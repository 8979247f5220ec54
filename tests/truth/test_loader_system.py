"""Every program of the machine: our list against the real loader's, in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.elf.reader import MAGIC
from rootgen.errors import ElfError
from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.truth.loader import is_privileged, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.ldso.load import Load

DIRECTORIES = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/libexec")


def programs() -> Iterator[str]:
    """Give every ELF file that the directories have for executing, links included."""
    for directory in DIRECTORIES:
        if os.path.islink(directory) or not os.path.isdir(directory):
            continue
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            if os.path.isfile(path) and os.access(path, os.X_OK | os.R_OK):
                with open(path, "rb") as file:
                    if file.read(4) == MAGIC:
                        yield path


def difference(path: str, load: Load) -> str:
    """Return how our answer for ``path`` differs from the loader's, "" where it does not."""
    facts = load.objects[0].facts
    privileged = is_privileged(path)
    interpreter = facts.interpreter or ""
    truth = trace(path, interpreter=interpreter if privileged else "")
    ours = [mapped.path for mapped in load.objects[1:]]
    theirs = list(truth.paths)
    if interpreter and interpreter not in theirs and interpreter in ours:
        # Where no object names the loader, the trace does not show it.
        theirs.append(interpreter)
    if ours != theirs or sorted(one.name for one in load.missing) != sorted(truth.missing):
        return f"{path}: ours {ours}, the loader's {theirs} {truth.missing} {truth.complaint}"
    return ""


def test_every_program(record_property: Callable[[str, object], None]) -> None:
    """For each executable, `deps --format list` is what the real loader maps."""
    system = System(host(), cpu=read_cpu(host()), working_directory="/")
    compared = objects = 0
    differences: list[str] = []
    for path in programs():
        load = system.load(path)
        if load.objects[0].facts.interpreter is None:
            continue
        compared += 1
        objects += len(load.objects) - 1
        differing = difference(path, load)
        if differing:
            differences.append(differing)
    figure = f"{compared} programs with {objects} objects compared with the real loader"
    record_property("figure", f"{figure}: {len(differences)} differences")
    assert not differences, "\n".join(differences)
    assert compared > 100


@pytest.mark.long
def test_every_library(record_property: Callable[[str, object], None]) -> None:
    """For each shared library beneath /usr/lib, given as the target, the same holds."""
    system = System(host(), cpu=read_cpu(host()), working_directory="/")
    compared = 0
    differences: list[str] = []
    interpreter = system.load("/usr/bin/env").objects[0].facts.interpreter or ""
    machine = system.load("/usr/bin/env").objects[0].facts.machine
    for directory, _, names in os.walk("/usr/lib"):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if ".so" not in name or not os.path.isfile(path) or not os.access(path, os.R_OK):
                continue
            try:
                load = system.load(path)
            except ElfError:
                continue
            facts = load.objects[0].facts
            if facts.machine != machine or facts.type not in {ET_DYN, ET_EXEC}:
                continue
            if facts.interpreter is not None or not facts.dynamic:
                continue
            compared += 1
            truth = trace(path, interpreter=interpreter)
            ours = [mapped.path for mapped in load.objects[1:]]
            theirs = [*truth.paths]
            if interpreter not in theirs and interpreter in ours:
                theirs.append(interpreter)
            if ours != theirs:
                differences.append(f"{path}: ours {ours}, the loader's {theirs}")
    figure = f"{compared} libraries compared with the real loader"
    record_property("figure", f"{figure}: {len(differences)} differences")
    assert not differences, "\n".join(differences)
