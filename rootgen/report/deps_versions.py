"""Symbol versions that lack, as the loader says it and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rootgen.closure.versions import Lack
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.closure.versions import VersionLack


def is_failure(one: VersionLack) -> bool:
    """Tell whether the loader ends the program over it: not over a weak or an unknown one."""
    return one.lack is Lack.MISSING


def version_words(one: VersionLack) -> str:
    """Say what a version lacks, in the loader's words but for who asks (elf/dl-version.c)."""
    what = {
        Lack.MISSING: f"version `{one.version}' not found",
        Lack.WEAK: f"weak version `{one.version}' not found",
        Lack.UNVERSIONED: "no version information available",
    }
    return what[one.lack]


def version_lines(target: str, versions: Sequence[VersionLack]) -> Iterator[str]:
    """Say each version that lacks: of which library, and what wants it."""
    for one in versions:
        words, provider, by = map(printable, (version_words(one), one.provider, one.requester))
        yield f"{printable(target)}: {provider}: {words} (required by {by})"


def versions_json(versions: Sequence[VersionLack]) -> list[object]:
    """Return the versions that lack, as JSON."""
    return [
        {
            "requester": one.requester,
            "provider": one.provider,
            "version": one.version,
            "lack": one.lack.value,
        }
        for one in versions
    ]
