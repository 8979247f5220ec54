"""Launches through the Python API, in a process of its own: it must have one thread only."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.api.run import RunRequest

_PRELUDE = """
import sys
from rootgen.api.run import RunRequest, run
from rootgen.errors import LaunchError
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.options import *
"""
_RUN = """
try:
    status = run({request!r}, tell=print)
except LaunchError as error:
    print(error.what, error.why, error.hint, file=sys.stderr)
    status = error.exit_status
sys.exit(status)
"""


def run_python(body: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run some lines of Python that have ``run``, ``RunRequest`` and what a request is made of."""
    return subprocess.run(
        [sys.executable, "-c", _PRELUDE + body, *arguments],
        capture_output=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def run_request(request: RunRequest, before: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run a request, after some lines of Python; its values are written out as Python."""
    return run_python(before + _RUN.format(request=request))


def output_of(request: RunRequest, before: str = "") -> str:
    """Return what a request that must succeed prints, stripped."""
    done = run_request(request, before)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()
