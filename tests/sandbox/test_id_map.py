"""Ids of a user namespace: ranges where there are some and help to map them, else one."""

from __future__ import annotations

import pytest

from rootgen.sandbox.id_map import Caller, choose_id_map, is_mapped, subordinate_ranges
from rootgen.sandbox.launch import IdMap

HELPERS = ("/usr/bin/newuidmap", "/usr/bin/newgidmap")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"me:100000:65536\n", ((100000, 65536),)),
        (b"1234:5:6", ((5, 6),)),
        (b"you:1:2\nme:3:4\nme:7:8\n", ((3, 4), (7, 8))),
        (b"me:1\nme:a:b\nme:-1:5\nme:1:0\nme::\n\xff:1:2\n", ()),
        (b"me:4294967290:65536\n", ()),
        (b"", ()),
    ],
)
def test_ranges(content: bytes, expected: tuple[tuple[int, int], ...]) -> None:
    """By name or number; malformed lines and ranges past the last id give nothing."""
    assert subordinate_ranges(content, "me", 1234) == expected


def test_nobody_without_a_name() -> None:
    """Who has no name is not the owner of a line with none."""
    assert subordinate_ranges(b":1:2\n", "", 1234) == ()


def test_whole() -> None:
    """0 is the caller, and the ranges follow without a gap."""
    caller = Caller(1234, 99, "me", b"me:10:5\nme:100:7\n", b"me:200:9\n", HELPERS)
    assert choose_id_map(caller) == IdMap(
        ((0, 1234, 1), (1, 10, 5), (6, 100, 7)), ((0, 99, 1), (1, 200, 9)), HELPERS
    )


@pytest.mark.parametrize(
    "caller",
    [
        Caller(1234, 99, "me", b"me:10:5\n", b"me:200:9\n"),
        Caller(1234, 99, "me", b"", b"me:200:9\n", HELPERS),
        Caller(1234, 99, "me", b"me:10:5\n", b"", HELPERS),
    ],
)
def test_one(caller: Caller) -> None:
    """Without helpers, or without ranges of both kinds, there is one id and no setgroups(2)."""
    expected = IdMap(((0, 1234, 1),), ((0, 99, 1),), deny_setgroups=True)
    assert choose_id_map(caller) == expected


def test_root_of_a_container() -> None:
    """Root of a container keeps every id that it has there, and may choose groups as before."""
    ranges = ((0, 65536), (100000, 7))
    lines = ((0, 0, 65536), (100000, 100000, 7))
    caller = Caller(0, 0, uids=ranges, gids=ranges[:1])
    assert choose_id_map(caller) == IdMap(lines, lines[:1])
    assert choose_id_map(caller._replace(setgroups=False)).deny_setgroups


@pytest.mark.parametrize(("number", "mapped"), [(0, True), (1, True), (5, True), (6, False)])
def test_is_mapped(number: int, mapped: bool) -> None:
    """The ends of a range belong to it as they should."""
    assert is_mapped(number, ((0, 1234, 1), (1, 10, 5))) == mapped
