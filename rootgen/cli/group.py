"""A click group that imports a command when it is used, and not before.

``--help`` is written from the table; near misses are still suggested, which
click's own recipe for lazy groups loses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rootgen.named import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Named(NamedTuple):
    """Where a command is: its module, the attribute there, and one line of help."""

    module: str
    attribute: str
    help: str


class LazyGroup(click.Group):
    """A group over a table of commands."""

    def __init__(self, name: str, table: Mapping[str, Named], **attributes: object) -> None:
        """Take the table; the attributes are those of ``click.Group``."""
        super().__init__(name, **attributes)  # type: ignore[arg-type]
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table: the common ones first."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command ``cmd_name``; None where there is none."""
        del ctx
        named = self.table.get(cmd_name)
        if named is None:
            return None
        from importlib import import_module

        command = getattr(import_module(named.module), named.attribute)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` start with; a near miss is suggested."""
        name = args[0]
        if name not in self.table and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name[:64], self.table, n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, importing nothing."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, named.help) for name, named in self.table.items()])

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Complete command names from the table, options as click does."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=named.help)
            for name, named in self.table.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)
