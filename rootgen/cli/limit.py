"""How much: what ``256M``, ``--io`` and ``--ulimit`` mean."""

from __future__ import annotations

import os

from rootgen.cli.command import invalid_value
from rootgen.sandbox.options import IO_RATES, IoLimit, Rlimit

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LIMIT = 1 << 62


def size(written: str, option: str) -> int:
    """Return the bytes that ``256M`` means; units are powers of 1024, as docker's are."""
    number = _amount(written)
    if not 0 < number < _LIMIT:
        raise invalid_value(option, f"'{written}': expected a size such as 256M or 2G")
    return number


def io_limit(written: str) -> IoLimit:
    """Return the limit that ``DEVICE:wbps=10M,riops=100`` means."""
    device, colon, rates = written.rpartition(":")
    if not colon or not device:
        raise invalid_value("--io", f"'{written}': expected DEVICE:RATE=N, as in /dev/sda:wbps=10M")
    return IoLimit(os.path.abspath(device), tuple(map(_rate, rates.split(","))))


def _rate(written: str) -> tuple[str, int]:
    name, equals, number = written.partition("=")
    if name not in IO_RATES or not equals:
        known = ", ".join(IO_RATES)
        raise invalid_value("--io", f"'{written}': expected RATE=N, where RATE is one of {known}")
    return name, size(number, "--io")


def rlimit(written: str) -> Rlimit:
    """Return the limit that ``nofile=1024:4096`` means; one number is soft and hard, as docker's.

    What is counted in bytes may have a unit: ``fsize=1G``.
    """
    from rootgen.sandbox.rlimit import IN_BYTES, RESOURCES

    name, equals, numbers = written.partition("=")
    if name not in RESOURCES or not equals:
        known = ", ".join(RESOURCES)
        message = f"'{written}': expected NAME=SOFT[:HARD], where NAME is one of {known}"
        raise invalid_value("--ulimit", message)
    soft, _, hard = numbers.partition(":")
    limits = [_number(one, written, name in IN_BYTES) for one in (soft, hard or soft)]
    if limits[1] is not None and (limits[0] is None or limits[0] > limits[1]):
        raise invalid_value("--ulimit", f"'{written}': the soft limit is above the hard one")
    return Rlimit(name, limits[0], limits[1])


def _number(text: str, written: str, in_bytes: bool) -> int | None:  # noqa: FBT001 - a fact
    if text in ("unlimited", "-1"):
        return None
    number = _amount(text) if in_bytes or text.isdecimal() else -1
    if not 0 <= number < _LIMIT:
        raise invalid_value("--ulimit", f"'{written}': '{text}' is neither a number nor unlimited")
    return number


def _amount(written: str) -> int:
    """Return the number that is written with or without a unit, or -1 where none is."""
    lowered = written.lower().removesuffix("ib")
    number = lowered.rstrip("bkmgt")
    unit = lowered[len(number) :]
    unit = unit if unit in _UNITS else unit.removesuffix("b")
    try:
        return int(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        return -1
