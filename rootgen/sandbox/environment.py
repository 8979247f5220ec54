"""What the program finds in its environment (environ(7)): little of the caller's."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# As Debian's login.defs has it for root, and every container engine for everyone.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What describes the person's terminal and language rather than the host.
_KEPT = frozenset(("TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ"))
_KEPT_PREFIX = "LC_"


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
