"""Errors from inside arrive outside as they were raised, whatever their text."""

from __future__ import annotations

import pytest

from rootgen.errors import LaunchError, NotExecutableError, NotFoundError
from rootgen.sandbox.report import GO, TERMINAL, pack_error, unpack_error


@pytest.mark.parametrize("kind", [LaunchError, NotExecutableError, NotFoundError])
@pytest.mark.parametrize("why", [(), ("one",), ("one", "", "two")])
def test_round_trip(kind: type[LaunchError], why: tuple[str, ...]) -> None:
    """Kind, text, reasons and hint."""
    error = unpack_error(pack_error(kind("what \udcff é\n", why=why, hint="try")))
    assert type(error) is kind
    assert (error.what, error.why, error.hint) == ("what \udcff é\n", why, "try")


@pytest.mark.parametrize("data", [b"", GO, TERMINAL, b"error", b"errors\0x"])
def test_other_messages(data: bytes) -> None:
    """What is no error is none."""
    assert unpack_error(data) is None


@pytest.mark.parametrize(
    "data", [b"error\0", b"error\0what\xff", b"error\0a\0b", b"error\0\0\0\0\0"]
)
def test_malformed(data: bytes) -> None:
    """A cut or strange one is still an error of the launcher."""
    assert isinstance(unpack_error(data), LaunchError)


def test_long() -> None:
    """What does not fit in a message is cut."""
    assert len(pack_error(LaunchError("x" * 1_000_000))) <= 65536
