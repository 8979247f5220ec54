"""What a thread takes: the same as without one, failures told, and no thread is left."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from rootgen.layer.beside import Beside
from rootgen.layer.packed import PackedOutput

LARGE = 1 << 20


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("pieces", [0, 1, 2, 3, 40])
def test_same(monkeypatch: pytest.MonkeyPatch, pieces: int, processors: int) -> None:
    """The digest is that of all pieces in their order, however many processors there are."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    given = [bytes([number]) * (LARGE + number) for number in range(pieces)]
    digest = hashlib.sha256()
    with Beside(digest.update) as beside:
        for piece in given:
            beside.give(piece)
        beside.finish()
        assert digest.digest() == hashlib.sha256(b"".join(given)).digest()


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("bad", [0, 1, 2, 19])
def test_failure(monkeypatch: pytest.MonkeyPatch, bad: int, processors: int) -> None:
    """What fails is told once, nothing is taken after it, and who gives more need not wait."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    before = threading.active_count()
    taken: list[bytes] = []

    def take(piece: bytes) -> None:
        if piece[0] == bad:
            raise OSError(28, "No space left on device")
        taken.append(piece)

    def give() -> None:
        with Beside(take) as beside:
            for number in range(20):
                beside.give(bytes([number]))
            beside.finish()

    with pytest.raises(OSError, match="No space left"):
        give()
    assert taken == [bytes([number]) for number in range(bad)]
    assert threading.active_count() == before


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
