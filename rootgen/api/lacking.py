"""Saying what lacks: one message with every chain, the places searched, the package."""

from __future__ import annotations

from rootgen.closure.graph import EdgeKind
from rootgen.closure.script import line_hint
from rootgen.errors import MissingError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.closure.graph import Lacking
    from rootgen.sysroot.owner import Owners
    from rootgen.sysroot.port import Sysroot

# More than these are counted, not told: the first few show the pattern.
_TOLD = 8


def missing_error(lacking: Sequence[Lacking], sysroot: Sysroot) -> MissingError:
    """Return the error for what a closure lacks, with the package of each where known."""
    from rootgen.sysroot.owner import Owners  # only on the way to an error

    owners = Owners(sysroot)
    lines: list[str] = []
    for one in lacking[:_TOLD]:
        lines.extend(_lines(one, owners))
    if len(lacking) > _TOLD:
        lines.append(f"… and {len(lacking) - _TOLD} more")
    kind = "interpreter" if lacking[0].kind is EdgeKind.SCRIPT else "library"
    what = f"cannot find {kind} {lacking[0].name}, needed by {lacking[0].chain[-1]}"
    if len(lacking) > 1:
        what = f"{len(lacking)} files that programs need cannot be found"
    hint = line_hint(lacking[0].name) if lacking[0].kind is EdgeKind.SCRIPT else ""
    hint = hint or "install what lacks, or go on without it: --allow-missing"
    return MissingError(what, why=tuple(lines), hint=hint)


def _lines(lacking: Lacking, owners: Owners) -> list[str]:
    lines = [f"{lacking.name}: {lacking.why}; {' → '.join(lacking.chain)} wants it"]
    if lacking.searched:
        lines.append(f"  searched {', '.join(lacking.searched)}")
    package = owners.package(lacking.chain[-1])
    if package is not None:
        lines.append(f"  {lacking.chain[-1]} is of package {package}")
    # A name with a slash is one path: a file of that name elsewhere is no help.
    owned = None if "/" in lacking.name else owners.suggest(lacking.name)
    if owned is not None and owned.path.rpartition("/")[0] not in lacking.searched:
        lines.append(f"  package {owned.package} has {owned.path}, where nothing searches")
    return lines
