"""A command line is read alike by our own reader and by click, of one definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.cli.command import Argument, Command, Group, Named, Option
from rootgen.cli.commands import COMMANDS
from rootgen.cli.parse import find_command, parse
from rootgen.cli.with_click import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy


def _commands(group: Group, path: str) -> Iterator[tuple[str, Command]]:
    for name, found in group.table.items():
        if isinstance(found, Group):
            yield from _commands(found, f"{path}{name} ")
        else:
            yield f"{path}{name}", found.load()


ALL = dict(_commands(COMMANDS, ""))
_ODD = st.sampled_from(["", "-", "--", "--help", "-h", "---", "--x", "=", "a b", "é", "\udcff"])
_NUMBERS = st.sampled_from(
    ["0", "1", "5", "0.5", "nan", "inf", "-1", " 7 ", "1_0", "1e3", "9" * 30]
)


def _values(option: Option) -> SearchStrategy[str]:
    return st.one_of(st.sampled_from(option.choices or ("x",)), _NUMBERS, _ODD, st.text(max_size=4))


def _spelled(option: Option) -> SearchStrategy[list[str]]:
    name = st.sampled_from(option.flags)
    if option.kind == "flag":
        return st.one_of(name.map(lambda one: [one]), name.map(lambda one: [f"{one}=x"]))
    pair = st.tuples(name, _values(option))
    return st.one_of(
        pair.map(list), pair.map(lambda two: ["=".join(two)]), pair.map(lambda two: ["".join(two)])
    )


def _lines(command: Command) -> SearchStrategy[list[str]]:
    options = [_spelled(one) for one in command.parameters if isinstance(one, Option)]
    word = st.one_of(st.sampled_from(["bash", "./x", "ls"]), _ODD).map(lambda one: [one])
    pieces = st.lists(st.one_of(word, *options), max_size=6)
    return pieces.map(lambda parts: [one for part in parts for one in part])


def _click_reads(command: Command, words: list[str]) -> dict[str, Any] | None:
    try:
        return made(command).make_context(command.name, list(words)).params
    except (click.ClickException, click.exceptions.Exit):
        return None


@pytest.mark.parametrize("name", list(ALL))
@given(data=st.data())
def test_alike(name: str, data: st.DataObject) -> None:
    """What our reader takes, click takes for the same; what click refuses, ours does not take."""
    words = data.draw(_lines(ALL[name]))
    ours = parse(ALL[name], words)
    if ours is not None:
        assert ours == _click_reads(ALL[name], words)


def _plain(option: Option) -> SearchStrategy[list[str]]:
    name = st.sampled_from(option.flags)
    if option.kind == "flag":
        return name.map(lambda one: [one])
    kinds = {
        "choice": st.sampled_from(option.choices or ("x",)),
        "int": st.integers(int(option.least), int(option.most)).map(str),
        "float": st.floats(option.least, option.most).map(str),
        "text": st.text(max_size=4),
    }
    return st.tuples(name, kinds[option.kind]).map(list)


@pytest.mark.parametrize("name", list(ALL))
@given(data=st.data())
def test_the_plain_is_read_without_click(name: str, data: st.DataObject) -> None:
    """A line of long options with values, each in its range, is never left to click."""
    command = ALL[name]
    options = [_plain(one) for one in command.parameters if isinstance(one, Option)]
    parts = data.draw(st.lists(st.one_of(options), max_size=5)) if options else []
    words = [one for part in parts for one in part]
    for argument in command.parameters:
        if isinstance(argument, Argument):
            words += ["bash", "ls"] if argument.many else ["bash"]
    assert parse(command, words) == _click_reads(command, words)
    assert parse(command, words) is not None


def test_every_definition_is_sound() -> None:
    """Names and flags are each one parameter's; only the last argument takes many."""
    for command in ALL.values():
        names = [one.name for one in command.parameters]
        options = [one for one in command.parameters if isinstance(one, Option)]
        flags = [flag for one in options for flag in one.flags]
        assert len(names) == len(set(names))
        assert len(flags) == len(set(flags))
        arguments = [one for one in command.parameters if isinstance(one, Argument)]
        assert not any(one.many for one in arguments[:-1])


def test_finding() -> None:
    """A command is found by the names of its groups; everything else is click's to answer."""
    assert find_command(COMMANDS, ["profile", "list", "x"]) == (
        Named("rootgen.cli.profile_list", "List the shipped profiles."),
        ["x"],
    )
    for words in ([], ["profile"], ["mak"], ["--version"], ["profile", "--help"]):
        assert find_command(COMMANDS, words) is None
