"""What --explain says of /proc/sys, put to the kernel: whose each file is."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.sandbox.explain.kernel import GLOBAL, OWN
from tests.sandbox.tree import build_tree, launch

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = {"uts": "--uts", "ipc": "--ipc", "net": "--net", "user": "--user"}
# Never as the host's root, who may write everybody's: a test that is wrong must not do so.
_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
_WRITE = 'echo "$2" >"$1" && cat "$1"'
# The names of a machine are changed by calls: the files take them from the host's root alone.
_NAME = '"${1##*/}" "$2" && cat "$1"'


def _inside(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root of a user namespace of an ordinary user."""
    become = _NOBODY if os.geteuid() == 0 else []
    line = [*become, "unshare", "--map-root-user", *command]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _other(file: str, value: str) -> str:
    if file.endswith("name"):
        return "another"
    first, *rest = value.split()
    return " ".join([str(int(first) - 1 if int(first) > 0 else 1), *rest])


@pytest.mark.parametrize(
    ("namespace", "file"), [(name, file) for name, files in OWN.items() for file in files]
)
def test_own(namespace: str, file: str) -> None:
    """What is said to be a namespace's own can be changed there, and the host's stays."""
    path = f"/proc/sys/{file}"
    before = _read(path)
    fresh = _inside(_FLAGS[namespace], "cat", path)
    assert fresh.returncode == 0, fresh.stderr
    wanted = _other(file, fresh.stdout)
    script = _NAME if namespace == "uts" else _WRITE
    done = _inside(_FLAGS[namespace], "sh", "-c", script, "sh", path, wanted)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == wanted.split()
    assert _read(path) == before


def test_global() -> None:
    """What is said to be everybody's may not be written by the root of a user namespace.

    Opened for writing, and nothing written. Not every kernel has every file.
    """
    there = [f"/proc/sys/{file}" for file in GLOBAL if os.path.exists(f"/proc/sys/{file}")]
    assert len(there) > 5
    for path in there:
        done = _inside("--uts", "--ipc", "--net", "sh", "-c", ': >>"$1"', "sh", path)
        assert done.returncode != 0, path
        assert "ermission denied" in done.stderr


def test_read_only(tmp_path: Path) -> None:
    """Neither can be opened for writing in a launch, by whoever launched it."""
    tree = build_tree(tmp_path / "tree")
    files = [*GLOBAL, *(file for files in OWN.values() for file in files)]
    files = [file for file in files if os.path.exists(f"/proc/sys/{file}")]
    script = "".join(f"(: >>/proc/sys/{file}) && echo {file};" for file in files)
    done = launch(tree, "sh", "-c", script)
    assert done.stdout == b""
    refused = done.stderr.decode().splitlines()
    assert len(refused) == len(files)
    # Who is no root of the host is refused before the mount is looked at, and in user/ anyone is.
    others = [line for line in refused if "/proc/sys/user/" not in line]
    assert len(others) > len(GLOBAL) // 2
    expected = ("Read-only file system", "Permission denied")[: 1 if os.geteuid() == 0 else 2]
    assert all(line.endswith(expected) for line in others), refused


def test_told(tmp_path: Path) -> None:
    """The lesson is in what --explain prints, of the namespaces that the launch has."""
    tree = build_tree(tmp_path / "tree")
    told = launch(tree, "true", options=["--explain"]).stdout.decode()
    assert "kernel.core_pattern" in told
    assert "net.ipv4.ip_forward" in told
    host = launch(tree, "true", options=["--explain", "--net", "host"]).stdout.decode()
    assert "net.ipv4.ip_forward" not in host
