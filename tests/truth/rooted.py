"""Whole roots of a few hand-made objects, and what their own loader maps in them."""

from __future__ import annotations

import ast
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from rootgen.ldso.cache import Record, encode_cache
from tests.elf.image import (
    DT_AUXILIARY,
    DT_FILTER,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    Recipe,
    build,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NODEFLIB = 0x800
_X86_64 = 0x303  # of a record of ld.so.cache


class Object(NamedTuple):
    """An ELF object: what its dynamic section says, in the order of these fields."""

    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    filters: tuple[str, ...] = ()
    auxiliaries: tuple[str, ...] = ()
    nodeflib: bool = False
    kind: Recipe = Recipe()


class Link(NamedTuple):
    """A symbolic link."""

    target: str


class HardLink(NamedTuple):
    """Another name of the file at ``path``, which stands before it."""

    path: str


_PLAIN = {"soname", "rpath", "runpath"}
_FIELDS = {"filter": "filters", "auxiliary": "auxiliaries"}
# What stands at a path; bytes are a file that is no object, None is a directory.
Content = Object | Link | HardLink | bytes | None


def drawn_roots(path: Path) -> dict[str, dict[str, Content]]:
    """Return the roots that the text at ``path`` draws, by their names; its head tells how."""
    roots: dict[str, dict[str, Content]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            root = roots[line.strip("[]")] = {}
        elif line and not line.startswith("#"):
            text = re.sub(r"<(.)\*(\d+)>", lambda found: found[1] * int(found[2]), line)
            place, content = _drawn(text)
            root[place] = content
    return roots


def _drawn(line: str) -> tuple[str, Content]:
    path, _, rest = line.partition(" ")
    if rest.startswith("-> "):
        return path, Link(rest[3:])
    if rest.startswith("= "):
        return path, HardLink(rest[2:])
    if rest.startswith("cache "):
        pairs = [one.partition("=") for one in rest.split()[1:]]
        return path, encode_cache([(name, Record(_X86_64, at)) for name, _, at in pairs], "little")
    if rest.startswith("b"):
        content: bytes = ast.literal_eval(rest)
        return path, content
    if path.endswith("/"):
        return path.rstrip("/"), None
    said: dict[str, Any] = {}
    kind: dict[str, Any] = {}
    for word in rest.split():
        name, _, value = word.partition("=")
        if name in Recipe.__dataclass_fields__:
            kind[name] = int(value) if value.isdigit() else value
        elif name == "nodeflib":
            said[name] = True
        else:
            said[_FIELDS.get(name, name)] = value if name in _PLAIN else tuple(value.split(","))
    return path.rstrip(":"), Object(**said, kind=Recipe(**kind))


def write_root(
    things: Mapping[str, Content], root: Path, loader: str, source: str | None = None
) -> None:
    """Write ``things``, absolute paths, beneath ``root``, with the loader of the file ``source``.

    None: the machine's own. ``/bin/prog`` is the program.
    """
    for name in ("proc", "dev", "etc"):
        (root / name).mkdir()
    everything: dict[str, Content] = {loader: b"", **things}
    for path, content in everything.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.mkdir()
        elif isinstance(content, bytes):
            target.write_bytes(content)
        elif isinstance(content, Link):
            target.symlink_to(content.target)
        elif isinstance(content, HardLink):
            os.link(root / content.path.lstrip("/"), target)
        else:
            target.write_bytes(image(content, loader if path == "/bin/prog" else ""))
            target.chmod(0o755)
    shutil.copy(source or loader, root / loader.lstrip("/"))


def image(thing: Object, interpreter: str = "") -> bytes:
    """Return the ELF file; a program, at fixed addresses, where it has an ``interpreter``."""
    dynamic: list[tuple[int, int | bytes]] = [
        (tag, os.fsencode(name))
        for tag, names in (
            (DT_FILTER, thing.filters),
            (DT_AUXILIARY, thing.auxiliaries),
            (DT_NEEDED, thing.needed),
        )
        for name in names
    ]
    for tag, text in (
        (DT_SONAME, thing.soname),
        (DT_RPATH, thing.rpath),
        (DT_RUNPATH, thing.runpath),
    ):
        if text is not None:
            dynamic.append((tag, os.fsencode(text)))
    if thing.nodeflib:
        dynamic.append((DT_FLAGS_1, _NODEFLIB))
    recipe = replace(
        thing.kind,
        type=2 if interpreter else thing.kind.type,
        interpreter=interpreter.encode() or None,
        dynamic=tuple(dynamic),
        hash_table=True,
    )
    return build(recipe).data
