"""The first process of an initramfs: its bytes, and what it does, run as one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import rootgen.image.initramfs as module
from rootgen.errors import PlanError
from rootgen.image.initramfs import Start, with_init
from rootgen.plan.entry import Inline
from tests.layer.archives import directory, file, plan, symlink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.plan.plan import Plan

X86_64 = 62
_SOURCE = Path(module.__file__).parent / "init"


def init_of(made: Plan) -> bytes:
    """Return the program that was added."""
    content = made["/init"].content
    assert isinstance(content, Inline)
    return content.data


def test_code_is_of_its_source(tmp_path: Path) -> None:
    """The bytes beside the assembler source are what the assembler makes of it."""
    subprocess.run(["as", "--64", "-o", tmp_path / "o", _SOURCE / "x86_64.s"], check=True)
    subprocess.run(
        ["objcopy", "-O", "binary", "-j", ".text", tmp_path / "o", tmp_path / "code"], check=True
    )
    written = bytes.fromhex((_SOURCE / "x86_64.hex").read_text())
    assert written == (tmp_path / "code").read_bytes()


def test_places() -> None:
    """What it mounts on, and the console that the kernel opens, are added where they lack."""
    made = with_init(plan(directory("/proc", 0o555)), Start("/x", ("x",)), X86_64)
    assert made["/proc"].mode == 0o555
    assert [path for path in made if path not in {"/", "/proc"}] == [
        "/dev", "/dev/console", "/dev/null", "/init", "/run", "/sys",
    ]  # fmt: skip
    assert made["/dev/console"].device == (5, 1)
    linked = with_init(plan(symlink("/dev", "x")), Start("/x", ("x",)), X86_64)
    assert "/dev/console" not in linked


def test_other_machines() -> None:
    """For a machine without one it says what to do."""
    with pytest.raises(PlanError, match="no /init of ours for machine 183") as raised:
        with_init(plan(), Start("/x", ("x",)), 183)
    assert "of its own" in raised.value.hint


def test_well_formed(tmp_path: Path) -> None:
    """Readelf has nothing to complain of."""
    (tmp_path / "init").write_bytes(init_of(with_init(plan(), Start("/x", ("x",)), X86_64)))
    done = subprocess.run(
        ["readelf", "-hl", tmp_path / "init"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "0x400078" in done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with busybox, in which /sys is none: the host's console is not for a test."""
    tmp_path.chmod(0o755)
    (tmp_path / "bin").mkdir()
    data = Path("/bin/busybox").read_bytes()
    (tmp_path / "bin/busybox").write_bytes(data)
    (tmp_path / "bin/busybox").chmod(0o755)
    (tmp_path / "sys").touch()
    (tmp_path / "dev").mkdir()
    (tmp_path / "proc").mkdir()
    (tmp_path / "work").mkdir()
    return tmp_path


def start(root: Path, script: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Start a script as an initramfs would, in namespaces of its own."""
    wanted = Start("/bin/busybox", ("sh", "-c", script))._replace(**more)  # type: ignore[arg-type]
    (root / "init").write_bytes(init_of(with_init(plan(file("/x")), wanted, X86_64)))
    (root / "init").chmod(0o755)
    line = ["unshare", "--fork", "--pid", "--mount", "--ipc", "chroot", str(root), "/init"]
    return subprocess.run(line, capture_output=True, text=True, timeout=60)


@pytest.mark.root
def test_started(root: Path) -> None:
    """The program is a child in a session of its own, with /proc and /dev, as who and where said.

    When it has ended the first process powers off: in a PID namespace that
    is SIGINT for whoever waits (reboot(2)).
    """
    script = (
        "busybox id -u; busybox id -G; busybox pwd; echo $A $0; echo $PPID; "
        "busybox grep -c ' /proc proc ' /proc/mounts; busybox ls /dev/null /dev/pts/ptmx; "
        "busybox cut -d ' ' -f 6 /proc/self/stat; echo $$"
    )
    environment: Mapping[str, str] = {"A": "b c", "PATH": "/bin"}
    done = start(
        root, script, uid=5, gid=6, groups=(7, 8), workdir="/work",
        environment=tuple(environment.items()),
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[:4] == ["5", "6 7 8", "/work", "b c sh"], done.stderr
    assert lines[4:8] == ["1", "1", "/dev/null", "/dev/pts/ptmx"]
    session, own = lines[8:]
    assert session == own
    assert done.returncode in {-2, 130}


@pytest.mark.root
def test_orphans_are_collected(root: Path) -> None:
    """What is orphaned is collected, and does not end the machine; what is left is no zombie."""
    script = (
        "(busybox sleep 0.1 & ) ; busybox sleep 0.6; "
        "busybox grep -l 'State:.Z' /proc/[0-9]*/status; echo done"
    )
    done = start(root, script, environment=(("PATH", "/bin"),))
    assert done.stdout == "done\n"


@pytest.mark.root
@pytest.mark.parametrize("more", [{"path": "/bin/no"}, {"workdir": "/no"}])
def test_cannot_start(root: Path, more: dict[str, str]) -> None:
    """What cannot be started is said on the console."""
    done = start(root, "echo no", **more)
    assert done.stderr == f"init: cannot start {more.get('path', '/bin/busybox')}\n"
    assert done.stdout == ""
