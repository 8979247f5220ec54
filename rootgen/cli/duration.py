"""How long: what ``2m`` means in seconds."""

from __future__ import annotations

from rootgen.cli.command import invalid_value

_UNITS = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LIMIT = 1e9  # seconds: thirty years


def duration(written: str, option: str) -> float:
    """Return the seconds that ``90``, ``500ms``, ``2m`` or ``1.5h`` mean; raise OptionError.

    Without a unit they are seconds, as for timeout(1) and docker stop.
    """
    unit = written.lstrip("0123456789.")
    number = written[: len(written) - len(unit)]
    try:
        seconds = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        seconds = -1.0
    if not 0 <= seconds < _LIMIT:
        message = f"'{written}': expected a duration such as 30, 500ms, 2m or 1h"
        raise invalid_value(option, message)
    return seconds
