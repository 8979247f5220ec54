"""``rootgen run``."""

from __future__ import annotations

from rootgen.cli.command import Argument, Command, OptionError
from rootgen.cli.launch import LAUNCH_OPTIONS, launch
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def run(root: str, words: tuple[str, ...], **given: Any) -> int:
    """Run COMMAND in the tree ROOTFS, contained: it sees the tree and nothing of the host.

    \b
      rootgen run ./rootfs -- ls /
      rootgen run --bind ~/src:/src --workdir /src ./rootfs -- make
      rootgen run --memory 256M --pids 64 ./rootfs -- ./job
      rootgen run --explain ./rootfs -- true     what would be done, step by step

    Options stand before ROOTFS. The exit status is the program's own, 128+n
    where signal n killed it; 125 says that rootgen failed, 126 that COMMAND
    cannot be executed, 127 that ROOTFS does not have it. What the program
    writes is in the tree afterwards.
    """
    if words[0].startswith("-") and words[0] != "--":
        raise OptionError(f"'{words[0]}' stands behind ROOTFS: options stand before it")
    command = words[1:] if words[0] == "--" else words
    if not command:
        raise OptionError("Missing argument 'COMMAND'.")
    return launch(root, command, given)


COMMAND = Command(
    "run",
    "Run one command in a root file system.",
    run,
    (
        Argument("root", "ROOTFS"),
        Argument("words", "-- COMMAND [ARG]...", many=True),
        *LAUNCH_OPTIONS,
    ),
    interspersed=False,
)
