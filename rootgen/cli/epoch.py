"""SOURCE_DATE_EPOCH: the time that nothing made is newer than."""

from __future__ import annotations

from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 11  # past the year 5000


def source_date_epoch(environ: Mapping[str, str]) -> int | None:
    """Return the time (seconds since 1970), or None where none is set; raise UsageError.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    written = environ.get("SOURCE_DATE_EPOCH", "")
    if not written:
        return None
    if not written.isascii() or not written.isdigit() or len(written) > _DIGITS:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is '{written[:40]}', not a number of seconds since 1970"
        )
    return int(written)
