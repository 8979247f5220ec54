"""The guest itself, and what only a machine of our own shows: a root that no pivot moves."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.guest import boot

if TYPE_CHECKING:
    from pathlib import Path

# chroot(2), "NOTES": who may call it gets out of it, with the working directory left outside.
_ESCAPE = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    int here = open(".", O_RDONLY);
    mkdir("/tmp/below", 0755);
    mkdir("below", 0755);
    if (chroot("below") && chroot("/tmp/below"))
        perror("chroot");
    if (fchdir(here))
        perror("fchdir");
    for (int step = 0; step < 64; step++)
        if (chdir(".."))
            perror("chdir");
    if (chroot("."))
        perror("chroot");
    puts(access("guest/settings", F_OK) ? "contained" : "escaped");
}
"""
_TELLS = "rootgen: pivot_root is refused here; the root was changed by chroot"


@pytest.fixture
def escape(tmp_path: Path) -> bytes:
    """Compile a program that leaves a chroot."""
    (tmp_path / "escape.c").write_text(_ESCAPE)
    command = ["gcc", "-static", "-o", str(tmp_path / "escape"), str(tmp_path / "escape.c")]
    subprocess.run(command, check=True, timeout=60)
    return (tmp_path / "escape").read_bytes()


def test_initramfs(escape: bytes) -> None:
    """In an initramfs pivot_root is refused; what stands in for it holds, for whoever runs it."""
    results = boot(
        {
            "naive": "unshare --mount chroot /tree /bin/escape",
            "naive-user": "as_user unshare --map-root-user --mount chroot /tree /bin/escape",
            "ours": "rootgen run /tree -- escape",
            "ours-user": "as_user rootgen run /tree -- escape",
            "asked": "rootgen run --pivot pivot_root /tree -- true",
            "mounts": "rootgen run /tree -- sh -c 'grep -c guest /proc/mounts; ls /'",
        },
        root="initramfs",
        files={"tree/bin/escape": escape},
        cgroups="none",
    )
    for name in ("naive", "naive-user"):
        assert results[name].output.splitlines()[-1] == "escaped", results[name]
    for name in ("ours", "ours-user"):
        assert results[name].output.splitlines()[-1] == "contained", results[name]
        assert _TELLS in results[name].output
        assert "chroot: Operation not permitted" in results[name].output
    assert results["asked"].status == 125
    assert "cannot change the root with pivot_root" in results["asked"].output
    assert "guest" not in results["mounts"].output.split()


def test_a_guest_that_fails() -> None:
    """What went wrong on the way is told: nothing is taken for a result that is none."""
    with pytest.raises(AssertionError, match=r"(?s)did not come to its end.*reboot: Restarting"):
        boot({"early": "reboot -f; sleep 60"}, cgroups="none")
