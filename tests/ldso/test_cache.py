"""The cache: what ldconfig wrote is read, what we write the real loader reads."""

from __future__ import annotations

import re
import subprocess
from struct import Struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import LoaderError
from rootgen.ldso.cache import Record, encode_cache, parse_cache
from rootgen.ldso.cpu import BASELINE, Cpu
from tests.laws.examples import at_most
from tests.truth.compiled import LOADER, Thing, link

if TYPE_CHECKING:
    from pathlib import Path

X86_64 = 0x0303
_NAMES = st.from_regex(r"lib[a-z0-9+_.-]{1,12}\.so(\.[0-9]{1,3}){0,3}", fullmatch=True)
_PATHS = st.from_regex(r"/[a-z0-9/]{1,20}", fullmatch=True)


def test_of_this_machine() -> None:
    """Every line of `ldconfig -p` is a record of ours, in its order, and no other."""
    printed = subprocess.run(
        ["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True
    ).stdout
    theirs = re.findall(r"^\t(\S+) \([^)]*\) => (\S+)$", printed, re.MULTILINE)
    with open("/etc/ld.so.cache", "rb") as file:
        cache = parse_cache(file.read(), "/etc/ld.so.cache")
    ours = [(name, record.path) for name, record in cache.records()]
    assert sorted(ours) == sorted(theirs)
    assert len(ours) > 10


@pytest.mark.parametrize("byte_order", ["little", "big"])
@at_most(1000)
@given(libraries=st.lists(st.tuples(_NAMES, _PATHS), max_size=20))
def test_round_trip(byte_order: str, libraries: list[tuple[str, str]]) -> None:
    """What is written is read back, in either byte order."""
    pairs = [(name, Record(X86_64, path)) for name, path in libraries]
    cache = parse_cache(encode_cache(pairs, byte_order), "cache")
    assert sorted(cache.records()) == sorted(pairs)


def test_the_loader_reads_what_we_write(tmp_path: Path) -> None:
    """In a chroot whose only cache is ours the real loader finds what it names."""
    names = [f"lib{stem}.so.{number}" for stem in ("a", "b-c", "b10", "b9") for number in (2, 10)]
    things = [Thing(f"odd/{name}", soname=name) for name in names]
    link([*things, Thing("prog", tuple(names), program=True)], tmp_path)
    _bring_loader(tmp_path)
    records = [(name, Record(X86_64, f"/odd/{name}")) for name in names]
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.cache").write_bytes(encode_cache(records, "little"))
    done = subprocess.run(
        ["unshare", "-r", "chroot", str(tmp_path), LOADER, "--list", "/prog"],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.findall(r"^\t(\S+) => (\S+) \(", done.stdout, re.MULTILINE)
    assert found == [(name, f"/odd/{name}") for name in names]


def _bring_loader(root: Path) -> None:
    target = root / LOADER.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(LOADER, "rb") as file:
        target.write_bytes(file.read())
    target.chmod(0o755)


def _with_levels() -> bytes:
    """Make a cache as ldconfig does for glibc-hwcaps: names in an extension, bit 62 set."""
    strings = b"liba.so\0/v2/liba.so\0/v3/liba.so\0/plain/liba.so\0x86-64-v2\0x86-64-v3\0"
    base = 48 + 3 * 24
    entry = Struct("<iIIIQ")

    def at(text: bytes) -> int:
        return base + strings.index(text)

    level = 1 << 62
    entries = entry.pack(X86_64, base, at(b"/v2"), 0, level | 0)
    entries += entry.pack(X86_64, base, at(b"/v3"), 0, level | 1)
    entries += entry.pack(X86_64, base, at(b"/plain"), 0, 0)
    extension = (base + len(strings) + 3) & -4
    names = extension + 8 + 16
    header = b"glibc-ld.so.cache1.1" + Struct("<IIB3xI12x").pack(3, len(strings), 2, extension)
    body = (header + entries + strings).ljust(extension, b"\0")
    body += Struct("<II").pack(0xEAA42174, 1) + Struct("<IIII").pack(1, 0, names, 8)
    return body + Struct("<II").pack(at(b"x86-64-v2"), at(b"x86-64-v3"))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((), "/plain/liba.so"),
        (("x86-64-v2",), "/v2/liba.so"),
        (("x86-64-v3", "x86-64-v2"), "/v3/liba.so"),
        (("x86-64-v4",), "/plain/liba.so"),
    ],
)
def test_levels(levels: tuple[str, ...], expected: str) -> None:
    """The best level that the processor has wins, the plain file where it has none."""
    cache = parse_cache(_with_levels(), "cache")
    assert cache.lookup("liba.so", X86_64, Cpu(levels)) == expected


