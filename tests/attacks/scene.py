"""The ground of one attack: a tree with the attack programs in it, and a host with a secret."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.launchers import Request
from tests.attacks.outcome import Done
from tests.sandbox.tree import build_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tests.attacks.launchers import Launcher

_SOURCES = Path(__file__).with_name("programs")
_PATIENCE = 20.0
_NO_REQUEST = Request()


class Scene:
    """A tree and a host beside it; a context manager that removes them."""

    def __init__(self) -> None:
        """Make the tree, the attack programs in it, and the host's secret."""
        self.place = Path(tempfile.mkdtemp(prefix="attack-"))
        self.place.chmod(0o755)
        self.tree = build_tree(self.place / "tree")
        shutil.copy(programs(), self.tree / "bin/attack")
        self.host = self.place / "host"
        self.host.mkdir()
        self.token = secrets.token_hex(16)
        self.secret = self.host / "secret"
        self.secret.write_text(self.token)

    def __enter__(self) -> Scene:
        """Return the scene itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it all; nothing of it is mounted any more."""
        # What a mapped user made, an ordinary user cannot remove.
        shutil.rmtree(self.place, ignore_errors=os.geteuid() != 0)

    def run(
        self,
        launcher: Launcher,
        *command: str,
        program: str = "/bin/attack",
        request: Request = _NO_REQUEST,
        before: Sequence[str] = (),
        fds: Sequence[int] = (),
        stdin: int = subprocess.DEVNULL,
        meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None,
        patience: float = _PATIENCE,
    ) -> Done:
        """Launch ``PROGRAM COMMAND…``, and wait for the end; ``before`` is what starts it."""
        line = [*before, *launcher.command_line(self.tree, [program, *command], request)]
        # Files, not pipes: what outlives the launch must not keep us waiting for its end.
        output, errors = self.place / "stdout", self.place / "stderr"
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                line,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=tuple(fds),
                start_new_session=True,
            )
        status: int | None = None
        try:
            if meanwhile is not None:
                meanwhile(process)
            status = process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return Done(_text(output.read_bytes()), _text(errors.read_bytes()), status)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


@cache
def programs() -> Path:
    """Compile the attack programs, once; return the one file that has them all."""
    return _compile("attack", sorted(set(_SOURCES.glob("*.c")) - {_SOURCES / "loader.c"}), [])


@cache
def loader() -> Path:
    """Compile what stands in place of a dynamic loader; linked where no program is."""
    options = [
        "-nostdlib",
        "-ffreestanding",
        "-fno-stack-protector",
        "-Wl,-Ttext-segment=0x70000000",
    ]
    return _compile("loader", [_SOURCES / "loader.c"], options)


def _compile(name: str, sources: Sequence[Path], options: Sequence[str]) -> Path:
    target = Path(tempfile.mkdtemp(prefix="attack-programs-")) / name
    line = ["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", *options, "-o", str(target)]
    subprocess.run([*line, *map(str, sources)], check=True)
    return target
