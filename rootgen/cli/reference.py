"""Every ``--help`` as one page: ``python -m rootgen.cli.reference > docs/cli-reference.md``.

A test compares the page with the commands.
"""

from __future__ import annotations

import sys

import click

from rootgen.cli.with_click import root
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 90
_HEAD = """\
# Commands

What each command says with `--help`. This page is written by
`python -m rootgen.cli.reference`; change the help of a command instead.

Exit status: 0 done; 1 it failed, or a check found something; 2 wrong usage; 130 on Ctrl-C. `run`
and `shell` exit with the program's own status, with 125 where rootgen failed, 126 where the command
cannot be executed, 127 where it is not there, 128 + n where signal n ended it. What was to be
printed and could not be (a full disk, a closed standard output) is a failure; a message on standard
error that could not be written changes no status, and a note about a launch waits for its reader
for 1 s at most.
"""


def render() -> str:
    """Return the page."""
    return "".join(f"{section}\n" for section in (_HEAD, *_sections(root(), "rootgen")))


def helps(command: click.Command, path: str) -> Iterator[tuple[str, str, click.Command]]:
    """Return every command beneath ``command``, itself first: its path, its help, itself."""
    context = click.Context(
        command, info_name=path, terminal_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    # Since 8.2 click brackets the command of a group that can do without one.
    text = command.get_help(context).replace(" [COMMAND] [ARGS]", " COMMAND [ARGS]")
    yield path, text, command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from helps(below, f"{path} {name}")


def _sections(command: click.Command, path: str) -> Iterator[str]:
    for name, text, _ in helps(command, path):
        lines = "\n".join(line.rstrip() for line in text.splitlines())
        yield f"## `{name}`\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    sys.stdout.write(render())
