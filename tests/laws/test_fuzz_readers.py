"""Inputs broken at random: each reader gives a value or its own error, within bounds.

In the long run a million of them for what reads a loader's files: the ELF
reader, the cache reader and ld.so.conf together.
"""

from __future__ import annotations

import contextlib
import os
import sys
from struct import Struct
from typing import TYPE_CHECKING

import pytest

from rootgen.elf.reader import read_facts
from rootgen.errors import ElfError, LoaderError, PlanError, ProfileError
from rootgen.ldso.cache import CACHE_PATH, Record, encode_cache, parse_cache
from rootgen.ldso.configuration import read_configuration
from rootgen.ldso.cpu import BASELINE, Cpu
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import manifest_bytes, manifest_of
from rootgen.plan.manifest_reader import parse_image, parse_manifest
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from rootgen.profile.schema import KEYS
from rootgen.sysroot.memory import draw
from tests.elf.image import Recipe, build
from tests.elf.test_rare_hostile import READERS
from tests.laws.fuzzing import Mutator, Seed, fuzz, number
from tests.profile.writing import SHIPPED, load, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from rootgen.elf.image import ReadAt

    Figures = Callable[[str, object], None]

_ASKED_LIMIT = 1 << 22
_X86_64 = 0x0303
_CPU = Cpu(("x86-64-v3", "x86-64-v2"))
_PROGRAMS = ("/bin/sh", "/bin/ls", "/usr/bin/env", "/usr/bin/python3", sys.executable)
_LIBRARIES = ("libc.so.6", "libm.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2")
# A head longer than this is left out: copying it would take longer than reading it.
_HEAD_LIMIT = 1 << 17


