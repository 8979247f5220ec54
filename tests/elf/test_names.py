"""Machines by the names that people know."""

from __future__ import annotations

import os
import sys
from typing import Literal

import pytest

from rootgen.elf.names import machine_name, type_name
from rootgen.elf.reader import read_facts
from tests.elf.image import Recipe, build
from tests.elf.reading import facts_of


@pytest.mark.parametrize(
    ("machine", "elf_class", "byte_order", "name"),
    [
        (62, 64, "little", "x86_64"),
        (62, 32, "little", "x32"),
        (3, 32, "little", "i386"),
        (183, 64, "little", "aarch64"),
        (183, 64, "big", "aarch64_be"),
        (40, 32, "little", "arm"),
        (40, 32, "big", "armeb"),
        (243, 64, "little", "riscv64"),
        (243, 32, "little", "riscv32"),
        (20, 32, "big", "powerpc"),
        (21, 64, "little", "ppc64le"),
        (21, 64, "big", "ppc64"),
        (22, 64, "big", "s390x"),
        (22, 32, "big", "s390"),
        (8, 32, "big", "mips"),
        (8, 32, "little", "mipsel"),
        (8, 64, "little", "mips64el"),
        (258, 64, "little", "loongarch64"),
        (4000, 64, "little", "machine 4000"),
    ],
)
def test_machine(
    machine: int, elf_class: Literal[32, 64], byte_order: Literal["little", "big"], name: str
) -> None:
    """The name is that of ``uname -m``; where one number serves many, class and order decide."""
    recipe = Recipe(machine=machine, elf_class=elf_class, byte_order=byte_order)
    assert machine_name(facts_of(build(recipe).data)) == name


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (1, "an object file for the linker"),
        (2, "an executable"),
        (3, "a shared object"),
        (4, "a core dump"),
        (0xFE00, "ELF type 65024"),
    ],
)
def test_type(kind: int, words: str) -> None:
    """The type is said in words that fit into a message."""
    assert type_name(facts_of(build(Recipe(type=kind)).data)) == words


def test_this_machine() -> None:
    """Our own interpreter is of the machine that the kernel says it runs on."""
    with open(sys.executable, "rb") as file:
        facts = read_facts(lambda size, at: os.pread(file.fileno(), size, at), sys.executable)
    assert machine_name(facts) == os.uname().machine
