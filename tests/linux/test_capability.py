"""Capability sets, read back from /proc/self/status, inside a user namespace or as root."""

from __future__ import annotations

import pytest

from rootgen.linux import capability
from tests.linux.contained import run_python


def test_names() -> None:
    """The names stand at the kernel's own numbers (linux/capability.h)."""
    assert capability.mask(["CHOWN"]) == 1
    assert capability.mask(["SYS_ADMIN", "SYS_ADMIN"]) == 1 << 21
    assert capability.mask(["MKNOD"]) == 1 << 27
    assert capability.mask(["CHECKPOINT_RESTORE"]) == 1 << 40
    with pytest.raises(KeyError):
        capability.mask(["NONE_SUCH"])


def test_drop() -> None:
    """The sets become those that were asked for, and cannot be had back by exec."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWPID)
        kept = capability.mask(["CHOWN", "SETPCAP", "SETFCAP"])
        now(capability.record_bounding, kept)
        now(capability.record_no_ambient)
        now(capability.record_all, kept)
        print(f"{kept:016x}", f"{capability.effective():016x}", flush=True)
        os.execlp("sh", "sh", "-c", "grep Cap /proc/self/status")
        """
    )
    kept = f"{1 | 1 << 8 | 1 << 31:016x}"
    none = f"{0:016x}"
    assert lines[0].split() == [kept, kept]
    assert dict(line.split() for line in lines[1:]) == {
        "CapInh:": none,
        "CapPrm:": kept,
        "CapEff:": kept,
        "CapBnd:": kept,
        "CapAmb:": none,
    }


def test_not_permitted() -> None:
    """What was given up cannot be taken again."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWPID)
        now(capability.record_all, 0)
        print(failure(now, capability.record_all, 1), failure(now, capability.record_bounding, 0))
        """
    )
    assert lines == ["EPERM EPERM"]
