"""The command lines of people: the installed console script, and what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOTGEN = str(Path(sys.executable).with_name("rootgen"))


def rootgen(
    *arguments: str,
    directory: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    seconds: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run ``rootgen`` with ``arguments``; return status and output as text."""
    done = subprocess.run(
        [ROOTGEN, *arguments],
        input=stdin,
        capture_output=True,
        cwd=directory,
        env={**os.environ, **(env or {})},
        timeout=seconds,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )


def succeed(*arguments: str, directory: Path | str | None = None) -> str:
    """Run ``rootgen`` with ``arguments``, which must succeed; return what it printed."""
    done = rootgen(*arguments, directory=directory)
    assert done.returncode == 0, done.stderr
    return done.stdout
