"""Recorded calls: made in order, with what is known only then, and what is done where one fails."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.linux.calls import Label, Recorder, going_on, perform
from rootgen.linux.descriptor import record_closing, record_opening, record_write

if TYPE_CHECKING:
    from pathlib import Path


def _raise(_values: list[Any], _position: int, error: OSError) -> int:
    raise error


def test_results_are_arguments() -> None:
    """What one call returns is given to another, beside constants, in any number."""
    recorder = Recorder()
    three, word, joined = recorder.value(), recorder.value(), recorder.value()
    recorder.call(max, 3, 2, into=three, failed=_raise)
    recorder.call("-".join, ("a", "b"), into=word, failed=_raise)
    recorder.call(lambda *every: every, three, word, 3, bool(3), 1, into=joined, failed=_raise)
    recorder.call(dict, failed=_raise)
    program = recorder.program()
    perform(program)
    assert program.values[joined.at] == (3, "a-b", 3, True, 1)
    # 1 and True are equal, and not the same argument.
    assert [type(one) for one in program.values[joined.at]] == [int, str, int, bool, int]


def test_descriptors(tmp_path: Path) -> None:
    """Calls of the C library and of Python: a file is written, and read again."""
    path = str(tmp_path / "file")
    recorder = Recorder()
    data = recorder.value()
    opened = record_opening(recorder, path, os.O_RDWR | os.O_CREAT, _raise)
    record_write(recorder, opened, data, 4, _raise)
    read = recorder.value()
    recorder.call(os.pread, opened, 8, 0, into=read, failed=_raise)
    record_closing(recorder, opened, _raise)
    program = recorder.program()
    program.values[data.at] = b"four"
    perform(program)
    assert program.values[read.at] == b"four"
    assert not os.path.exists(f"/proc/self/fd/{program.values[opened.at]}")


def test_failure_is_told(tmp_path: Path) -> None:
    """A failure of the C library's, and an OSError, both reach the handler with their errno."""
    seen = []

    def failed(_values: list[Any], position: int, error: OSError) -> int:
        seen.append((position, error.errno))
        return position + 1

    recorder = Recorder()
    record_opening(recorder, str(tmp_path / "none"), os.O_RDONLY, failed)
    recorder.call(os.rmdir, str(tmp_path / "none"), failed=failed)
    perform(recorder.program())
    assert seen == [(0, errno.ENOENT), (1, errno.ENOENT)]


def test_handler_raises(tmp_path: Path) -> None:
    """What a handler raises ends it; what is no OSError passes by."""
    recorder = Recorder()
    record_opening(recorder, str(tmp_path / "none"), os.O_RDONLY, _raise)
    with pytest.raises(FileNotFoundError):
        perform(recorder.program())
    recorder = Recorder()
    recorder.call(int, "x", failed=going_on)
    with pytest.raises(ValueError, match="invalid literal"):
        perform(recorder.program())


@pytest.mark.parametrize("expected", [errno.ENOENT, errno.EACCES])
def test_expected_failure(tmp_path: Path, expected: int) -> None:
    """One that is expected goes on at its label; another one does not."""
    recorder = Recorder()
    done, reached = Label(), recorder.value()
    name = os.fsencode(tmp_path / "none")
    opened = Recorder()
    _ = record_opening(opened, "/", os.O_RDONLY, _raise)
    function = opened.program().calls[0][0]
    recorder.call(function, name, os.O_RDONLY, failed=_raise, expected=(expected,), then=done)
    recorder.call(int, 1, into=reached, failed=_raise)
    recorder.mark(done)
    program = recorder.program()
    if expected == errno.ENOENT:
        perform(program)
        assert program.values[reached.at] is None
    else:
        with pytest.raises(FileNotFoundError):
            perform(program)


@given(st.lists(st.one_of(st.integers(0, 5), st.booleans(), st.text(max_size=2), st.none())))
def test_any_constants(constants: list[Any]) -> None:
    """Constants come as they were given, however often each is."""
    recorder = Recorder()
    given_ = recorder.value()
    recorder.call(lambda *every: every, *constants, into=given_, failed=_raise)
    program = recorder.program()
    perform(program)
    assert [(type(one), one) for one in program.values[given_.at]] == [
        (type(one), one) for one in constants
    ]
