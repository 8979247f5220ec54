"""The machine that a filter is for."""

from __future__ import annotations

from rootgen.named import NamedTuple

# What uname(2) says, and the architecture that the kernel's own calls are of. A personality may
# have it say i686 or armv8l on a kernel of 64 bits (setarch(8)): a filter for that takes both.
_OF_MACHINE = {
    "x86_64": "X86_64",
    "i386": "X86_64",
    "i486": "X86_64",
    "i586": "X86_64",
    "i686": "X86_64",
    "aarch64": "AARCH64",
    "armv8l": "AARCH64",
    "armv7l": "ARM",
    "armv6l": "ARM",
    "riscv64": "RISCV64",
    "loongarch64": "LOONGARCH64",
    "s390x": "S390X",
    "ppc64le": "PPC64LE",
    "ppc64": "PPC64",
}


class Machine(NamedTuple):
    """The kernel's own architecture by its OCI name, "" if it is unknown, and its version."""

    architecture: str
    kernel: tuple[int, int]


def machine_of(name: str, release: str, *, little: bool) -> Machine:
    """Return the machine of which uname(2) says ``name`` and ``release``."""
    if name in ("mips", "mips64"):
        bits = name.removeprefix("mips")
        word = f"MIPS{'EL' if little else ''}{bits}"
    else:
        word = _OF_MACHINE.get(name, "")
    major, _, rest = release.partition(".")
    minor = rest
    for place, character in enumerate(rest):
        if not character.isdecimal():
            minor = rest[:place]
            break
    version = (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
    return Machine(f"SCMP_ARCH_{word}" if word else "", version)
