"""What goes where: what ``--bind``, ``--tmpfs`` and ``--device`` mean."""

from __future__ import annotations

import os

from rootgen.cli.command import invalid_value
from rootgen.cli.limit import size
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.options import Bind, Device, Tmpfs

if TYPE_CHECKING:
    from typing import Any

_MODE_LIMIT = 0o7777
_ID_LIMIT = 2**32 - 1
# What is so anyway, in docker's words for it.
_GRANTED = ("rw", "exec", "nosuid", "nodev")


def bind(written: str) -> Bind:
    """Return the bind that ``SRC:DEST[:ro]`` means."""
    rest, read_only = written, False
    for suffix in (":ro", ":rw"):
        if written.endswith(suffix):
            rest, read_only = written[: -len(suffix)], suffix == ":ro"
    source, colon, place = rest.rpartition(":")
    if not colon or not source:
        raise invalid_value("--bind", f"'{written}': expected SRC:DEST or SRC:DEST:ro")
    return Bind(os.path.abspath(source), target(place, "--bind"), read_only)


def tmpfs(written: str) -> Tmpfs:
    """Return the file system that ``DEST[:size=64M,mode=755,…]`` means, as docker has it."""
    place, _, options = written.partition(":")
    made = Tmpfs(target(place, "--tmpfs"))
    for option in filter(None, options.split(",")):
        made = _with_option(made, option)
    return made


def _with_option(made: Tmpfs, option: str) -> Tmpfs:
    name, equals, value = option.partition("=")
    if not equals and name in _GRANTED:
        return made
    if option == "ro":
        return made._replace(read_only=True)
    if option == "noexec":
        return made._replace(executable=False)
    if name == "size":
        return made._replace(size=size(value, "--tmpfs"))
    base = {"mode": 8, "uid": 10, "gid": 10, "nr_inodes": 10}.get(name)
    if base is None or not equals:
        raise invalid_value(
            "--tmpfs", f"'{option}': expected size=, mode=, uid=, gid=, nr_inodes=, ro or noexec"
        )
    try:
        number = int(value, base)
    except ValueError:
        number = -1
    if not 0 <= number <= (_MODE_LIMIT if name == "mode" else _ID_LIMIT):
        raise invalid_value("--tmpfs", f"'{option}': not a number that {name} can have")
    values: dict[str, Any] = {name: number}
    return made._replace(**values)


def device(written: str) -> Device:
    """Return the device that ``HOST[:DEST][:rwm]`` means, as docker has it."""
    parts = written.split(":")
    access = parts.pop() if len(parts) > 1 and parts[-1] and not parts[-1].strip("rwm") else "rw"
    if not {"r", "w"} <= set(access):
        raise invalid_value(
            "--device",
            f"'{written}': only rw and rwm can be had: what may be done with a device is "
            "what its mode and owner on the host allow",
        )
    if len(parts) not in (1, 2) or not parts[0]:
        raise invalid_value("--device", f"'{written}': expected HOST, HOST:DEST or HOST:DEST:rwm")
    source = os.path.abspath(parts[0])
    return Device(source, target(parts[1] if len(parts) > 1 else source, "--device"))


def target(written: str, option: str) -> str:
    """Return a mount point inside, normalised; ``..`` has no place in it."""
    parts = [part for part in written.split("/") if part not in ("", ".")]
    if not written.startswith("/") or not parts or ".." in parts:
        raise invalid_value(option, f"'{written}': DEST must be an absolute path inside, and not /")
    return "/" + "/".join(parts)
