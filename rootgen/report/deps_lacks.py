"""Versions and symbols that lack, and processors, in the loader's words and as JSON."""

from __future__ import annotations

from rootgen.closure.versions import Lack
from rootgen.named import TYPE_CHECKING
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.closure.isa import TooNew
    from rootgen.closure.symbols import Undefined
    from rootgen.closure.versions import VersionLack


def lack_lines(
    target: str,
    versions: Sequence[VersionLack] | None,
    undefined: Sequence[Undefined] | None,
    beyond: Sequence[TooNew] | None,
) -> tuple[list[str], bool]:
    """Say all that lacks beside whole files, and whether the loader ends the program over it."""
    lines = [
        *version_lines(target, versions or ()),
        *undefined_lines(target, undefined or ()),
        *beyond_lines(target, beyond or ()),
    ]
    # A weak version, or one that cannot be told, is none of that.
    missing = any(one.lack is Lack.MISSING for one in versions or ())
    return lines, missing or bool(undefined) or bool(beyond)


def lacks_json(
    versions: Sequence[VersionLack] | None,
    undefined: Sequence[Undefined] | None,
    beyond: Sequence[TooNew] | None,
) -> dict[str, object]:
    """Return the members of a target for what was asked."""
    members: dict[str, object] = {}
    if versions is not None:
        members["versions"] = versions_json(versions)
    if undefined is not None:
        members["undefined"] = undefined_json(undefined)
    if beyond is not None:
        members["beyond"] = beyond_json(beyond)
    return members


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


def undefined_words(one: Undefined) -> str:
    """Say which symbol is not defined (elf/dl-lookup.c, ``_dl_lookup_symbol_x``)."""
    return f"undefined symbol: {one.name}" + (f", version {one.version}" if one.version else "")


def undefined_lines(target: str, undefined: Sequence[Undefined]) -> Iterator[str]:
    """Say each symbol that nothing defines, and what wants it."""
    for one in undefined:
        words, by = printable(undefined_words(one)), printable(one.object)
        yield f"{printable(target)}: {words} ({by})"


def undefined_json(undefined: Sequence[Undefined]) -> list[object]:
    """Return the symbols that nothing defines, as JSON."""
    return [
        {
            "requester": one.object,
            "symbol": one.name,
            "version": one.version or None,
        }
        for one in undefined
    ]


def beyond_lines(target: str, beyond: Sequence[TooNew]) -> Iterator[str]:
    """Say each object that the processor or the kernel could not run."""
    for one in beyond:
        what = "CPU ISA level is lower than required"
        if one.level.startswith("Linux "):
            what = "the kernel is older than required"
        yield f"{printable(target)}: {printable(one.object)}: {what}: {one.level}"


def beyond_json(beyond: Sequence[TooNew]) -> list[object]:
    """Return the objects that the processor or the kernel could not run, as JSON."""
    return [{"path": one.object, "level": one.level} for one in beyond]
