"""The profiles that come with rootgen."""

from __future__ import annotations

import os

import pytest

from rootgen.profile.catalog import list_shipped
from rootgen.profile.read import load_profiles, shipped_names
from rootgen.profile.shipped import known_profile, shipped_path
from rootgen.sysroot.directory import host
from rootgen.sysroot.program import find_program
from tests.profile.writing import SHIPPED

NAMES = shipped_names(SHIPPED)


def test_the_catalog() -> None:
    """Every shipped profile is listed, sorted, with a sentence that says what it is for."""
    listed = list_shipped(SHIPPED)
    assert [one.name for one in listed] == sorted(NAMES)
    assert {"base/posix", "git", "python3", "rescue", "sshd-jail"} <= set(NAMES)
    assert all(one.description.strip() for one in listed)


@pytest.mark.parametrize("name", NAMES)
def test_loads(name: str) -> None:
    """Each loads without a mistake, is called what its file is called, and is verified."""
    profile = load_profiles([name], shipped=SHIPPED)
    assert profile.name == name
    assert profile.verify
    assert all(rule.profile in {name, *profile.extends} for rule in profile.programs)


def test_all_at_once() -> None:
    """All of them together contradict each other in nothing."""
    assert load_profiles(NAMES, shipped=SHIPPED).programs


def test_posix_is_here() -> None:
    """Every program of base/posix is on this machine, or optional."""
    root = host()
    rules = load_profiles(["base/posix"], shipped=SHIPPED).programs
    assert len(rules) > 20
    for rule in rules:
        if not rule.optional:
            assert find_program(root, rule.name)


@pytest.mark.parametrize(
    ("program", "profile"),
    [
        ("git", "git"),
        ("/usr/bin/git", "git"),
        ("posix", None),
        ("base/posix", None),
        ("..", None),
        ("", None),
        ("git\0", None),
        ("git.yaml", None),
    ],
)
def test_known_programs(program: str, profile: str | None) -> None:
    """A program brings the shipped profile of its own name, and no other."""
    assert known_profile(program, SHIPPED) == profile


@pytest.mark.parametrize("name", ["", "/", "../git", "base/../git", "base//posix", "./git", "git/"])
def test_names_do_not_lead_out(name: str) -> None:
    """A name is one or more plain components."""
    assert shipped_path(name, os.path.join(SHIPPED, "base")) is None
    assert shipped_path(name, SHIPPED) is None
