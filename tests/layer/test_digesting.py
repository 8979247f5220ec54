"""A SHA-256 that a thread makes: the same as without one, and no thread is left."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from rootgen.layer.digesting import Digesting
from rootgen.layer.packed import PackedOutput

LARGE = 1 << 20


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("pieces", [0, 1, 2, 3, 40])
def test_same(monkeypatch: pytest.MonkeyPatch, pieces: int, processors: int) -> None:
    """The digest is that of all pieces in their order, however many processors there are."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    given = [bytes([number]) * (LARGE + number) for number in range(pieces)]
    with Digesting() as digest:
        for piece in given:
            digest.update(piece)
        assert digest.hexdigest() == hashlib.sha256(b"".join(given)).hexdigest()
        assert digest.hexdigest() == hashlib.sha256(b"".join(given)).hexdigest()


def test_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is told as it is, and leaves no thread behind."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    before = threading.active_count()
    seen: list[int] = []

    def write(_: bytes) -> None:
        seen.append(threading.active_count() - before)
        if len(seen) == 3:
            raise OSError(28, "No space left on device")

    def pack() -> None:
        with PackedOutput(write) as output:
            for _ in range(5):
                output.add(bytes(LARGE))

    with pytest.raises(OSError, match="No space left"):
        pack()
    assert seen == [0, 1, 1]
    assert threading.active_count() == before
