"""A hundred programs in one tree: each starts inside as it does outside."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.people.command import rootgen, succeed
from tests.truth.test_loader_system import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WANTED = 100
# What would change the terminal, wait for a person, or is a service manager's.
_LEFT_OUT = {"reset", "tset", "clear", "login", "su", "runuser", "bwrap", "systemd"}
# Run inside once for all programs: what a program says of its version, and its status.
_EACH = """
while read -r program; do
    "$program" --version </dev/null >/tmp/out 2>&1 &
    pid=$!
    ( sleep 10; kill -9 $pid ) 2>/dev/null &
    watch=$!
    wait $pid; status=$?
    kill $watch 2>/dev/null
    read -r first </tmp/out
    echo "$status $program $first"
done
"""
# Exit statuses that mean: not executed, not found, killed (what lacks a library exits 127).
_NOT_STARTED = range(126, 256)
# The packages that every installation of the distribution has (Debian Policy 2.5): what else
# a machine has must not decide which programs are asked.
_EVERYWHERE = {"required", "important", "standard"}
# Of the hundred, how many must say inside what they say outside; the others want data files
# that ELF does not name (apt its configuration, groff its devices), and say so themselves.
_ALIKE = 90


def _everywhere() -> set[str]:
    """Return the files of the packages that every installation has, links on the way followed."""
    asked = ["dpkg-query", "--show", "--showformat", "${Priority} ${binary:Package}\n"]
    listed = subprocess.run(asked, stdout=subprocess.PIPE, check=True, text=True).stdout
    packages = [
        name
        for priority, name in (line.split(" ") for line in listed.splitlines())
        if priority in _EVERYWHERE
    ]
    files = subprocess.run(
        ["dpkg-query", "--listfiles", *packages], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    return {
        os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        for path in set(files.splitlines())
        if "/bin/" in path
    }


def _outside(program: str) -> tuple[int, str]:
    """Return status and first line of ``program --version`` outside."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"},
            cwd="/",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return done.returncode, done.stdout.decode("utf-8", "replace").partition("\n")[0].strip()


def _chosen() -> dict[str, str]:
    """Return programs that start here and the line they print: the same on every run."""
    everywhere = _everywhere()
    names = [
        path
        for path in programs()
        if path.startswith("/usr/bin/")
        and path in everywhere
        and not os.path.islink(path)
        and os.path.basename(path) not in _LEFT_OUT
    ]
    step = max(1, len(names) // (2 * _WANTED))
    order = [name for first in range(step) for name in names[first::step]]
    chosen: dict[str, str] = {}
    for name in order:
        status, line = _outside(name)
        if status == 0:
            chosen[name] = line
        if len(chosen) == _WANTED:
            break
    return chosen


def test_hundred(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Made together with --bare, each starts inside."""
    chosen = _chosen()
    assert len(chosen) == _WANTED
    out = str(tmp_path / "rootfs")
    tools = [name for name in ("/usr/bin/bash", "/usr/bin/sleep") if name not in chosen]
    succeed("make", "--bare", *chosen, *tools, "--out", out)
    (tmp_path / "each.sh").write_text(_EACH)
    done = rootgen(
        "run",
        "--bind",
        f"{tmp_path}/each.sh:/each.sh:ro",
        out,
        "--",
        "/usr/bin/bash",
        "/each.sh",
        stdin="\n".join([*chosen, ""]).encode(),
        seconds=600,
    )
    lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
    results = {program: (int(status), first.strip()) for status, program, first in lines}
    alike = [program for program in results if results[program] == (0, chosen[program])]
    broken = {one: result for one, result in results.items() if result[0] in _NOT_STARTED}
    record_property(
        "figure",
        f"{len(results) - len(broken)} of {len(chosen)} programs started in one tree, "
        f"{len(alike)} saying what they say outside",
    )
    assert sorted(results) == sorted(chosen), done.stderr
    assert not broken
    assert len(alike) >= _ALIKE, {one: results[one] for one in results if one not in alike}
