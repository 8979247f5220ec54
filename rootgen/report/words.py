"""Reasons, sizes and names as words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.plan.entry import ReasonKind

if TYPE_CHECKING:
    from rootgen.plan.entry import Reason

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")
_THOUSAND = 1000


def printable(name: str) -> str:
    """Return ``name`` fit for a terminal: what is no printable character is escaped.

    A path of a hostile root may hold escape sequences that rewrite the
    screen, or bytes that are no UTF-8.
    """
    if name.isprintable():
        return name
    return "".join(one if one.isprintable() else _escaped(one) for one in name)


def size_words(size: int) -> str:
    """Return ``size`` bytes for people, in decimal units: ``4.2 MB``."""
    if size < _THOUSAND:
        return f"{size} B"
    amount = float(size)
    for unit in _UNITS:
        amount /= _THOUSAND
        # 999.95 would be shown as 1000.0
        if amount < _THOUSAND - 0.05 or unit == _UNITS[-1]:
            return f"{amount:.1f} {unit}"
    raise AssertionError  # the last unit takes everything


def count_words(count: int, noun: str, plural: str = "") -> str:
    """Return ``1 program``, ``2 programs``."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


# What a reason says: without and with its detail.
_CLAUSES = {
    ReasonKind.REQUESTED: ("asked for", "asked for as {detail}"),
    ReasonKind.PROFILE: ("profile {by}", "profile {by}: {detail}"),
    ReasonKind.ADDED: ("added from {by}", "added from {by}"),
    ReasonKind.NEEDED: ("needed by {by}", "needed by {by} (DT_NEEDED {detail})"),
    ReasonKind.INTERPRETER: ("interpreter of {by}", "interpreter of {by} (PT_INTERP {detail})"),
    ReasonKind.SCRIPT: (
        "interpreter of the script {by}",
        "interpreter of the script {by} (#! {detail})",
    ),
    ReasonKind.PRELOAD: ("preloaded into {by}", "preloaded into {by} (/etc/ld.so.preload)"),
    ReasonKind.LINK: ("link on the way to {by}", "link on the way to {by}"),
    ReasonKind.PARENT: ("directory of {by}", "directory of {by}"),
    ReasonKind.SKELETON: ("standard in every root file system",) * 2,
    ReasonKind.CACHE: ("tells the loader where {by} is",) * 2,
}


def reason_words(reason: Reason) -> str:
    """Return one reason as a clause: ``needed by /usr/bin/bash (DT_NEEDED …)``."""
    plain, detailed = _CLAUSES[reason.kind]
    clause = detailed if reason.detail else plain
    # Not nested formatting: a path may hold braces itself.
    return clause.format(by=printable(reason.by), detail=printable(reason.detail))


def _escaped(character: str) -> str:
    code = ord(character)
    # A surrogate of os.fsdecode stands for one byte.
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - PEP 383
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
