"""What differs by architecture: the cache's flags, the usual interpreter and directories."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts

EM_386, EM_MIPS, EM_PPC, EM_PPC64, _EM_S390 = 3, 8, 20, 21, 22
EM_ARM, EM_X86_64, _EM_AARCH64, EM_RISCV, _EM_LOONGARCH = 40, 62, 183, 243, 258
_EM_68K, _EM_PARISC, _EM_SH, EM_SPARCV9, _EM_ALPHA = 4, 15, 42, 43, 0x9026
CLASS_32 = 32
_EF_ARM_ABI_FLOAT_SOFT, _EF_ARM_ABI_FLOAT_HARD = 0x200, 0x400
_EF_MIPS_ABI2, _EF_MIPS_NAN2008 = 0x20, 0x400
_EF_RISCV_FLOAT_ABI = 0x6
_EF_RISCV_FLOAT_ABI_DOUBLE = 0x4
_EF_LOONGARCH_ABI = 0x7
_EF_LOONGARCH_ABI_DOUBLE = 0x3

# glibc sysdeps/generic/ldconfig.h: FLAG_ELF_LIBC6, and the architecture in the second byte.
_LIBC6 = 0x0003
_ANY_LIBC = 0x0001  # FLAG_ELF


class Machine(NamedTuple):
    """One ABI: ``cache_flags`` of its libraries in ld.so.cache, AT_PLATFORM, and usual places.

    ``directories`` are glibc's own defaults, for a root whose loader does
    not say which ones it was built with; ``capabilities`` are the names in
    dl_hwcap that every processor of the machine has.
    """

    name: str
    cache_flags: int
    platform: str
    interpreters: tuple[str, ...]
    directories: tuple[str, ...]
    capabilities: tuple[str, ...] = ()

    def lookup_flags(self) -> tuple[int, int]:
        """Return the flags of the cache's records that its loader takes: best, and second best.

        dl-cache.h, ``_dl_cache_check_flags``: a 32-bit machine that has no
        flags of its own takes libraries of any libc too, arm such as say
        nothing of floats.
        """
        if self.name in {"arm", "armhf"}:
            return self.cache_flags, _LIBC6
        return self.cache_flags, _ANY_LIBC if self.cache_flags == _LIBC6 else self.cache_flags


def _machine(
    name: str, architecture: int, platform: str, interpreters: str, library: str = "lib"
) -> Machine:
    directories = (f"/{library}", f"/usr/{library}")
    return Machine(
        name, architecture << 8 | _LIBC6, platform, tuple(interpreters.split()), directories
    )


_MIPS64 = (
    "/lib64/ld.so.1 /lib64/ld-linux-mipsn8.so.1 /lib/ld-musl-mips64el.so.1 /lib/ld-musl-mips64.so.1"
)
_MIPSN32 = (
    "/lib32/ld.so.1 /lib32/ld-linux-mipsn8.so.1 "
    "/lib/ld-musl-mipsn32el.so.1 /lib/ld-musl-mipsn32.so.1"
)
_MIPS = "/lib/ld.so.1 /lib/ld-linux-mipsn8.so.1 /lib/ld-musl-mipsel.so.1 /lib/ld-musl-mips.so.1"
_MACHINES = {
    "x86_64": _machine(
        "x86_64", 3, "x86_64",
        "/lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1", "lib64",
    ),
    "x32": _machine(
        "x32", 8, "x86_64", "/libx32/ld-linux-x32.so.2 /lib/ld-musl-x32.so.1", "libx32"
    ),
    "i386": _machine("i386", 0, "i686", "/lib/ld-linux.so.2 /lib/ld-musl-i386.so.1"),
    "aarch64": _machine(
        "aarch64", 0xA, "aarch64",
        "/lib/ld-linux-aarch64.so.1 /lib/ld-musl-aarch64.so.1", "lib64",
    ),
    "armhf": _machine("armhf", 9, "v7l", "/lib/ld-linux-armhf.so.3 /lib/ld-musl-armhf.so.1"),
    "arm": _machine("arm", 0xB, "v7l", "/lib/ld-linux.so.3 /lib/ld-musl-arm.so.1"),
    "riscv64": _machine(
        "riscv64", 0x10, "", "/lib/ld-linux-riscv64-lp64d.so.1 /lib/ld-musl-riscv64.so.1",
        "lib64/lp64d",
    ),
    "riscv64-soft": _machine(
        "riscv64-soft", 0xF, "", "/lib/ld-linux-riscv64-lp64.so.1", "lib64/lp64"
    ),
    "ppc64": _machine(
        "ppc64", 5, "",
        "/lib64/ld64.so.2 /lib64/ld64.so.1 "
        "/lib/ld-musl-powerpc64le.so.1 /lib/ld-musl-powerpc64.so.1", "lib64",
    ),
    "ppc": _machine("ppc", 0, "", "/lib/ld.so.1 /lib/ld-musl-powerpc.so.1"),
    "s390x": _machine("s390x", 4, "", "/lib/ld64.so.1 /lib/ld-musl-s390x.so.1", "lib64"),
    "s390": _machine("s390", 0, "", "/lib/ld.so.1"),
    "mips64": _machine("mips64", 7, "", _MIPS64, "lib64"),
    "mips64-nan2008": _machine("mips64-nan2008", 0xE, "", _MIPS64, "lib64"),
    "mipsn32": _machine("mipsn32", 6, "", _MIPSN32, "lib32"),
    "mipsn32-nan2008": _machine("mipsn32-nan2008", 0xD, "", _MIPSN32, "lib32"),
    "mips": _machine("mips", 0, "", _MIPS),
    "mips-nan2008": _machine("mips-nan2008", 0xC, "", _MIPS),
    "sparc64": _machine("sparc64", 1, "", "/lib64/ld-linux.so.2", "lib64"),
    "m68k": _machine("m68k", 0, "", "/lib/ld.so.1 /lib/ld-musl-m68k.so.1"),
    "hppa": _machine("hppa", 0, "PARISC", "/lib/ld.so.1"),
    "alpha": _machine("alpha", 0, "", "/lib/ld-linux.so.2"),
    "sh4": _machine("sh4", 0, "", "/lib/ld-linux.so.2 /lib/ld-musl-sh.so.1"),
    "loongarch64": _machine(
        "loongarch64", 0x12, "loongarch64",
        "/lib64/ld-linux-loongarch-lp64d.so.1 /lib/ld-musl-loongarch64.so.1", "lib64",
    ),
    "loongarch64-soft": _machine(
        "loongarch64-soft", 0x11, "loongarch64", "/lib64/ld-linux-loongarch-lp64s.so.1", "lib64"
    ),
}  # fmt: skip
_PLAIN = {
    (EM_386, 32): "i386",
    (EM_X86_64, 64): "x86_64",
    (EM_X86_64, 32): "x32",
    (_EM_AARCH64, 64): "aarch64",
    (EM_PPC64, 64): "ppc64",
    (EM_PPC, 32): "ppc",
    (EM_SPARCV9, 64): "sparc64",
    (_EM_68K, 32): "m68k",
    (_EM_PARISC, 32): "hppa",
    (_EM_SH, 32): "sh4",
    (_EM_ALPHA, 64): "alpha",
    (_EM_S390, 64): "s390x",
    (_EM_S390, 32): "s390",
}
_UNKNOWN = _machine("unknown", 0, "", "")
# sysdeps/x86/cpu-features.c: dl_hwcap of every x86-64 processor.
_CAPABILITIES = {"x86_64": ("x86_64",), "x32": ("x86_64",)}


def machine_of(facts: ElfFacts) -> Machine:
    """Return the ABI that ``facts`` are for; one that has no usual places where it is unknown."""
    name = _PLAIN.get((facts.machine, facts.elf_class), "")
    if facts.machine == EM_ARM:
        name = _name_of_arm(facts)
    elif facts.machine == EM_MIPS:
        name = _name_of_mips(facts)
    elif facts.machine == EM_RISCV:
        hard = facts.flags & _EF_RISCV_FLOAT_ABI == _EF_RISCV_FLOAT_ABI_DOUBLE
        name = "riscv64" if hard else "riscv64-soft"
    elif facts.machine == _EM_LOONGARCH:
        hard = facts.flags & _EF_LOONGARCH_ABI == _EF_LOONGARCH_ABI_DOUBLE
        name = "loongarch64" if hard else "loongarch64-soft"
    machine = _MACHINES.get(name, _UNKNOWN)
    return machine._replace(capabilities=_CAPABILITIES[name]) if name in _CAPABILITIES else machine


def _name_of_arm(facts: ElfFacts) -> str:
    floats = facts.flags & (_EF_ARM_ABI_FLOAT_SOFT | _EF_ARM_ABI_FLOAT_HARD)
    # An object that uses no floats may say nothing of them: its loader does.
    if floats == _EF_ARM_ABI_FLOAT_HARD or (not floats and "armhf" in (facts.interpreter or "")):
        return "armhf"
    return "arm"


def _name_of_mips(facts: ElfFacts) -> str:
    name = "mips64"
    if facts.elf_class == CLASS_32:
        name = "mipsn32" if facts.flags & _EF_MIPS_ABI2 else "mips"
    return f"{name}-nan2008" if facts.flags & _EF_MIPS_NAN2008 else name
