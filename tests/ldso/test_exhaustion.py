"""Files of a hostile root that are made to take for ever, or all memory: refused, or cut short.

Each is small; what broke earlier readers took from seconds to gigabytes on it.
"""

from __future__ import annotations

import time
import tracemalloc
from struct import Struct
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LoaderError
from rootgen.ldso.cache import parse_cache
from rootgen.ldso.configuration import read_configuration
from rootgen.ldso.cpu import BASELINE
from rootgen.sysroot.memory import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_X86_64 = 0x0303
_COUNT = 20_000


@pytest.fixture(autouse=True)
def bounds() -> Iterator[None]:
    """Allow two seconds of the processor, and 64 MiB."""
    tracemalloc.start()
    started = time.process_time()
    yield
    seconds = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 2
    assert peak < 64 << 20


def _cache(strings: bytes, place: Callable[[int], tuple[int, int]], tail: bytes = b"") -> bytes:
    """Return a cache of many records: ``place`` gives each its name and path in ``strings``."""
    entry = Struct("<iIIIQ")
    base = 48 + _COUNT * entry.size
    entries = b"".join(
        entry.pack(_X86_64, base + name, base + path, 0, 0)
        for name, path in map(place, range(_COUNT))
    )
    extension = base + len(strings) if tail else 0
    head = Struct("<IIB3xI12x").pack(_COUNT, len(strings), 2, extension)
    return b"glibc-ld.so.cache1.1" + head + entries + strings + tail


def test_names_in_one_endless_string() -> None:
    """Each name begins a byte later in one string: together they are gigabytes."""
    with pytest.raises(LoaderError, match="names longer"):
        parse_cache(_cache(b"a" * (1 << 19) + b"\0", lambda at: (at, 0)), "cache")


def test_one_endless_name() -> None:
    """The same long name for every record is looked through once, not for each."""
    with pytest.raises(LoaderError, match="names longer"):
        parse_cache(_cache(b"a" * (1 << 19) + b"\0", lambda _: (0, 0)), "cache")


def test_names_within_names() -> None:
    """Names that can be names, each within the other."""
    strings = (b"a" * 4000 + b"\0") * 5
    with pytest.raises(LoaderError, match="names longer"):
        parse_cache(_cache(strings, lambda at: (at, 0)), "cache")


def test_endless_paths() -> None:
    """A path too long to be opened is not copied whole for each record."""
    strings = b"liba.so\0" + b"/" * (1 << 19) + b"\0"
    cache = parse_cache(_cache(strings, lambda _: (0, 8)), "cache")
    assert cache.lookup("liba.so", 0, BASELINE) is None


def test_endless_subdirectories() -> None:
    """Hundreds of thousands of glibc-hwcaps names, all of them the same long one."""
    base = 48 + _COUNT * 24
    strings = b"a" * (1 << 19) + b"\0" * 4
    strings = strings[: len(strings) & -4]
    at = base + len(strings)
    tail = Struct("<IIIIII").pack(0xEAA42174, 1, 1, 0, at + 24, 4 << 16) + bytes(4 << 16)
    with pytest.raises(LoaderError, match="glibc-hwcaps"):
        parse_cache(_cache(strings, lambda _: (len(strings) - 1, len(strings) - 1), tail), "cache")


def _configured(text: bytes, names: int = 0) -> tuple[str, ...]:
    contents = {f"/d/{number}": b"" for number in range(names)}
    return read_configuration(draw("", {"/etc/ld.so.conf": text, **contents}))


def test_brackets() -> None:
    """An include of open brackets, each of which looks for its end."""
    assert _configured(b"include /d/" + b"[" * 100_000 + b"\n/a\n", 3) == ("/a",)


def test_brackets_many_times() -> None:
    """Such includes that are short enough, and many."""
    text = b"".join(b"include /d/%d" % line + b"[" * 240 + b"\n" for line in range(4000))
    assert _configured(text + b"/a\n", 300) == ("/a",)


def test_one_include_many_times() -> None:
    """An include of every name of a large directory, on every line."""
    assert _configured(b"include /d/*.none\n" * 50_000 + b"/a\n", 1000) == ("/a",)
