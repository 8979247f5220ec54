"""What a program's name that was not found may have meant: names that the tree does have."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice

from rootgen.linux.path import open_in_root
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import Mount
from rootgen.sandbox.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch, Root

_NAMES_LIMIT = 20_000  # a directory of a hostile tree has a million
_NAME_LIMIT = 64


def nearest_hint(launch: Launch) -> str:
    """Return the hint for a command that is not there inside."""
    if not launch.command[0]:
        return ""
    cover = _covered_by(launch)
    if cover:
        return f"the tree has it, but {cover} inside is a mount of its own: have it elsewhere"
    directory, slash, name = launch.command[0].rpartition("/")
    search = dict(launch.environment).get("PATH", "")
    places = [directory or "/"] if slash else search.split(":")
    near = get_close_matches(name[:_NAME_LIMIT], list(_all_names(launch.root, places)), n=3)
    if near:
        unique = dict.fromkeys(near)
        return f"did you mean {', '.join(unique)}?"
    return f"add it to the tree: rootgen make … {launch.command[0]}"


def _covered_by(launch: Launch) -> str:
    """Return the mount point that hides the command, which the tree does have; "" if none does."""
    command = os.path.normpath(launch.command[0])
    for step in launch.steps:
        if isinstance(step, Mount) and command.startswith(f"{step.target}/"):
            try:
                with Reading(launch.root) as reading:
                    os.close(reading.open(command))
            except OSError:
                return ""
            return step.target
    return ""


def _all_names(root: Root, places: list[str]) -> Iterator[str]:
    for layer in root.layers:
        yield from _names(layer, places)


def _names(root: str, places: list[str]) -> Iterator[str]:
    tree = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for place in places:
            try:
                descriptor = open_in_root(tree, place, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue  # not every directory of PATH is in every tree
            try:
                with os.scandir(descriptor) as entries:
                    yield from (entry.name for entry in islice(entries, _NAMES_LIMIT))
            finally:
                os.close(descriptor)
    finally:
        os.close(tree)
