"""The architectures whose calls one kernel takes, and what a filter must know of each."""

from __future__ import annotations

from rootgen.named import NamedTuple

# linux/audit.h: an audit architecture is the ELF machine with these.
_64_BIT = 0x80000000
_LITTLE = 0x40000000
_N32 = 0x20000000
X32_BIT = 0x40000000


class Architecture(NamedTuple):
    """One of the OCI runtime-spec's architectures.

    ``audit`` is what seccomp_data.arch says, ``table`` the module of its
    numbers, ``word`` what ``includes`` and ``excludes`` call it. On
    ``multiplexed`` ones socketcall(2) and ipc(2) reach many calls by one number.
    """

    name: str
    audit: int
    bits: int
    table: str
    word: str
    little: bool = True
    multiplexed: bool = False


_ALL = (
    Architecture("SCMP_ARCH_X86_64", 62 | _64_BIT | _LITTLE, 64, "x86_64", "amd64"),
    # Of the same audit architecture: its calls have bit 30 set (arch/x86/include/asm/unistd.h).
    Architecture("SCMP_ARCH_X32", 62 | _64_BIT | _LITTLE, 32, "x32", "x32"),
    Architecture("SCMP_ARCH_X86", 3 | _LITTLE, 32, "i386", "x86", multiplexed=True),
    Architecture("SCMP_ARCH_AARCH64", 183 | _64_BIT | _LITTLE, 64, "aarch64", "arm64"),
    Architecture("SCMP_ARCH_ARM", 40 | _LITTLE, 32, "arm", "arm"),
    Architecture("SCMP_ARCH_RISCV64", 243 | _64_BIT | _LITTLE, 64, "riscv64", "riscv64"),
    Architecture(
        "SCMP_ARCH_LOONGARCH64", 258 | _64_BIT | _LITTLE, 64, "loongarch64", "loongarch64"
    ),
    Architecture(
        "SCMP_ARCH_S390X", 22 | _64_BIT, 64, "s390x", "s390x", little=False, multiplexed=True
    ),
    Architecture("SCMP_ARCH_S390", 22, 32, "s390", "s390", little=False, multiplexed=True),
    Architecture(
        "SCMP_ARCH_PPC64LE", 21 | _64_BIT | _LITTLE, 64, "ppc64", "ppc64le", multiplexed=True
    ),
    Architecture(
        "SCMP_ARCH_PPC64", 21 | _64_BIT, 64, "ppc64", "ppc64", little=False, multiplexed=True
    ),
    Architecture("SCMP_ARCH_MIPS", 8, 32, "mips_o32", "mips", little=False, multiplexed=True),
    Architecture("SCMP_ARCH_MIPSEL", 8 | _LITTLE, 32, "mips_o32", "mipsel", multiplexed=True),
    Architecture("SCMP_ARCH_MIPS64", 8 | _64_BIT, 64, "mips_n64", "mips64", little=False),
    Architecture("SCMP_ARCH_MIPSEL64", 8 | _64_BIT | _LITTLE, 64, "mips_n64", "mipsel64"),
    Architecture(
        "SCMP_ARCH_MIPS64N32", 8 | _64_BIT | _N32, 32, "mips_n32", "mips64n32", little=False
    ),
    Architecture(
        "SCMP_ARCH_MIPSEL64N32", 8 | _64_BIT | _LITTLE | _N32, 32, "mips_n32", "mipsel64n32"
    ),
)
ARCHITECTURES = {one.name: one for one in _ALL}

# What a kernel of each takes besides its own (moby's profiles/seccomp, archMap).
COMPANIONS = (
    ("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86", "SCMP_ARCH_X32")),
    ("SCMP_ARCH_AARCH64", ("SCMP_ARCH_ARM",)),
    ("SCMP_ARCH_MIPS64", ("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32")),
    ("SCMP_ARCH_MIPS64N32", ("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64")),
    ("SCMP_ARCH_MIPSEL64", ("SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32")),
    ("SCMP_ARCH_MIPSEL64N32", ("SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64")),
    ("SCMP_ARCH_S390X", ("SCMP_ARCH_S390",)),
)
