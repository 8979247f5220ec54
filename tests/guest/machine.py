"""The machine: QEMU without hardware's help, the results on its second serial line."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.guest.initramfs import write_boot
from tests.guest.kernel import image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MACHINE = "-accel tcg -cpu max -smp 2 -m 768 -nodefaults -no-reboot -display none".split()
# An emulator that is kept from its work fails the kernel's test of the timer, which then panics.
_QUIET = "console=ttyS0 panic=-1 quiet no_timer_check"


class Result(NamedTuple):
    """How a script ended, and what it printed on either stream."""

    status: int
    output: str


def boot(  # noqa: PLR0913 - a machine has many parts
    scripts: Mapping[str, str],
    *,
    profile: str = "guest",
    cgroups: str = "v2",
    root: str = "mounted",
    disk: int = 0,
    images: Sequence[bytes | Path] = (),
    modules: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    timeout: float = 600,
) -> dict[str, Result]:
    """Boot, run the scripts, power off; return each script's result.

    ``disk`` is in bytes, ``timeout`` in seconds; ``images`` are disks that cannot be written, in
    their order behind that one. A guest that does not come to
    its end fails the test, with what its console showed.
    """
    qemu = shutil.which("qemu-system-x86_64")
    assert qemu is not None, "qemu-system-x86_64 is not installed; tests/run installs it"
    with tempfile.TemporaryDirectory(prefix="rootgen-boot-") as scratch:
        place = Path(scratch)
        with (place / "initramfs").open("wb") as file:
            settings = {"CGROUPS": cgroups, "ROOT": root, "PROFILE": profile}
            write_boot(file, profile, scripts, settings, modules, files or {})
        command = [
            qemu, *_MACHINE, "-kernel", str(image()),
            "-initrd", f"{scratch}/initramfs", "-append", _QUIET,
            "-serial", f"file:{scratch}/console", "-serial", f"file:{scratch}/results",
        ]  # fmt: skip
        if disk:
            with (place / "disk").open("wb") as file:
                file.truncate(disk)
            command += ["-drive", f"file={scratch}/disk,format=raw,if=virtio"]
        for number, one in enumerate(images):
            path = place / f"image{number}"
            if isinstance(one, Path):
                path = one
            else:
                path.write_bytes(one)
            command += ["-drive", f"file={path},format=raw,if=virtio,readonly=on"]
        said = _run(command, timeout)
        results = _results(
            (place / "results").read_bytes() if (place / "results").exists() else b""
        )
        console = (place / "console").read_text(errors="replace")
    assert "end" in results, f"the guest did not come to its end: {said}\n{console[-4000:]}"
    del results["end"]
    return results


def _run(command: list[str], timeout: float) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it ran for {timeout} seconds"
    return done.stderr


def _results(data: bytes) -> dict[str, Result]:
    """Read ``NAME STATUS LENGTH`` lines, each with so many bytes behind it, as far as they go."""
    results: dict[str, Result] = {}
    while data:
        head, _, rest = data.partition(b"\n")
        fields = head.decode().split()
        if len(fields) != len(("name", "status", "length")) or len(rest) < int(fields[2]):
            break
        length = int(fields[2])
        results[fields[0]] = Result(int(fields[1]), rest[:length].decode("utf-8", "replace"))
        data = rest[length:]
    return results
