"""The subdirectories of a search directory that a processor's own libraries are in.

glibc elf/dl-hwcaps.c, ``_dl_important_hwcaps``: first those of glibc-hwcaps,
then, before 2.37, every combination of ``tls``, the platform and the
hardware capabilities that count.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.ldso.cpu import Cpu
    from rootgen.ldso.loader import Loader
    from rootgen.ldso.machine import Machine

DIRECTORY = "glibc-hwcaps"
# sysdeps/x86/dl-hwcap.h, sysdeps/generic/ldconfig.h: bits of an ld.so.cache record.
_TLS_BIT = 1 << 63
_PLATFORM_BITS = {"haswell": 1 << 50, "xeon_phi": 1 << 51}
_ALL_PLATFORM_BITS = 0xFF << 48
_CAPABILITY_BITS = {"sse2": 1 << 0, "x86_64": 1 << 1, "avx512_1": 1 << 2}
# dl-procinfo.h, HWCAP_IMPORTANT: aarch64, arm, s390x.
_CAPABILITY_BITS |= {"atomics": 1 << 8, "vfp": 1 << 6, "neon": 1 << 12, "zarch": 1 << 1}
_CAPABILITY_BITS |= {"ldisp": 1 << 4, "eimm": 1 << 5, "dfp": 1 << 6, "vx": 1 << 11}
_CAPABILITY_BITS |= {"vxe": 1 << 13, "vxe2": 1 << 15}


def first_components(cpu: Cpu, machine: Machine) -> tuple[str, ...]:
    """Return what a directory must have one of for any subdirectory of it to be searched."""
    names = ["tls", *_legacy_names(cpu, machine)]
    if cpu.levels:
        names.insert(0, DIRECTORY)
    return tuple(dict.fromkeys(names))


def subdirectories(cpu: Cpu, machine: Machine, loader: Loader) -> tuple[str, ...]:
    """Return the subdirectories in the order of the search, each once; not the directory itself."""
    found: dict[str, None] = {}
    if loader.searches_hwcaps():
        for level in cpu.levels:
            found[f"{DIRECTORY}/{level}"] = None
    if loader.searches_legacy():
        names = ["tls", *_legacy_names(cpu, machine)]
        # From all of them to none: the first name is the highest bit.
        for number in range((1 << len(names)) - 1, 0, -1):
            chosen = [
                name
                for bit, name in zip(range(len(names) - 1, -1, -1), names, strict=True)
                if number >> bit & 1
            ]
            found["/".join(chosen)] = None
    return tuple(found)


def usable(bits: int, cpu: Cpu, machine: Machine, loader: Loader) -> bool:
    """Tell whether a cache record with legacy hwcap ``bits`` counts (dl-cache.c, HWCAP_CHECK)."""
    if not loader.searches_legacy():
        return False
    capabilities = 0
    for name in (*machine.capabilities, *cpu.capabilities):
        capabilities |= _CAPABILITY_BITS.get(name, 0)
    if bits & ~(capabilities | _TLS_BIT | _ALL_PLATFORM_BITS):
        return False
    platform = bits & _ALL_PLATFORM_BITS
    return platform == 0 or platform == _PLATFORM_BITS.get(cpu.platform)


def _legacy_names(cpu: Cpu, machine: Machine) -> list[str]:
    """Return the platform, then the capabilities, the highest bit first."""
    names = [cpu.platform or machine.platform] if cpu.platform or machine.platform else []
    capabilities = {*machine.capabilities, *cpu.capabilities}
    return names + sorted(capabilities, key=lambda name: -_CAPABILITY_BITS.get(name, 0))
