"""Compression: what others decompress, the same on any number of cores, however it is given."""

from __future__ import annotations

import gzip
import random
import subprocess
import tracemalloc

import pytest

from rootgen.image.compress import COMPRESSIONS, compressor

_MIB = 1 << 20


def material(size: int) -> bytes:
    """Return bytes of which some repeat."""
    dice = random.Random(size)
    words = [dice.randbytes(dice.randrange(1, 40)) for _ in range(300)]
    return b"".join(dice.choices(words, k=size // 15 + 1))[:size]


def compressed(name: str, data: bytes, processors: int, step: int = 1 << 20) -> bytes:
    """Return ``data`` compressed, given in steps."""
    parts: list[bytes] = []
    compressing = compressor(name, parts.append, processors)
    for at in range(0, len(data), step):
        compressing.write(data[at : at + step])
    compressing.finish()
    compressing.close()
    return b"".join(parts)


@pytest.mark.parametrize("size", [0, 1, _MIB - 1, _MIB, _MIB + 1, 9 * _MIB + 5])
@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_others_decompress(name: str, size: int) -> None:
    """gzip(1) and zstd(1) give back what was compressed, and complain of nothing."""
    data = material(size)
    done = subprocess.run([name, "-dc"], input=compressed(name, data, 2), capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_same(name: str) -> None:
    """Cores and steps make no difference."""
    data = material(20 * _MIB)
    first = compressed(name, data, 1)
    assert compressed(name, data, 2) == first
    assert compressed(name, data, 7, step=333_333) == first


def test_hardly_longer() -> None:
    """Blocks side by side cost less than one part in two hundred."""
    data = material(8 * _MIB)
    assert len(compressed("gzip", data, 2)) < 1.005 * len(gzip.compress(data, 6))


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_memory(name: str) -> None:
    """What waits to be compressed is bounded."""
    compressing = compressor(name, len, 2)
    data = material(_MIB)
    tracemalloc.start()
    try:
        for _ in range(60):
            compressing.write(data)
        compressing.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        compressing.close()
    assert peak < 24 * _MIB
