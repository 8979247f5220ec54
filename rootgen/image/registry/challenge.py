"""How a server says that it wants to know who asks: WWW-Authenticate (RFC 9110, 11.6.1)."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 8192
_COUNT = 16  # challenges of one answer


class Challenge(NamedTuple):
    """One way to authenticate: its scheme in lower case (``bearer``, ``basic``), its parameters."""

    scheme: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """Return a parameter, or nothing."""
        return dict(self.parameters).get(name, "")


def parse_challenges(fields: Iterable[str]) -> tuple[Challenge, ...]:
    """Return what the fields of one answer offer; what is malformed ends its field.

    A field may have several challenges, and commas stand between them as
    well as between parameters: a word that no ``=`` follows begins a new one.
    """
    found: list[Challenge] = []
    for field in fields:
        if len(found) < _COUNT:
            found += _parse(field[:_LIMIT])
    return tuple(found[:_COUNT])


def _parse(field: str) -> list[Challenge]:
    import re

    token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110's name for a word
    parameter = re.compile(rf'({token})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({token}))')
    scheme = re.compile(rf"({token})(?=\s|,|$)")
    found: list[tuple[str, list[tuple[str, str]]]] = []
    at = 0
    while at < len(field):
        if field[at] in " \t,":
            at += 1
        elif found and (one := parameter.match(field, at)):
            quoted = re.sub(r"\\(.)", r"\1", one[2]) if one[2] is not None else one[3]
            found[-1][1].append((one[1].lower(), quoted))
            at = one.end()
        elif one := scheme.match(field, at):
            found.append((one[1].lower(), []))
            at = one.end()
        else:
            break
    return [Challenge(name, tuple(parameters)) for name, parameters in found]
