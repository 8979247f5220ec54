"""``rootgen run``."""

from __future__ import annotations

from typing import Any

import click

from rootgen.cli.launch import launch, launch_options


@click.command(
    short_help="Run one command in a root file system.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("root", metavar="ROOTFS")
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND [ARG]...",
                type=click.UNPROCESSED)  # fmt: skip
@launch_options
def run(root: str, words: tuple[str, ...], given: dict[str, Any]) -> int:
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
        raise click.UsageError(f"'{words[0]}' stands behind ROOTFS: options stand before it")
    command = words[1:] if words[0] == "--" else words
    if not command:
        raise click.UsageError("Missing argument 'COMMAND'.")
    return launch(root, command, given)
