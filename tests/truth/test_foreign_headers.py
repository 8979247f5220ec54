"""Objects whose headers differ from the process's: passed over, mapped, or the end of it.

Each is met first, before one that fits (glibc elf/dl-load.c, ``open_verify``;
``elf_machine_matches_host`` of the machine). The truth is the real loader's.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.elf.image import Recipe
from tests.laws.test_loader_trees import Drawn, Tree, agree, write
from tests.truth.architecture import ARCHITECTURES, CROSS
from tests.truth.foreign import emulator, loader_of, recipe_of, usual_root
from tests.truth.loader import parse

if TYPE_CHECKING:
    from pathlib import Path


class Header(NamedTuple):
    """What the first object's header says instead of what the process's says; None: the same."""

    machine: int | None = None
    elf_class: Literal[32, 64] | None = None
    byte_order: Literal["little", "big"] | None = None
    flags: int | None = None
    os_abi: int | None = None
    abi_version: int | None = None
    type: int | None = None


ANY = {
    "another_class": Header(elf_class=32),
    "another_machine": Header(machine=243),
    "another_data_order": Header(byte_order="big"),
    "another_data_order_of_another_machine": Header(byte_order="big", machine=22),
    "another_data_order_of_another_class": Header(byte_order="big", elf_class=32, machine=22),
    "an_invalid_os_abi": Header(os_abi=9),
    "an_invalid_os_abi_of_another_machine": Header(os_abi=9, machine=243),
    "gnu_os_abi": Header(os_abi=3),
    "arm_os_abi": Header(os_abi=64),
    "an_abi_version": Header(abi_version=7),
    "a_high_abi_version_of_gnu": Header(os_abi=3, abi_version=200),
    "a_relocatable_object": Header(type=1),
    "a_relocatable_object_of_another_machine": Header(type=1, machine=243),
    "a_program": Header(type=2),
}
CASES = {
    **{("amd64", name): header for name, header in ANY.items()},
    **{("arm64", name): header for name, header in ANY.items()},
    **{
        (name, f"abi_version_{version}_of_gnu"): Header(os_abi=3, abi_version=version)
        for name in ("amd64", *ARCHITECTURES, *CROSS)
        for version in range(1, 8)
    },
    ("armhf", "soft_float"): Header(flags=0x5000200),
    ("armhf", "no_float_at_all"): Header(flags=0x5000000),
    ("armhf", "both_floats"): Header(flags=0x5000600),
    ("armhf", "an_older_eabi"): Header(flags=0x4000200),
    ("armhf", "arm_os_abi"): Header(os_abi=64),
    ("armel", "hard_float"): Header(flags=0x5000400),
    ("armel", "no_float_at_all"): Header(flags=0x5000000),
    ("ppc64el", "the_first_abi"): Header(flags=1),
    ("ppc64el", "no_abi_at_all"): Header(flags=0),
    ("ppc64el", "big_endian"): Header(byte_order="big", flags=1),
    ("mipsel", "n32"): Header(flags=0x70001027),
    ("mipsel", "nan_of_2008"): Header(flags=0x70001407),
    ("mipsel", "old_floats_of_64_bits"): Header(flags=0x70001207),
    ("mips64el", "nan_of_2008"): Header(flags=0x80000407),
    ("mips64el", "n32_flag"): Header(flags=0x80000027),
    ("riscv64", "soft_float"): Header(flags=1),
    ("riscv64", "single_float"): Header(flags=3),
    ("riscv64", "no_compressed_instructions"): Header(flags=4),
    ("riscv64", "32_bit"): Header(elf_class=32),
    ("loong64", "soft_float"): Header(flags=0x41),
    ("loong64", "single_float"): Header(flags=0x42),
    ("loong64", "an_older_object_abi"): Header(flags=0x03),
    ("sh4", "other_flags"): Header(flags=0x108),
    ("alpha", "other_flags"): Header(flags=1),
    ("mipsn32el", "o32"): Header(flags=0x70001007),
    ("mipsn32el", "n64"): Header(elf_class=64, flags=0x80000007),
    ("mips", "n32"): Header(flags=0x70001027),
    ("ppc64", "the_second_abi"): Header(flags=2),
    ("ppc64", "little_endian"): Header(flags=2, byte_order="little"),
    ("ppc64", "no_abi_at_all"): Header(flags=0),
    ("sparc64", "32_bit"): Header(elf_class=32, machine=2),
    ("sparc64", "other_flags"): Header(flags=0),
    ("s390x", "31_bit"): Header(elf_class=32),
    ("s390x", "little_endian"): Header(byte_order="little"),
    ("i386", "x32"): Header(machine=62),
    ("i386", "x86_64"): Header(machine=62, elf_class=64),
}
_SAMPLE = {"amd64", "arm64", "s390x"}


def _marked(case: tuple[str, str]) -> object:
    marks = [] if case[0] in _SAMPLE else [pytest.mark.long]
    return pytest.param(*case, marks=marks, id="-".join(case))


@pytest.mark.parametrize(("name", "what"), [_marked(case) for case in CASES])
def test_first_object(name: str, what: str, tmp_path: Path) -> None:
    """The search goes on, takes it, or ends, as the loader's does."""
    qemu: list[str] = []
    kind = Recipe()
    loader = "/lib64/ld-linux-x86-64.so.2"
    if name != "amd64":
        architecture = {**ARCHITECTURES, **CROSS}[name]
        loader = loader_of(usual_root(architecture), architecture)
        qemu = [emulator(architecture), "-E", "LD_TRACE_LOADED_OBJECTS=1"]
        kind = recipe_of(architecture)
    root = os.path.realpath(tmp_path)
    tree = Tree(
        Drawn("bin/prog", ("liba.so", "libb.so"), runpath="@/a:@/b"),
        (Drawn("b/liba.so"), Drawn("b/libb.so")),
    )
    program = write(tree, root, replace(kind, interpreter=loader.encode()))
    given = {key: value for key, value in CASES[name, what]._asdict().items() if value is not None}
    first = Tree(tree.program, (Drawn("a/liba.so"),))
    os.rename(program, f"{program}.kept")
    os.unlink(f"{root}/link")
    write(first, root, replace(kind, **given))
    os.rename(f"{program}.kept", program)
    if "type" in given:
        _set_type(f"{root}/a/liba.so", kind, given["type"])
    done = subprocess.run(
        [*qemu, program],
        env={} if qemu else {"LD_TRACE_LOADED_OBJECTS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    load = System(host()).load(program)
    agree(tree, root, load, parse(done.stdout, done.stderr.strip()), loader)


def _set_type(path: str, kind: Recipe, number: int) -> None:
    with open(path, "r+b") as file:
        file.seek(16)
        file.write(number.to_bytes(2, kind.byte_order))
