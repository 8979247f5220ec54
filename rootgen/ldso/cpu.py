"""What a processor can do, as far as a loader's search depends on it.

The answer comes from ``/proc/cpuinfo`` of the root being read: the host's own
root has one, any other root has none, and gets the baseline.
"""

from __future__ import annotations

from rootgen.errors import SysrootError
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rootgen.sysroot.port import Sysroot

# x86-64 psABI, "Micro-Architecture Levels", each beyond the one before; by the names that
# /proc/cpuinfo has for them. glibc sysdeps/x86/get-isa-level.h.
_LEVELS = (
    ("x86-64-v2", "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"),
    ("x86-64-v3", "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave"),
    ("x86-64-v4", "avx512f avx512bw avx512cd avx512dq avx512vl"),
)
# glibc sysdeps/x86/cpu-features.c, update_active: what makes a platform of an Intel processor.
_HASWELL = frozenset("avx2 bmi1 bmi2 abm movbe popcnt".split())
_AVX512_1 = frozenset("avx512cd avx512bw avx512dq avx512vl".split())
_XEON_PHI = frozenset("avx512cd avx512er avx512pf".split())
_READ_LIMIT = 1 << 14


class Cpu(NamedTuple):
    """What a processor has beyond the baseline of its machine.

    ``levels`` are glibc-hwcaps subdirectories, best first; ``platform`` is a
    special AT_PLATFORM; ``capabilities`` are dl_hwcap's names.
    """

    levels: tuple[str, ...] = ()
    platform: str = ""
    capabilities: tuple[str, ...] = ()


BASELINE = Cpu()


def cpu_of_level(name: str) -> Cpu | None:
    """Return the processor of an x86-64 level (``x86-64-v3``); None for a name that is none."""
    names = [level for level, _ in _LEVELS]
    if name == "x86-64-v1":
        return BASELINE
    if name not in names:
        return None
    return Cpu(tuple(reversed(names[: names.index(name) + 1])))


def cpu_of_subdirectory(name: str, among: Iterable[str]) -> Cpu:
    """Return the least processor that takes the glibc-hwcaps subdirectory ``name``.

    It takes those of the same family (``x86-64-v``, ``power``, ``z``) with
    a smaller number as well, of the ones that there are: ``among``.
    """
    family, number = _family(name)
    levels = [
        (_family(one)[1], one)
        for one in {*among, name}
        if _family(one)[0] == family and _family(one)[1] <= number
    ]
    return Cpu(tuple(one for _, one in sorted(levels, reverse=True)))


def _family(name: str) -> tuple[str, int]:
    family = name.rstrip("0123456789")
    digits = name[len(family) :]
    return family, int(digits[:9]) if digits else 0


def read_cpu(sysroot: Sysroot) -> Cpu:
    """Return the processor that ``sysroot`` runs on; the baseline where it does not say."""
    try:
        found = sysroot.lookup("/proc/cpuinfo")
        if found is None:
            return BASELINE
        with sysroot.open(found.path) as file:
            text = file.pread(_READ_LIMIT, 0).decode("ascii", "replace")
    except SysrootError:
        # A root whose /proc holds something else says nothing of a processor.
        return BASELINE
    return parse_cpuinfo(text)


def parse_cpuinfo(text: str) -> Cpu:
    """Return what the first processor of a ``/proc/cpuinfo`` can do (proc_cpuinfo(5))."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    flags = frozenset(fields.get("flags", "").split())
    levels: list[str] = []
    for name, wanted in _LEVELS:
        if not flags.issuperset(wanted.split()):
            break
        levels.insert(0, name)
    platform = ""
    capabilities: tuple[str, ...] = ()
    if fields.get("vendor_id") == "GenuineIntel":
        if flags >= _AVX512_1:
            capabilities = ("avx512_1",)
        if flags >= _XEON_PHI:
            platform = "xeon_phi"
        elif flags >= _HASWELL:
            platform = "haswell"
    return Cpu(tuple(levels), platform, capabilities)
