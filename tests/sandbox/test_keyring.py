"""The keys of the caller's login stay outside."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.sandbox.probe import build_probe
from tests.sandbox.tree import command_line, launch

if TYPE_CHECKING:
    from pathlib import Path


def test_session_keyring_is_new(tree: Path) -> None:
    """A key of the caller's session is found without a launch, and not from inside of one."""
    probe = build_probe(tree / "bin/probe")
    with_key = [str(probe), "with-key"]
    naive = subprocess.run([*with_key, str(probe), "find-key"], capture_output=True, text=True)
    assert naive.stdout == "found\n", naive.stderr
    for options in (["--seccomp", "none"], ["--seccomp", "none", "--user", "app"]):
        line = command_line(tree, "probe", "find-key", options=options)
        done = subprocess.run([*with_key, *line], capture_output=True, text=True, timeout=60)
        assert done.stdout == "ENOKEY\n", done.stderr


def test_keys_of_its_own(tree: Path) -> None:
    """The program has a keyring that it can use, whoever it is, where its filter allows it."""
    build_probe(tree / "bin/probe")
    for user in ("root", "app"):
        options = ["--seccomp", "none", "--user", user]
        done = launch(tree, "probe", "with-key", "probe", "find-key", options=options)
        assert done.stdout == b"found\n", done.stderr


def test_no_call_at_all(tree: Path) -> None:
    """Under the default filter there is no calling for keys."""
    build_probe(tree / "bin/probe")
    assert launch(tree, "probe", "find-key").stdout == b"EPERM\n"
