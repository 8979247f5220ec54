"""The architectures whose loaders we are compared with."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Architecture(NamedTuple):
    """One architecture: as packages call it, as qemu calls it, and what its ELF headers say."""

    name: str
    qemu: str
    triplet: str
    loader: str
    machine: int
    elf_class: Literal[32, 64] = 64
    byte_order: Literal["little", "big"] = "little"
    flags: int = 0
    cross: str = ""  # its name in libraries for cross-compiling: no release has others of it
    libc: str = "libc6"  # the package of libc
    suites: tuple[str, ...] = ("bookworm",)  # which have it: the first that can be read is taken
    new_qemu: bool = False  # whether bookworm's qemu is too old for its programs


ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("arm64", "aarch64", "aarch64-linux-gnu", "/lib/ld-linux-aarch64.so.1", 183),
        Architecture(
            "armhf", "arm", "arm-linux-gnueabihf", "/lib/ld-linux-armhf.so.3", 40, 32,
            flags=0x5000400,
        ),
        Architecture(
            "armel", "arm", "arm-linux-gnueabi", "/lib/ld-linux.so.3", 40, 32, flags=0x5000200
        ),
        Architecture("s390x", "s390x", "s390x-linux-gnu", "/lib/ld64.so.1", 22, 64, "big"),
        Architecture(
            "ppc64el", "ppc64le", "powerpc64le-linux-gnu", "/lib64/ld64.so.2", 21, flags=2
        ),
        Architecture("i386", "i386", "i386-linux-gnu", "/lib/ld-linux.so.2", 3, 32),
        Architecture(
            "mips64el", "mips64el", "mips64el-linux-gnuabi64", "/lib64/ld.so.1", 8,
            flags=0x80000007,
        ),
        Architecture(
            "mipsel", "mipsel", "mipsel-linux-gnu", "/lib/ld.so.1", 8, 32, flags=0x70001007
        ),
        Architecture(
            "riscv64", "riscv64", "riscv64-linux-gnu", "/lib/ld-linux-riscv64-lp64d.so.1", 243,
            flags=5, suites=("trixie", "stable"),
        ),
        Architecture(
            "loong64", "loongarch64", "loongarch64-linux-gnu",
            "/lib64/ld-linux-loongarch-lp64d.so.1", 258, flags=0x43, suites=("forky", "testing"),
            new_qemu=True,
        ),
    )
}  # fmt: skip

AMD64 = Architecture("amd64", "x86_64", "x86_64-linux-gnu", "/lib64/ld-linux-x86-64.so.2", 62)
# Libraries and no programs.
CROSS = {
    one.name: one
    for one in (
        Architecture(
            "mipsn32el", "mipsn32el", "mips64el-linux-gnuabin32", "/lib32/ld.so.1", 8, 32,
            flags=0x80000027, cross="mipsn32el",
        ),
        Architecture(
            "mips", "mips", "mips-linux-gnu", "/lib/ld.so.1", 8, 32, "big",
            flags=0x70001007, cross="mips",
        ),
        Architecture(
            "ppc64", "ppc64", "powerpc64-linux-gnu", "/lib64/ld64.so.1", 21, 64, "big",
            flags=1, cross="ppc64",
        ),
        Architecture(
            "powerpc", "ppc", "powerpc-linux-gnu", "/lib/ld.so.1", 20, 32, "big", cross="powerpc"
        ),
        Architecture(
            "sparc64", "sparc64", "sparc64-linux-gnu", "/lib64/ld-linux.so.2", 43, 64, "big",
            flags=2, cross="sparc64",
        ),
        Architecture(
            "m68k", "m68k", "m68k-linux-gnu", "/lib/ld.so.1", 4, 32, "big", cross="m68k"
        ),
        Architecture(
            "hppa", "hppa", "hppa-linux-gnu", "/lib/ld.so.1", 15, 32, "big",
            flags=0x210, cross="hppa",
        ),
        # That of bookworm dies at its first instructions under every qemu.
        Architecture(
            "sh4", "sh4", "sh4-linux-gnu", "/lib/ld-linux.so.2", 42, 32, flags=9, cross="sh4",
            suites=("trixie", "stable"),
        ),
        Architecture(
            "alpha", "alpha", "alpha-linux-gnu", "/lib/ld-linux.so.2", 0x9026, cross="alpha",
            libc="libc6.1",
        ),
    )
}  # fmt: skip
