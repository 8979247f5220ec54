"""A tree packed as a file system, as the root of a machine: booted by Debian's own kernel."""

from __future__ import annotations

import io
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.guest.cpio import Archive
from tests.guest.kernel import image, modules
from tests.people.command import succeed

_SECONDS = 300
_MACHINE = (
    *("qemu-system-x86_64", "-m", "512", "-accel", "tcg", "-cpu", "max", "-nodefaults"),
    *("-no-reboot", "-display", "none", "-serial", "stdio"),
)
_MODULES = ("virtio_pci", "virtio_blk", "squashfs", "erofs")
# What any distribution's initramfs does: drivers, the root's device, and on into that.
_INIT = """\
#!/busybox sh
/busybox mount -t devtmpfs dev /dev
while read -r module; do /busybox insmod "/modules/$module.ko"; done </modules/order
/busybox mount -t {kind} -o ro /dev/vda /root
exec /busybox switch_root /root /usr/bin/bash /srv/first
"""
# Process 1 of the root that was packed; all that it runs is in there.
_FIRST = """\
mount -t proc proc /proc; mount -t devtmpfs dev /dev
while read -r device place kind rest; do
    [ "$place" = / ] && echo "root: $device $kind"
done </proc/mounts
echo "first: $$ $(cat /proc/1/comm)"
ls -ln /srv/owned
{ echo x >/srv/new; } 2>/dev/null || echo "not to write"
git --version
sum=$(sha256sum </usr/bin/git); echo "git: ${sum%% *}"
echo o >/proc/sysrq-trigger
read -r forever
"""
_PROFILE = """\
rootgen: 1
name: machine
programs: [bash, ls, cat, mount, git, sha256sum]
users: [{name: app, uid: 70000, home: /home/app}]
files:
  - {path: /srv/first, from: ./first}
  - {path: /srv/owned, text: owned, owner: app, mode: "4750"}
"""


@pytest.mark.parametrize("kind", ["squashfs", "erofs"])
def test_boot(tmp_path: Path, kind: str) -> None:
    """Its own bash is process 1 on the packed root, which is the machine's, read-only; git runs."""
    (tmp_path / "first").write_text(_FIRST)
    (tmp_path / "p.yaml").write_text(_PROFILE)
    tree = tmp_path / "rootfs"
    succeed("make", "-f", str(tmp_path / "p.yaml"), "--out", str(tree))
    succeed("pack", str(tree), "--to", kind, str(tmp_path / "disk"))
    (tmp_path / "initrd").write_bytes(_initramfs(kind))
    done = subprocess.run(
        [
            *_MACHINE, "-kernel", str(image()), "-initrd", str(tmp_path / "initrd"),
            "-drive", f"file={tmp_path}/disk,format=raw,if=virtio,readonly=on",
            "-append", "console=ttyS0 panic=-1 quiet no_timer_check",
        ],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    said = done.stdout.decode(errors="replace").replace("\r", "")
    assert f"root: /dev/vda {kind}" in said, said
    assert "first: 1 bash" in said
    assert "-rwsr-x--- 1 70000 70000 5 " in said
    assert "not to write" in said
    assert "git version" in said
    summed = subprocess.run(
        ["sha256sum", tree / "usr/bin/git"], capture_output=True, text=True, check=True
    )
    assert f"git: {summed.stdout.split()[0]}" in said
    assert "reboot: Power down" in said


def _initramfs(kind: str) -> bytes:
    busybox = shutil.which("busybox")
    assert busybox is not None
    written = io.BytesIO()
    archive = Archive(written)
    for name in ("dev", "root", "modules"):
        archive.add(name, stat.S_IFDIR | 0o755)
    archive.add_file("busybox", Path(busybox).read_bytes())
    needed = modules(_MODULES)
    archive.add_file("modules/order", "".join(f"{name}\n" for name in needed).encode())
    for name, data in needed.items():
        archive.add_file(f"modules/{name}.ko", data)
    archive.add_file("init", _INIT.format(kind=kind).encode())
    archive.close()
    return written.getvalue()
