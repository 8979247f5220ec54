"""An initramfs of ours, booted by Debian's kernel under emulation, to a shell and down again."""

from __future__ import annotations

import glob
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.people.command import succeed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SECONDS = 240
_MACHINE = (
    *("qemu-system-x86_64", "-m", "512", "-accel", "tcg", "-cpu", "max", "-nodefaults"),
    *("-no-reboot", "-display", "none", "-serial", "stdio"),
)
_TYPED = "tty; cat /proc/mounts; jobs; echo $((6 * 7)) $HOME; ps -o args= -p 1; exit\n"


@pytest.fixture(name="kernel", scope="module")
def _kernel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return Debian's kernel for virtual machines."""
    place = tmp_path_factory.mktemp("kernel")
    listed = subprocess.run(
        ["apt-cache", "depends", "linux-image-cloud-amd64"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    package = next(line.split()[-1] for line in listed.stdout.splitlines() if "Depends:" in line)
    subprocess.run(["apt-get", "download", "-qq", package], cwd=place, check=True)
    (archive,) = glob.glob(f"{place}/*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, place], check=True)
    (image,) = glob.glob(f"{place}/boot/vmlinuz-*")
    return image


@pytest.mark.long
@pytest.mark.root
@pytest.mark.parametrize("compress", ["none", "gzip", "zstd"])
def test_boot(
    kernel: str, tmp_path: Path, compress: str, record_property: Callable[[str, object], None]
) -> None:
    """A shell with the console as its terminal; what is mounted; the power off when it ends."""
    tree, image = str(tmp_path / "rootfs"), str(tmp_path / "initrd")
    succeed("make", "bash", "cat", "tty", "ps", "--out", tree)
    succeed("pack", tree, "--to", "cpio", "--compress", compress, image)
    begun = time.monotonic()
    machine = [*_MACHINE, "-kernel", kernel, "-initrd", image]
    with subprocess.Popen(
        [*machine, "-append", "console=ttyS0 panic=-1 quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
    ) as guest:  # fmt: skip
        assert guest.stdin is not None
        assert guest.stdout is not None
        said = b""
        while b"# " not in said:
            more = guest.stdout.read(1000)
            assert more, said
            assert time.monotonic() < begun + _SECONDS, said
            said += more
        prompt = time.monotonic() - begun
        guest.stdin.write(_TYPED.encode())
        said += guest.communicate(timeout=_SECONDS)[0]
    text = said.decode(errors="replace").replace("\r", "")
    assert guest.returncode == 0, text
    assert "no job control" not in text
    lines = text.splitlines()
    assert "/dev/ttyS0" in lines
    assert "42 /root" in lines
    assert "/init" in lines
    for place in ("/proc proc", "/sys sysfs", "/dev devtmpfs", "/dev/pts devpts", "/run tmpfs"):
        assert any(f" {place} " in line for line in lines), place
    assert "reboot: Power down" in text
    record_property("figure", f"initramfs ({compress}): at a prompt after {prompt:.1f} s")
