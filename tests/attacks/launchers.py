"""Who launches: the naive one and rootgen; others in ``peers``. Each is a command line."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tests.sandbox.tree import ROOTGEN

if TYPE_CHECKING:
    from collections.abc import Sequence

NAIVE = str(Path(__file__).with_name("naive.py"))


class Request(NamedTuple):
    """What an attack asks of a launcher besides the command.

    ``bind`` is SRC:DEST; ``memory`` is in bytes. ``copy`` asks for a
    launcher whose own file, there, may be overwritten; ``terminal`` says
    that there is one.
    """

    bind: str = ""
    user: str = ""
    workdir: str = ""
    pids: int = 0
    memory: int = 0
    copy: str = ""
    terminal: bool = False
    pivot: bool = False  # of the naive launcher: it changes its root as containers do


class Launcher(Protocol):
    """One launcher."""

    @property
    def name(self) -> str:
        """Return its name, as in the table."""

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line; raise NoSuchOptionError for what it does not offer."""


class NoSuchOptionError(Exception):
    """A launcher does not offer what an attack goes through."""


class Naive:
    """tests/attacks/naive.py; in a user namespace where we are not root."""

    name = "naive"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line."""
        python = copy_of(os.path.realpath(sys.executable), request.copy)
        line = [python, NAIVE]
        for option, value in (
            ("--bind", request.bind),
            ("--user", request.user),
            ("--workdir", request.workdir),
        ):
            line += [option, value] if value else []
        line += ["--pivot", "yes"] if request.pivot else []
        if os.geteuid():
            line = ["unshare", "--user", "--map-root-user", "--map-auto", *line]
        return [*line, str(tree), *command]


class Chroot:
    """chroot(8) alone."""

    name = "naive"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:  # noqa: ARG002 - it has no options
        """Return the command line."""
        before = ["unshare", "--map-root-user"] if os.geteuid() else []
        return [*before, "chroot", str(tree), *command]


class Rootgen:
    """The launcher of this project."""

    name = "rootgen"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line of ``rootgen run``."""
        line = [*_program(request), "run"]
        for option, value in (
            ("--bind", request.bind),
            ("--user", request.user),
            ("--workdir", request.workdir),
            ("--pids", str(request.pids or "")),
            ("--memory", str(request.memory or "")),
        ):
            line += [option, value] if value else []
        return [*line, str(tree), "--", *command]


class Joining:
    """``rootgen exec``: the attack is what joins a launch that runs already."""

    name = "rootgen exec"

    def command_line(self, tree: Path, command: Sequence[str], request: Request) -> list[str]:
        """Return the command line; the launch that is joined starts before, and ends after."""
        line = _program(request)
        line += ["exec", *(["--workdir", request.workdir] if request.workdir else [])]
        runtime, name = str(tree.parent / "run"), tree.parent.name
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        start = [
            ROOTGEN,
            "run",
            "--detach",
            "--name",
            name,
            str(tree),
            "--",
            "/bin/sleep",
            "60",
        ]
        script = (
            f"export XDG_RUNTIME_DIR={runtime}; {shlex.join(start)} </dev/null >/dev/null || exit; "
            f'{shlex.join(line)} {name} -- "$@"; status=$?; '
            f"{ROOTGEN} stop {name} </dev/null >/dev/null; exit $status"
        )
        return ["sh", "-c", script, "sh", *command]


def _program(request: Request) -> list[str]:
    """Return what runs rootgen; a copy of its own file, which is Python's, where that is asked."""
    if not request.copy:
        return [ROOTGEN]
    # It finds its library where the other does.
    return [copy_of(os.path.realpath(sys.executable), request.copy), "-c", _AS_IN_VENV]


_AS_IN_VENV = f"""
import sys
sys.path[:0] = {[path for path in sys.path if path]!r}
from rootgen.cli import main
main()
"""


def copy_of(program: str, directory: str) -> str:
    """Return the path of a copy of a program in ``directory``; the program where that is empty."""
    if not directory:
        return program
    copied = os.path.join(directory, "launcher")
    if not os.path.exists(copied):
        shutil.copy(program, copied)
    return copied
