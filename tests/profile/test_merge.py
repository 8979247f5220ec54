"""What profiles say together: later over earlier, each rule with the name of its profile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import ProfileError
from rootgen.profile.read import find_profile, load_profiles
from tests.profile.writing import SHIPPED, load, write

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
rootgen: 1
name: base
description: below
programs: [sh, {name: vim, optional: true}]
files: [{path: /etc/motd, text: old}, /etc/inputrc]
users: [{name: app, uid: 1000}]
image: {entrypoint: [sh], env: {A: "1", B: "2"}, labels: {x: y}}
verify: [{run: sh -c true, expect: a}]
"""
TOP = """
rootgen: 1
name: top
extends: base.yaml
programs: [git, vim]
files: [{path: /etc/motd, text: new, mode: "0600"}]
users: [{name: app, uid: 2000, home: /srv}]
image: {command: [git], env: {B: "3", C: "4"}}
verify: [{run: sh -c true, expect: b}]
"""


@pytest.fixture
def both(tmp_path: Path) -> str:
    """Write two profiles, the one extending the other, and return their directory."""
    write(str(tmp_path), "base.yaml", BASE)
    write(str(tmp_path), "top.yaml", TOP)
    return str(tmp_path)


def test_later_over_earlier(both: str) -> None:
    """What has a name is replaced, what is new is added; image keys override one by one."""
    profile = load(both, "top.yaml")
    assert (profile.name, profile.description, profile.extends) == ("top", "", ("base",))
    assert [(rule.name, rule.profile, rule.optional) for rule in profile.programs] == [
        ("sh", "base", False),
        ("git", "top", False),
        ("vim", "top", False),
    ]
    assert [(rule.path, rule.text, rule.mode) for rule in profile.files] == [
        ("/etc/inputrc", None, None),
        ("/etc/motd", "new", 0o600),
    ]
    assert [(user.name, user.uid, user.gid, user.home) for user in profile.users] == [
        ("app", 2000, 2000, "/srv")
    ]
    image = profile.image
    assert (image.entrypoint, image.command) == (("sh",), ("git",))
    assert dict(image.env) == {"A": "1", "B": "3", "C": "4"}
    assert dict(image.labels) == {"x": "y"}
    assert [(check.run, check.expect) for check in profile.verify] == [("sh -c true", "b")]


def test_the_same_twice(both: str) -> None:
    """A profile named twice, or extended by two others, counts once, where it came first."""
    write(both, "side.yaml", "rootgen: 1\nextends: [./base.yaml, base.yaml]\nprograms: [ls]\n")
    profile = load(both, "top.yaml", "side.yaml", "./top.yaml")
    assert [rule.name for rule in profile.programs] == ["sh", "git", "vim", "ls"]


def test_extends_is_relative_to_its_file(tmp_path: Path) -> None:
    """A file is looked for beside the one that names it, a shipped profile by its name."""
    write(str(tmp_path), "a/one.yaml", "rootgen: 1\nextends: [../b/two.yaml, base/posix]\n")
    write(str(tmp_path), "b/two.yaml", "rootgen: 1\nextends: three.yaml\n")
    write(str(tmp_path), "b/three.yaml", "rootgen: 1\nprograms: [three]\n")
    profile = load(str(tmp_path), "a/one.yaml")
    assert profile.programs[0].name == "three"
    assert profile.extends == ("three", "two", "base/posix")


def test_from_is_relative_to_its_file(tmp_path: Path) -> None:
    """`from:` starts at the profile's own directory, and links within it are followed."""
    write(str(tmp_path), "a/data/file", "x")
    (tmp_path / "a/way").symlink_to("data")
    text = """
rootgen: 1
files:
  - {path: /1, from: data/file}
  - {path: /2, from: way/file}
  - {path: /3, from: .}
  - {path: /4, from: gone, optional: true}
"""
    write(str(tmp_path), "a/p.yaml", text)
    top = os.path.realpath(tmp_path / "a")
    assert [rule.source for rule in load(str(tmp_path), "a/p.yaml").files] == [
        f"{top}/data/file",
        f"{top}/data/file",
        top,
        f"{top}/gone",
    ]


def test_nothing_named() -> None:
    """No names are no profile."""
    with pytest.raises(ProfileError, match=r"^no profile named$"):
        load_profiles([], shipped=SHIPPED)


def test_find_profile(both: str) -> None:
    """A name leads to its file; a wrong one to the nearest."""
    assert find_profile("git", shipped=SHIPPED) == f"{SHIPPED}/git.yaml"
    assert find_profile("top.yaml", shipped=SHIPPED, base_directory=both) == f"{both}/top.yaml"
    with pytest.raises(ProfileError, match="did you mean 'git'"):
        find_profile("gitt", shipped=SHIPPED)