def test_flags() -> None:
    """Libraries of another machine are not seen; one for any libc (FLAG_ELF) is a last resort."""
    records = [
        ("liba.so", Record(0x0003, "/i386/liba.so")),
        ("liba.so", Record(X86_64, "/amd64/liba.so")),
        ("libb.so", Record(0x0003, "/i386/libb.so")),
        ("libd.so", Record(1, "/any/libd.so")),
    ]
    cache = parse_cache(encode_cache(records, "little"), "cache")
    assert cache.lookup("liba.so", X86_64, BASELINE) == "/amd64/liba.so"
    assert cache.lookup("liba.so", 0x0003, BASELINE) == "/i386/liba.so"
    assert cache.lookup("libb.so", X86_64, BASELINE) is None
    assert cache.lookup("libd.so", X86_64, BASELINE) is None
    assert cache.lookup("libd.so", 0x0003, BASELINE, other_flags=1) == "/any/libd.so"
    assert cache.lookup("lib", X86_64, BASELINE) is None


def test_old_format() -> None:
    """The format of before 2.2 is read, alone or in front of the new one."""
    strings = b"liba.so\0/old/liba.so\0"
    old = b"ld.so-1.7.0\0" + Struct("<I").pack(1) + Struct("<iII").pack(X86_64, 0, 8) + strings
    assert parse_cache(old, "c").lookup("liba.so", X86_64, BASELINE) == "/old/liba.so"
    new = encode_cache([("liba.so", Record(X86_64, "/new/liba.so"))], "little")
    front = b"ld.so-1.7.0\0" + Struct("<I").pack(0)
    assert parse_cache(front + new, "c").lookup("liba.so", X86_64, BASELINE) == "/new/liba.so"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "c: not a cache of a glibc loader"),
        (b"\x7fELF" * 20, "c: not a cache of a glibc loader"),
        (b"glibc-ld.so.cache1.1", "c: truncated"),
        (
            b"glibc-ld.so.cache1.1" + Struct("<IIB3xI12x").pack(1 << 31, 0, 2, 0),
            f"c: truncated: {24 << 31} bytes of records, 0 there",
        ),
        (
            b"glibc-ld.so.cache1.1"
            + Struct("<IIB3xI12x").pack(1, 0, 2, 0)
            + Struct("<iIIIQ").pack(X86_64, 9999, 0, 0, 0),
            "c: a name at 9999, past its end",
        ),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    """A cache that is none says so."""
    with pytest.raises(LoaderError) as raised:
        parse_cache(data, "c")
    assert str(raised.value) == message


@given(data=st.data())
def test_hostile(data: st.DataObject) -> None:
    """Whatever was overwritten, there is a cache or a LoaderError, and nothing else."""
    records = [(f"lib{n}.so", Record(X86_64, f"/lib/lib{n}.so")) for n in range(4)]
    base = data.draw(st.sampled_from([_with_levels(), encode_cache(records, "little")]))
    raw = bytearray(base)
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    try:
        cache = parse_cache(bytes(raw[:cut]), "c")
    except LoaderError:
        return
    cache.lookup("liba.so", X86_64, BASELINE)
