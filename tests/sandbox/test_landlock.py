"""The second wall: what is not beneath the new root cannot be opened, whatever leads there."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from rootgen.linux import landlock
from tests.sandbox.probe import build_probe
from tests.sandbox.tree import command_line, launch, output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NONE = ["--seccomp", "none"]  # where programs may mount, Landlock does not look after files


def test_kernel_has_it() -> None:
    """These tests mean something."""
    assert landlock.version() >= 2


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Make a directory of the host with a secret in it."""
    directory = tmp_path / "host"
    (directory / "within").mkdir(parents=True)
    (directory / "secret").write_text("secret\n")
    return directory


def _with_input(
    tree: Path, path: Path, script: str, options: Sequence[str] = ()
) -> tuple[int, str]:
    """Run a script with a file of the host as its input; return its status and all it said."""
    line = command_line(tree, "sh", "-c", script, options=options)
    with open(path, "rb") as file:
        done = subprocess.run(
            line, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    return done.returncode, done.stdout


# A directory as a stream is refused (tests/api/test_launched.py): this is the wall behind that.
_IN_A_DIRECTORY = """
import os, sys
os.dup2(os.open(sys.argv.pop(1), os.O_RDONLY), 0)
from rootgen.sandbox import start
start._check_streams = lambda streams: None
from rootgen.cli import main
main()
"""


@pytest.mark.parametrize("way", ["/proc/self/fd/0/secret", "/proc/self/fd/0/within/../secret"])
def test_directory_as_a_stream(tree: Path, host: Path, way: str) -> None:
    """A directory of the host that is a stream leads nowhere; with a naive launcher: outside."""
    for options, expected in ((NONE, "secret\n"), ([], "")):
        line = command_line(tree, "cat", way, options=options)[1:]
        command = [sys.executable, "-c", _IN_A_DIRECTORY, str(host), *line]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.stdout == expected, done.stderr
    assert "Permission denied" in done.stderr


def test_input_is_read_again(tree: Path, host: Path) -> None:
    """/dev/stdin opens a file that is standard input, as it is outside."""
    script = "cat /dev/stdin; cat /proc/self/fd/0"
    assert _with_input(tree, host / "secret", script) == (0, "secret\nsecret\n")


def test_input_is_not_written(tree: Path, host: Path) -> None:
    """But not for more than it was opened for: else root inside writes a file it was to read."""
    assert _with_input(tree, host / "secret", "echo spoilt >/dev/stdin", NONE) == (0, "")
    assert (host / "secret").read_text() == "spoilt\n"
    for script in ("echo again >/dev/stdin", "echo again >>/dev/stdin"):
        status, said = _with_input(tree, host / "secret", script)
        assert status != 0
        assert "Permission denied" in said
    assert (host / "secret").read_text() == "spoilt\n"


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_output_is_written(tree: Path, host: Path, name: str) -> None:
    """Programs that log to /dev/stdout or /dev/stderr do."""
    with open(host / "log", "w", encoding="utf-8") as log:
        line = command_line(tree, "sh", "-c", f"echo one >>/dev/{name}")
        streams = (log, subprocess.PIPE) if name == "stdout" else (subprocess.PIPE, log)
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=streams[0], stderr=streams[1], timeout=60
        )
    assert done.returncode == 0
    assert (host / "log").read_text() == "one\n"


def test_files_of_the_tree(tree: Path, tmp_path: Path) -> None:
    """Within the tree, what is mounted in it and bound to it, all is as without."""
    (tmp_path / "bound").mkdir()
    script = (
        "mkdir /tmp/a /tmp/b && echo x >/tmp/a/x && mv /tmp/a/x /tmp/b/x && ln /tmp/b/x /tmp/a/y "
        "&& ln -s /tmp/b/x /tmp/z && cat /tmp/z && echo y >/mnt/y && rm /mnt/y && mkfifo /tmp/f "
        "&& cat /proc/self/comm && echo z >/dev/null && head -c 1 /dev/zero | wc -c "
        "&& truncate -s 0 /tmp/b/x && ls /sys >/dev/null && exec 3<>/dev/ptmx && stty -F /dev/ptmx"
    )
    options = ["--bind", f"{tmp_path}/bound:/mnt", "--tmpfs", "/tmp"]
    for name in ("mkfifo", "truncate"):
        (tree / "bin" / name).symlink_to("busybox")
    naive = launch(tree, "sh", "-c", script, options=[*options, *NONE])
    done = launch(tree, "sh", "-c", script, options=options)
    assert naive.returncode == 0, naive.stderr
    assert (done.returncode, done.stdout, done.stderr) == (0, naive.stdout, naive.stderr)


def test_left_out_where_it_would_forbid_mounts(tree: Path) -> None:
    """A program that may mount can; explained, with the reason."""
    options = ["--cap-add", "SYS_ADMIN"]
    assert output(tree, "sh", "-c", "mount -t tmpfs x /tmp && echo y", options=options) == "y"
    text = launch(tree, "true", options=["--explain", *options]).stdout
    assert b"Landlock is left out: it forbids all mounts" in text
    assert b"Landlock, a second wall" in launch(tree, "true", options=["--explain"]).stdout


def test_mounts_stay(tree: Path, tmp_path: Path) -> None:
    """Nothing is unmounted, also where a filter of the user's own forgot a way to."""
    profile = tmp_path / "profile.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW",'
        ' "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}'
    )
    script = "umount /dev/shm; umount -l /sys; unshare -Urm umount /dev/shm; ls /sys | wc -l"
    (tree / "bin/unshare").symlink_to("busybox")
    done = launch(tree, "sh", "-c", script, options=["--seccomp", str(profile)])
    assert done.stdout.strip() not in (b"", b"0"), done.stderr
    assert done.stderr.count(b"not permitted") == 3, done.stderr


def test_abstract_sockets(tree: Path) -> None:
    """With the caller's network its abstract sockets are still out of reach (CVE-2020-15257)."""
    probe = build_probe(tree / "bin/probe")
    name = f"rootgen-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen()
        naive = subprocess.run([probe, "connect", name], capture_output=True, text=True)
        assert naive.stdout == "connected\n"
        for options in ([], NONE, ["--cap-add", "SYS_ADMIN"]):
            line = ["--net", "host", *options]
            assert output(tree, "probe", "connect", name, options=line) == "EPERM"
        assert output(tree, "probe", "connect", name) == "ECONNREFUSED"


_REGISTERED = r"""
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf ':rootgen-test:M::#~rootgen::%s:F' "$1" >/proc/sys/fs/binfmt_misc/register
rm "$1.moved" 2>/dev/null || true
shift
exec "$@"
"""


def test_foreign_programs(tree: Path, tmp_path: Path) -> None:
    """What binfmt_misc runs with an interpreter of the host's (qemu-user) runs inside as well."""
    interpreter = build_probe(tmp_path / "interpreter")
    (tree / "bin/foreign").write_bytes(b"#~rootgen")
    (tree / "bin/foreign").chmod(0o755)
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _REGISTERED, "-"]
    line = [*within, str(interpreter), *command_line(tree, "foreign")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert done.stdout == "interpreted\n", done.stderr
    # The interpreter runs programs, and is not otherwise in reach: it cannot be written.
    assert interpreter.read_bytes()[:4] == b"\x7fELF"
