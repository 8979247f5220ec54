"""Help is documentation: everything has it, and reading it costs nothing."""

from __future__ import annotations

import re

import click
import pytest

from rootgen.cli.commands import COMMANDS
from rootgen.cli.with_click import root
from tests.cli.process import run


def _walk(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            inner = command.get_command(context, below)
            assert inner is not None
            found += _walk(inner, f"{name} {below}")
    return found


ALL = _walk(root(), "rootgen")
NAMES = [name for name, _ in ALL]


def test_the_contract() -> None:
    """The commands of the first issue are there."""
    wanted = {"make", "shell", "run", "deps", "why", "check", "diff", "profile"}
    assert wanted <= set(COMMANDS.table)
    assert "rootgen profile list" in NAMES


@pytest.mark.parametrize(("name", "command"), ALL, ids=NAMES)
def test_every_option_has_help(name: str, command: click.Command) -> None:
    """An option says what it does, in a sentence with a full stop."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            text = re.sub(r"\s*\[.*\]$", "", parameter.help or "")
            assert text.endswith("."), f"{name} {parameter.opts[-1]}"
            assert text[0].isupper() or text.split(":")[0] in str(parameter.type), parameter.opts


@pytest.mark.parametrize(("name", "command"), ALL, ids=NAMES)
def test_every_argument_is_explained(name: str, command: click.Command) -> None:
    """An argument stands in the text of the help under the name that the usage line gives it."""
    text = command.help or ""
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            metavar = parameter.metavar or parameter.name or ""
            (word, *_) = re.findall(r"[A-Z]+", metavar)
            assert re.search(rf"\b{word}\b", text), f"{name}: {word}"


@pytest.mark.parametrize(("name", "command"), ALL, ids=NAMES)
def test_every_help_begins_with_what_it_does(name: str, command: click.Command) -> None:
    """The first line is a sentence, an example follows, and no line breaks a terminal."""
    text = command.help or ""
    assert text.partition("\n")[0].endswith((".", ":")), name
    assert "rootgen " in text, name
    # The help option is kept by the command from the first context that asks for it.
    flags = ["-h", "--help"]
    with click.Context(
        command, info_name=name, max_content_width=100, help_option_names=flags
    ) as context:
        assert max(map(len, command.get_help(context).splitlines())) <= 100


def test_the_table_says_what_the_commands_say() -> None:
    """The short help of the table, which imports nothing, is that of each command."""
    for name, command in ALL:
        if name.count(" ") == 1:
            assert COMMANDS.table[name.split()[1]].help == command.get_short_help_str(200)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_both_flags(flag: str) -> None:
    """-h and --help print to standard output and exit 0."""
    status, output, errors = run(flag)
    assert (status, errors) == (0, "")
    assert output.startswith("Usage: rootgen ")
    assert run("make", flag)[1].startswith("Usage: rootgen make ")


def test_nothing_to_do() -> None:
    """Without a command the help goes to standard error, and that is wrong usage."""
    status, output, errors = run()
    assert (status, output) == (2, "")
    assert errors.startswith("Usage: rootgen ")


def test_version() -> None:
    """--version prints the name and the number."""
    status, output, errors = run("--version")
    assert (status, errors) == (0, "")
    assert re.fullmatch(r"rootgen \d+\.\d+\.\d+\S*\n", output)
