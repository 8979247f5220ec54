"""Command lines in a fresh process, as a shell would start them."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE = "import sys; sys.argv[0] = 'rootgen'; from rootgen.cli import main; main()"


def start(*arguments: str | bytes, **options: object) -> subprocess.Popen[bytes]:
    """Start ``rootgen ARGUMENTS`` with pipes for what ``options`` do not say."""
    streams: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command: list[str | bytes] = [sys.executable, "-c", CODE, *arguments]
    return subprocess.Popen(command, **{**streams, **options})  # type: ignore[call-overload,no-any-return]


def run(*arguments: str | bytes, **options: object) -> tuple[int, str, str]:
    """Return the exit status, standard output and standard error of ``rootgen ARGUMENTS``."""
    with start(*arguments, **options) as process:
        output, errors = process.communicate(timeout=60)
    return process.returncode, (output or b"").decode(), (errors or b"").decode()


def in_terminal(*arguments: str, environment: Mapping[str, str]) -> str:
    """Return what ``rootgen ARGUMENTS`` writes to a terminal."""
    ours, theirs = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    with start(
        *arguments, stdout=theirs, stderr=theirs, env={**inherited, **environment}
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 65536):
                written += part
        except OSError:
            pass  # EIO: the other side is closed
        process.wait(timeout=60)
    os.close(ours)
    return written.decode()
