"""The processor as a loader sees it."""

from __future__ import annotations

import re
import subprocess

from rootgen.ldso.cpu import BASELINE, parse_cpuinfo, read_cpu
from rootgen.sysroot.directory import host
from rootgen.sysroot.memory import draw
from tests.truth.compiled import LOADER


def test_levels_of_this_machine() -> None:
    """The glibc-hwcaps levels are those that the real loader says it searches."""
    told = subprocess.run([LOADER, "--help"], capture_output=True, text=True, check=True).stdout
    theirs = re.findall(r"^  (x86-64-v\d) \(supported, searched\)$", told, re.MULTILINE)
    assert list(read_cpu(host()).levels) == theirs


def test_platform() -> None:
    """Only an Intel processor is haswell or xeon_phi (cpu-features.c)."""
    flags = "avx2 bmi1 bmi2 abm movbe popcnt"
    assert parse_cpuinfo(f"vendor_id : GenuineIntel\nflags : {flags}\n").platform == "haswell"
    assert parse_cpuinfo(f"vendor_id : AuthenticAMD\nflags : {flags}\n").platform == ""
    phi = "avx512cd avx512er avx512pf"
    assert parse_cpuinfo(f"vendor_id : GenuineIntel\nflags : {phi}\n").platform == "xeon_phi"


def test_no_processor() -> None:
    """A root without /proc is for the baseline."""
    assert read_cpu(draw("proc/")) == BASELINE
    assert read_cpu(draw("proc/\n  cpuinfo/")) == BASELINE