class _Bytes:
    """A file of ``data``, as ``os.pread`` has it: errors for impossible offsets included."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.asked: list[tuple[int, int]] = []

    def read_at(self, size: int, offset: int) -> bytes:
        """Read, and remember what was asked for."""
        if not (0 <= offset < 1 << 63 and 0 <= size < 1 << 63):
            raise OverflowError
        self.asked.append((offset, offset + size))
        return self._data[offset : offset + size]


def _read_elf(data: bytes) -> None:
    file = _Bytes(data)
    try:
        read_facts(file.read_at, "image")
    finally:
        assert sum(end - start for start, end in file.asked) <= _ASKED_LIMIT


def _elf_seeds() -> Iterator[Seed]:
    names = ("libm.so.6", "libz.so.1")
    for elf_class in (32, 64):
        for order in ("little", "big"):
            for extended in (False, True):
                recipe = Recipe(
                    elf_class=elf_class,
                    byte_order=order,
                    interpreter=b"/lib/ld.so",
                    dynamic=(
                        *((1, name.encode()) for name in names),
                        *((14, b"libx.so"), (15, b"/opt:$ORIGIN"), (29, b"$ORIGIN/../lib")),
                        *((0x7FFFFFFD, b"liba.so"), (0x7FFFFFFF, b"libf.so"), (30, 8)),
                    ),
                    notes=((b"GNU\0", 1, bytes(16)), (b"GNU\0", 3, bytes(20))),
                    extended_numbering=extended,
                )
                yield Seed(build(recipe).data)
    for path in (*_PROGRAMS, *_libraries(_LIBRARIES)):
        with open(path, "rb") as file:
            whole = file.read()
        seen = _Bytes(whole)
        read_facts(seen.read_at, path)
        head = whole[: max(end for _, end in seen.asked)]
        if len(head) <= _HEAD_LIMIT:
            yield Seed(head, tuple((at, min(at + 1000, len(head))) for at, _ in seen.asked))


def _libraries(names: Iterable[str]) -> Iterator[str]:
    with open(CACHE_PATH, "rb") as file:
        cache = parse_cache(file.read(), CACHE_PATH)
    for name in names:
        path = cache.lookup(name, _X86_64, BASELINE)
        if path is not None:
            yield path


def _read_cache(data: bytes) -> None:
    cache = parse_cache(data, "cache")
    for name in ("libc.so.6", "libz.so.1", "", "lib\udcff"):
        cache.lookup(name, _X86_64, _CPU, usable=lambda bits: bool(bits & 1))
    assert len(list(cache.records())) == len(cache)
    assert sum(len(name) for name in cache.subdirectories()) <= len(data)


def _cache_seeds() -> Iterator[Seed]:
    with open(CACHE_PATH, "rb") as file:
        whole = file.read()
    some = list(parse_cache(whole, CACHE_PATH).records())[:12]
    some += [("libc.so.6", Record(_X86_64, "/a/libc.so.6"))] * 2
    levels = [("libz.so.1", Record(_X86_64, f"/{level}/libz.so.1", level)) for level in _CPU.levels]
    little, big = (encode_cache([*some, *levels], order) for order in ("little", "big"))
    old = _old_cache()
    # The machine's own, of hundreds of records, seldom: it takes a hundred times as long.
    yield from (Seed(data) for data in (little, big, old, old + little[: len(little) // 2]) * 24)
    yield Seed(old + bytes(-len(old) % 8) + little)
    yield Seed(encode_cache(some, "little"))
    yield Seed(whole, ((0, 200), (0, 48), (len(whole) - 200, len(whole))))


def _old_cache() -> bytes:
    strings = b"libc.so.6\0/lib/libc.so.6\0libz.so.1\0/lib/libz.so.1\0"
    entry = Struct("<iII")
    entries = entry.pack(_X86_64, 0, 10) + entry.pack(_X86_64, 25, 35)
    return b"ld.so-1.7.0\0" + Struct("<I").pack(2) + entries + strings


_CONFIGURATION = b"""\
# a comment
include /etc/ld.so.conf.d/*.conf
/usr/local/lib
\t/opt/typed=libc6  # behind a directory
hwcap 1 nosegneg
include other.conf [a-c]?.conf /etc/ld.so.conf
"""
_NAMES = ("", ".d/a.conf", ".d/b.conf", ".d/[x].conf")


def _read_configuration(data: bytes) -> None:
    # One input is all of the files: \x1c between them.
    texts = data.split(b"\x1c")
    contents = {f"/etc/ld.so.conf{name}": text for name, text in zip(_NAMES, texts, strict=False)}
    found = read_configuration(draw("", contents))
    assert len(set(found)) == len(found)
    assert all(path.startswith("/") for path in found)
    assert sum(map(len, found)) <= len(data)


def _configuration_seeds() -> Iterator[Seed]:
    yield Seed(_CONFIGURATION)
    yield Seed(b"\x1c".join((_CONFIGURATION, b"/a\ninclude *.conf\n", b"/b\n/a\n", _CONFIGURATION)))
    yield Seed(b"include /etc/ld.so.conf.d/*\n\x1cinclude ../ld.so.conf\n\x1c\x1c/x\r\n/y")


def _manifest() -> bytes:
    reasons = (Reason(ReasonKind.SKELETON),)
    entries = [
        Entry("/", EntryKind.DIRECTORY, 0o755, reasons=reasons),
        Entry("/a", EntryKind.FILE, 0o644, size=3, sha256="0" * 64, reasons=reasons),
        Entry("/b", EntryKind.HARDLINK, 0o644, target="/a", reasons=reasons),
        Entry("/c", EntryKind.SYMLINK, 0o777, target="a", reasons=reasons),
        Entry("/d", EntryKind.CHARACTER, 0o600, device=(1, 3), reasons=reasons),
    ]
    image = ImageConfig(("/a",), ("b",), "app", "/srv", (("A", "1"),), (("l", "v"),))
    return manifest_bytes(manifest_of(("/a",), Plan(entries), image))


def _read_manifest(data: bytes) -> None:
    with contextlib.suppress(PlanError):
        parse_image(data.split(b"\n", 1)[0])
    parse_manifest(data)


_ELF_WORDS = (b"\x7fELF", b"\0", b"GNU\0", b"\xff" * 8, b"/", b"$ORIGIN", bytes(64))
_CACHE_WORDS = (b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1", b"libc.so.6\0", b"\x74\x21\xa4\xea")
_CONFIGURATION_WORDS = (
    *(b"include ", b"/etc/ld.so.conf", b"\n", b"#", b"=", b"*", b"[", b"]", b"!", b"?", b"/"),
    *(b"..", b"\0", b"\xff", b"\x1c", b"\xe2\x80\xa8", b"hwcap ", b" ", b"\t", b"\r", b"[!]-"),
)
_MANIFEST_WORDS = (b'"', b"{", b"}", b"[", b"]", b",", b"\n", b"null", b"1e9", b"-1", b"\\ud800")
_PROFILE_WORDS = tuple(
    f"{word}".encode()
    for word in (*KEYS, ": ", "- ", "\n", "\n  ", "{", "}", "[", "]", "&a ", "*a", "<<", "!!", "~")
)


def _fuzz_elf(number_: int, count: int) -> str:
    mutator = Mutator(tuple(_elf_seeds()), _ELF_WORDS, number_)
    return f"ELF reader: {fuzz(_read_elf, ElfError, mutator, count)}"


def _fuzz_cache(number_: int, count: int) -> str:
    mutator = Mutator(tuple(_cache_seeds()), _CACHE_WORDS, number_)
    return f"cache reader: {fuzz(_read_cache, LoaderError, mutator, count)}"


def _fuzz_configuration(number_: int, count: int) -> str:
    mutator = Mutator(tuple(_configuration_seeds()), _CONFIGURATION_WORDS, number_)
    return f"ld.so.conf: {fuzz(_read_configuration, LoaderError, mutator, count)}"


_LOADERS_FILES = {
    "elf": (_fuzz_elf, 10_000),
    "cache": (_fuzz_cache, 6_000),
    "configuration": (_fuzz_configuration, 3_000),
}
_AT_LENGTH = {"elf": 12, "cache": 6, "configuration": 3}
_CHUNK = 50_000


@pytest.mark.parametrize("reader", _LOADERS_FILES)
def test_loaders_files(reader: str, record_property: Figures) -> None:
    """What the loader reads, in thousands: the same ones on every run."""
    run, count = _LOADERS_FILES[reader]
    record_property("figure", run(number(0, anew=False), count))


@pytest.mark.long
@pytest.mark.parametrize(
    ("reader", "chunk"),
    [(reader, chunk) for reader, chunks in _AT_LENGTH.items() for chunk in range(chunks)],
)
def test_loaders_files_at_length(reader: str, chunk: int, record_property: Figures) -> None:
    """A million, in chunks for all processors; others on every run."""
    run, _ = _LOADERS_FILES[reader]
    figure = run(number(chunk, anew=True), _CHUNK)
    record_property("figure", f"{figure} (chunk {chunk + 1} of {_AT_LENGTH[reader]})")


# Small ones of every machine with glibc.
_SMALL = ("libdl.so.2", "libpthread.so.0", "libutil.so.1", "librt.so.1")


def _rare_seeds(read: Callable[[ReadAt, str], object]) -> Iterator[Seed]:
    for path in _libraries(_SMALL):
        with open(path, "rb") as file:
            whole = file.read()
        seen = _Bytes(whole)
        read(seen.read_at, path)
        yield Seed(whole, tuple((at, min(end, at + 1000, len(whole))) for at, end in seen.asked))


def _fuzz_rare(name: str, number_: int, count: int) -> str:
    reader, limit = READERS[name]

    def read(data: bytes) -> None:
        file = _Bytes(data)
        try:
            reader(file.read_at, "image")
        finally:
            assert sum(end - start for start, end in file.asked) <= limit

    mutator = Mutator(tuple(_rare_seeds(reader)), _ELF_WORDS, number_)
    return f"{name} of ELF files: {fuzz(read, ElfError, mutator, count)}"


@pytest.mark.parametrize("name", READERS)
def test_rare(name: str, record_property: Figures) -> None:
    """What ELF files say beside their dynamic section."""
    record_property("figure", _fuzz_rare(name, 0, 500))


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_rare_at_length(name: str, record_property: Figures) -> None:
    """More of them."""
    record_property("figure", _fuzz_rare(name, number(0, anew=True), _CHUNK))


def _fuzz_manifest(number_: int, count: int) -> str:
    mutator = Mutator((Seed(_manifest()),), _MANIFEST_WORDS, number_)
    return f"manifest: {fuzz(_read_manifest, PlanError, mutator, count)}"


def test_manifest(record_property: Figures) -> None:
    """Manifests."""
    record_property("figure", _fuzz_manifest(0, 3_000))


@pytest.mark.long
def test_manifest_at_length(record_property: Figures) -> None:
    """More of them."""
    record_property("figure", _fuzz_manifest(number(0, anew=True), 100_000))


def _fuzz_profile(directory: Path, number_: int, count: int) -> str:
    seeds = []
    for top, _, names in os.walk(SHIPPED):
        for name in sorted(names):
            with open(os.path.join(top, name), "rb") as file:
                seeds.append(Seed(file.read()))

    def read(data: bytes) -> None:
        write(str(directory), "p.yaml", data)
        load(str(directory), "./p.yaml")

    return f"profiles: {fuzz(read, ProfileError, Mutator(seeds, _PROFILE_WORDS, number_), count)}"


def test_profile(tmp_path: Path, record_property: Figures) -> None:
    """Profiles."""
    record_property("figure", _fuzz_profile(tmp_path, 0, 300))


@pytest.mark.long
def test_profile_at_length(tmp_path: Path, record_property: Figures) -> None:
    """More of them."""
    record_property("figure", _fuzz_profile(tmp_path, number(0, anew=True), 10_000))
