"""What a program's name that was not found may have meant: names that the tree does have."""

from __future__ import annotations

import os
from difflib import get_close_matches
from itertools import islice

from rootgen.linux.mount import descriptor_path
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
    command = launch.command[0]
    if not command:
        return ""
    directory, _, name = os.path.join(launch.workdir, command).rpartition("/")
    search = dict(launch.environment).get("PATH", "")
    places = [directory or "/"] if "/" in command else search.split(":")
    with Reading(launch.root) as reading:
        for place in places:
            cover = _covered_by(reading, launch, f"{place}/{name}")
            if cover is not None:
                words = f"a bind of {cover.source}" if cover.bind else cover.fstype
                return (
                    f"the tree has it, but {cover.target} inside is a mount of its own ({words}): "
                    "have it elsewhere"
                )
        seen = [place for place in places if _covered_by(reading, launch, f"{place}/.") is None]
    names = {one for layer in launch.root.layers for one in _names(layer, seen)} - {name}
    near = get_close_matches(name[:_NAME_LIMIT], sorted(names), n=3)
    if near:
        return f"did you mean {', '.join(near)}?"
    return f"add it to the tree: rootgen make … {command}"


def _covered_by(reading: Reading, launch: Launch, path: str) -> Mount | None:
    """Return the mount that hides ``path``, which the tree does have; None if none does."""
    real = _real_path(reading, launch.root, path)
    covers = [
        step
        for step in launch.steps
        if isinstance(step, Mount) and real and f"{real}/".startswith(f"{step.target}/")
    ]
    return covers[-1] if covers else None


def _real_path(reading: Reading, root: Root, path: str) -> str:
    """Return where ``path`` leads within the root, through its links; "" where nothing is there."""
    try:
        place = reading.open(path)
    except OSError:
        return ""
    try:
        outside = os.readlink(descriptor_path(place))
    finally:
        os.close(place)
    for layer in root.layers:
        top = os.path.realpath(layer).rstrip("/")
        if outside.startswith(f"{top}/"):
            return outside.removeprefix(top)
    return ""


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
