"""click's commands, made of our definitions: for help, completion and mistakes.

``--help`` of a group is written from its table and imports no command; near
misses are still suggested, which click's own recipe for lazy groups loses.
"""

from __future__ import annotations

import inspect
import sys

import click

from rootgen import __version__
from rootgen.cli.command import Group, Option
from rootgen.cli.commands import COMMANDS
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rootgen.cli.command import Argument, Command, OptionError

_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Text(click.ParamType[object]):
    """A value that our option's own ``convert`` makes of it, whatever click thinks of such."""

    def __init__(self, option: Option) -> None:
        self.option = option
        self.name = option.kind

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        try:
            return self.option.convert(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Choice(click.Choice[str]):
    """As ``_Text``; help and completion have the choices."""

    def __init__(self, option: Option) -> None:
        super().__init__(option.choices)
        self.option = option

    # click.Choice says that it returns a string; our own option says what.
    convert = _Text.convert  # type: ignore[assignment]


class LazyGroup(click.Group):
    """A group over a table of commands, each imported when it is used, and not before."""

    def __init__(self, name: str, group: Group) -> None:
        """Make the group; what is beneath it stays where it is."""
        super().__init__(
            name,
            help=inspect.cleandoc(group.text),
            short_help=group.help,
            callback=_without_command,
            invoke_without_command=True,
            context_settings=_SETTINGS,
        )
        self.table = group.table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table: the common ones first."""
        del ctx
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Make the command ``cmd_name``; None where there is none."""
        del ctx
        found = self.table.get(cmd_name)
        if found is None:
            return None
        return LazyGroup(cmd_name, found) if isinstance(found, Group) else made(found.load())

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
            formatter.write_dl([(name, found.help) for name, found in self.table.items()])

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[click.shell_completion.CompletionItem]:
        """Complete command names from the table, options as click does."""
        from click.shell_completion import CompletionItem

        commands = [
            CompletionItem(name, help=found.help)
            for name, found in self.table.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)


def made(command: Command) -> click.Command:
    """Return click's form of one of our commands."""
    return click.Command(
        command.name,
        params=[
            _option(one) if isinstance(one, Option) else _argument(one)
            for one in command.parameters
        ],
        callback=command.run,
        help=inspect.cleandoc(command.run.__doc__ or ""),
        short_help=command.summary,
        context_settings={"allow_interspersed_args": command.interspersed},
    )


def root() -> LazyGroup:
    """Return the whole command line."""
    group = LazyGroup("rootgen", COMMANDS)
    version = click.version_option(__version__, prog_name="rootgen", message="%(prog)s %(version)s")
    return version(group)


def run(words: Sequence[str]) -> int:
    """Read ``words`` and run what they name; return its exit status.

    Raises what the command raises, but for wrong usage, which is shown.
    """
    try:
        with root().make_context("rootgen", list(words)) as context:
            status = context.command.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        return _show(error)
    return status if isinstance(status, int) else 0


def show_error(words: Sequence[str], error: OptionError) -> int:
    """Tell what is wrong with the usage of the command that ``words`` begin with; return 2."""
    command: click.Command = root()
    context = click.Context(command, info_name="rootgen", **_SETTINGS)
    for word in words:
        below = command.get_command(context, word) if isinstance(command, click.Group) else None
        if below is None:
            break
        command = below
        context = click.Context(command, info_name=word, parent=context)
    return _show(click.UsageError(error.what, context))


def _show(error: click.ClickException) -> int:
    from io import StringIO

    from rootgen.cli.output import complain

    text = StringIO()
    error.show(text)
    complain(text.getvalue())
    return error.exit_code


@click.pass_context
def _without_command(context: click.Context) -> int:
    if context.invoked_subcommand is None:
        from rootgen.cli.output import complain

        complain(f"{context.get_help()}\n")
        return 2
    return 0


def _argument(one: Argument) -> click.Argument:
    return click.Argument(
        [one.name],
        metavar=one.metavar,
        nargs=-1 if one.many else 1,
        required=one.required,
        type=click.UNPROCESSED,
    )


def _option(one: Option) -> click.Option:
    attributes: dict[str, Any] = {"help": one.help}
    if one.kind in {"int", "float"}:
        attributes["help"] += f"  [{one.least}<=x<={one.most}]"
    if one.kind == "flag":
        attributes["is_flag"] = True
    else:
        attributes["type"] = _Choice(one) if one.kind == "choice" else _Text(one)
        attributes["metavar"] = one.metavar or None
        attributes["multiple"] = one.multiple
        attributes["show_default"] = one.shown
        if not one.multiple:
            attributes["default"] = one.default
    return click.Option([*one.flags, one.name], **attributes)
