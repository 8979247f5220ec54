"""What the program finds in its environment (environ(7)): little of the caller's."""

from __future__ import annotations

import os

from rootgen.errors import raise_foreign
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.caller import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# As Debian's login.defs has it for root, and every container engine for everyone.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What describes the person's terminal and language rather than the host.
_KEPT = frozenset(("TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ"))
_KEPT_PREFIX = "LC_"
# What Python sets LC_CTYPE to where it starts in the C locale (PEP 538; _TARGET_LOCALES in
# Python/pylifecycle.c).
_COERCED = frozenset(("C.UTF-8", "C.utf8", "UTF-8"))
_INITIAL = "/proc/self/environ"


def callers_variables(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables as who started this process had them: LC_CTYPE may be Python's own.

    Only ``os.environ`` itself is looked at: what a caller made is as it is wanted. The kernel
    keeps what a process was executed with (proc(5)), where it was not written over.
    """
    if environ is not os.environ or environ.get("LC_CTYPE") not in _COERCED:
        return environ
    initial = _initial_variables()
    if initial is None or initial.get(b"LC_ALL") or initial.get(b"PYTHONCOERCECLOCALE") == b"0":
        return environ
    given = initial.get(b"LC_CTYPE")
    others = {name: value for name, value in environ.items() if name != "LC_CTYPE"}
    return others if given is None else {**others, "LC_CTYPE": os.fsdecode(given)}


def _initial_variables() -> dict[bytes, bytes] | None:
    """Return what this process was executed with; None where that cannot be told."""
    try:
        block = read_bounded(os.open(_INITIAL, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise_foreign(error)
        return None
    entries = block.removesuffix(b"\0").split(b"\0") if block else []
    if not all(b"=" in one for one in entries):  # a title of the process's own stands there
        return None
    # Of a name that is there twice, getenv(3) takes the first.
    return dict(one.split(b"=", 1) for one in reversed(entries))


def compose_environment(
    caller: Mapping[str, str],
    home: str,
    own: Iterable[tuple[str, str]],
    *,
    clear: bool,
) -> tuple[tuple[str, str], ...]:
    """Return the program's variables: of the caller only terminal and language, then ``own``.

    ``container`` tells programs where they are, as systemd's Container
    Interface has it. Later wins.
    """
    kept: dict[str, str] = {}
    if not clear:
        kept = {
            name: value
            for name, value in caller.items()
            if name in _KEPT or name.startswith(_KEPT_PREFIX)
        }
    kept |= {"PATH": DEFAULT_PATH, "HOME": home, "container": "rootgen"}
    kept |= dict(own)
    return tuple(kept.items())
