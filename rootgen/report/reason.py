"""Reasons as words."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import ReasonKind
from rootgen.report.words import printable

if TYPE_CHECKING:
    from rootgen.plan.entry import Reason

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
    ReasonKind.BASE: ("of the base",) * 2,
    ReasonKind.RECORD: ("record of package {by}", "record of {detail}"),
}


def reason_words(reason: Reason) -> str:
    """Return one reason as a clause: ``needed by /usr/bin/bash (DT_NEEDED …)``."""
    plain, detailed = _CLAUSES[reason.kind]
    clause = detailed if reason.detail else plain
    # Not nested formatting: a path may hold braces itself.
    return clause.format(by=printable(reason.by), detail=printable(reason.detail))
