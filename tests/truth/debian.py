"""Packages of Debian for any architecture, downloaded by an apt of our own.

The machine's lists, settings and architectures stay as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def download(
    architectures: Sequence[str],
    packages: Sequence[str],
    scratch: str,
    suites: Sequence[str] = ("bookworm",),
) -> list[str]:
    """Download ``packages`` and what they depend on into ``scratch``; return the archives.

    ``suites`` are names for what will do, in order: a mirror that is being
    written may have lists of one that do not agree with what it signed.
    """
    refusals: list[str] = []
    for suite in suites:
        shutil.rmtree(scratch)
        environment = _configure(architectures, scratch, suite)
        refusal = _apt_get(environment, "update")
        if not refusal:
            refusal = _apt_get(environment, "-y", "--download-only", "install", *packages)
            assert not refusal, refusal
            archives = f"{scratch}/cache/archives"
            names = sorted(os.listdir(archives))
            return [f"{archives}/{name}" for name in names if name.endswith(".deb")]
        refusals.append(f"{suite}: {refusal}")
    raise AssertionError("\n".join(refusals))


def _apt_get(environment: dict[str, str], *arguments: str) -> str:
    """Run apt-get; return what it said where it failed, or else ""."""
    done = subprocess.run(
        # Without this a list that cannot be had is a warning.
        ["apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return (done.stderr or f"status {done.returncode}") if done.returncode else ""


def _configure(architectures: Sequence[str], scratch: str, suite: str) -> dict[str, str]:
    """Write apt's configuration for ``suite``; return the environment that names it."""
    for directory in ("state/lists/partial", "cache/archives/partial", "sources"):
        os.makedirs(os.path.join(scratch, directory))
    _write(f"{scratch}/state/status", "")
    _write(
        f"{scratch}/sources/debian.sources",
        f"Types: deb\nURIs: http://deb.debian.org/debian\nSuites: {suite}\nComponents: main\n"
        f"Architectures: {' '.join(architectures)}\nSigned-By: {_KEYRING}\n",
    )
    settings = {
        "Dir::State": f"{scratch}/state",
        "Dir::State::status": f"{scratch}/state/status",
        "Dir::Cache": f"{scratch}/cache",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{scratch}/sources",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": architectures[0],
        "APT::Architectures": ",".join(architectures),
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        # Of whom the list is matters here, not that it is of today.
        "Acquire::Check-Valid-Until": "false",
    }
    _write(
        f"{scratch}/apt.conf", "".join(f'{name} "{value}";\n' for name, value in settings.items())
    )
    return {**os.environ, "APT_CONFIG": f"{scratch}/apt.conf"}


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
