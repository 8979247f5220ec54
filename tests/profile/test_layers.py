"""``layers:`` of profiles: what is wrong with one, what they extend, how they are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.profile.merge import whole
from rootgen.profile.read import load_profiles
from tests.profile.writing import SHIPPED, load, refusal, refusal_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from rootgen.profile.model import Profile

KEYS = "name, extends, programs, libraries, files, users"
TWICE = "layer 'a' is given twice; first in line 2"
CIRCLE = "extends goes round in a circle: p.yaml → p.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layers: {name: a}", "2:9: layers must be a list, not a mapping"),
        ("layers: [a]", "2:10: a layer must be a mapping, not 'a'"),
        ("layers: [{}]", "2:10: a layer needs a 'name'"),
        ("layers: [{programs: [ls]}]", "2:10: a layer needs a 'name'"),
        ("layers: [{name: 5}]", "2:17: name must be text, not the number 5"),
        ("layers: [{nam: a}]", "2:11: unknown key 'nam'; did you mean 'name'?"),
        ("layers: [{name: a, image: {}}]", f"2:20: unknown key 'image'; a layer has {KEYS}"),
        ("layers: [{name: a, programs: ls}]", "2:30: programs must be a list, not 'ls'"),
        ("layers: [{name: a},\n  {name: a}]", f"3:10: {TWICE}"),
        ("layers: [{name: a, extends: [gti]}]", "2:30: unknown profile 'gti'; did you mean 'git'?"),
        ("layers: [{name: a, extends: [./p.yaml]}]", f"2:30: {CIRCLE}"),
        (
            "users: [{name: a, uid: 5}]\nlayers: [{name: l, users: [{name: b, uid: 5}]}]",
            "3:28: uid 5 of 'b' is that of 'a'",
        ),
        (
            f"layers: [{', '.join(f'{{name: l{number}}}' for number in range(101))}]",
            "2:1: 101 layers; an image has at most 100",
        ),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    """Each is told with its place."""
    assert f"p.yaml:{message}" in refusal_of(str(tmp_path), text)


def test_layers_within_layers(tmp_path: Path) -> None:
    """A layer extends what has none of its own; and together there are not too many."""
    here = str(tmp_path)
    many = ", ".join(f"{{name: l{number}}}" for number in range(60))
    write(here, "a.yaml", f"rootgen: 1\nlayers: [{many}]\n")
    write(here, "b.yaml", "rootgen: 1\nlayers: [{name: b, extends: [a.yaml]}]\n")
    told = "b.yaml:2:30: a layer extends 'a', which has layers itself"
    assert refusal(here, "b.yaml") == told
    write(here, "c.yaml", f"rootgen: 1\nextends: a.yaml\nlayers: [{many}]\n")
    assert "120 layers together; an image has at most 100" in refusal(here, "c.yaml")


def names(profile: Profile) -> list[tuple[str, list[str]]]:
    """Return the layers: their names, and their programs."""
    return [(one.name, [rule.name for rule in one.programs]) for one in profile.layers]


def test_merged(tmp_path: Path) -> None:
    """Those of what is extended come first; one of the same name takes the place of the other."""
    here = str(tmp_path)
    base = "rootgen: 1\nlayers: [{name: a, programs: [x]}, {name: b, programs: [y]}]\n"
    write(here, "base.yaml", base)
    write(here, "side.yaml", "rootgen: 1\nprograms: [side]\nimage: {user: app}\nverify: [x]\n")
    top = "rootgen: 1\nextends: base.yaml\nprograms: [p]\nlayers:\n"
    top += "  - {name: c, programs: [z]}\n  - {name: a, extends: [side.yaml], programs: [new]}\n"
    write(here, "top.yaml", top)
    profile = load(here, "top.yaml")
    assert names(profile) == [("a", ["side", "new"]), ("b", ["y"]), ("c", ["z"])]
    # What is no content of a layer is left aside.
    assert (profile.image.user, profile.verify) == ("", ())
    assert profile.layers[0].image.user == ""
    assert [rule.name for rule in whole(profile).programs] == ["p", "side", "new", "y", "z"]
    assert whole(profile).layers == ()


def test_known_programs(tmp_path: Path) -> None:
    """With ``known``, a program brings the shipped profile that is called after it, once."""
    text = 'rootgen: 1\nprograms: ["true", {name: python3, optional: true}]\n'
    text += "layers: [{name: tools, programs: [/usr/bin/git]}]\n"
    path = write(str(tmp_path), "p.yaml", text)
    plain, known = (load_profiles([path], shipped=SHIPPED, known=on) for on in (False, True))
    assert names(plain) == [("tools", ["/usr/bin/git"])]
    assert [rule.name for rule in known.programs] == ["true", "python3"]
    (layer,) = known.layers
    git = load_profiles(["git"], shipped=SHIPPED, known=True)
    assert git == load_profiles(["git"], shipped=SHIPPED)
    assert layer.extends == ("git",)
    assert layer.files == git.files
    assert [rule.name for rule in layer.programs] == [
        *(rule.name for rule in git.programs), "/usr/bin/git",
    ]  # fmt: skip
