"""``rootgen pack --to cpio``: what its first process starts, and what it says where it cannot."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path

_PROFILE = """\
rootgen: 1
name: p
programs: [{programs}]
users: [{{name: app, uid: 1000, home: /home/app}}]
files: [{files}]
image: {{{image}}}
"""


def made(place: Path, *, programs: str = "bash", files: str = "", image: str = "") -> str:
    """Make a tree of a profile, and return its name."""
    (place / "p.yaml").write_text(_PROFILE.format(programs=programs, files=files, image=image))
    succeed("make", "-f", str(place / "p.yaml"), "--bare", "--out", str(place / "rootfs"))
    return str(place / "rootfs")


def unpacked(place: Path, archive: str) -> bytes:
    """Return the /init of an archive."""
    with open(place / archive, "rb") as opened:
        done = subprocess.run(
            ["cpio", "--extract", "--quiet", "--to-stdout", "init"],
            stdin=opened, capture_output=True, check=True,
        )  # fmt: skip
    return done.stdout


STARTED: dict[str, tuple[dict[str, str], str, list[bytes]]] = {
    "a shell": ({}, "starts bash,", [b"/usr/bin/bash\0", b"TERM=linux\0", b"HOME=/root\0"]),
    "an entry point": (
        {"programs": "'true', echo", "image": "entrypoint: [echo, a b], env: {X: '1'}, user: app"},
        "starts echo a b,",
        [b"/usr/bin/echo\0", b"a b\0", b"X=1\0", b"HOME=/home/app\0", (1000).to_bytes(8, "little")],
    ),
    "a script": (
        {
            "files": "{path: /srv/go, text: \"#!/usr/bin/bash\\n\", mode: '0755'}",
            "image": "entrypoint: [./go], workdir: /srv",
        },
        "starts ./go,",
        [b"/srv/go\0", b"./go\0", b"/srv\0"],
    ),
}


@pytest.mark.parametrize("name", STARTED)
def test_started(tmp_path: Path, name: str) -> None:
    """It starts what the profile names, as whom and where it says; else the best shell."""
    profile, told, parts = STARTED[name]
    tree = made(tmp_path, **profile)
    assert told in succeed("pack", tree, "--to", "cpio", str(tmp_path / "i"))
    init = unpacked(tmp_path, "i")
    assert init.startswith(b"\x7fELF")
    assert [part for part in parts if part not in init] == []


def test_own_init(tmp_path: Path) -> None:
    """An /init of the tree's own is left as it is, and nothing is added."""
    tree = made(tmp_path, files="{path: /init, text: 'mine', mode: '0755'}")
    assert "note" not in succeed("pack", tree, "--to", "cpio", str(tmp_path / "i"))
    assert unpacked(tmp_path, "i") == b"mine"


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "nothing to start": ({"programs": "'true'"}, "there is nothing for /init to start"),
    "no such program": ({"image": "entrypoint: [nosuch]"}, "/init cannot start nosuch"),
    "no such user": ({"image": "user: nobody-here"}, "the tree has no user 'nobody-here'"),
    "no program": (
        {"files": "{path: /x, text: 'x', mode: '0755'}", "image": "entrypoint: [/x]"},
        "neither an ELF program nor a script",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: Path, name: str) -> None:
    """What could not start is an error now, not in the boot."""
    profile, message = REFUSED[name]
    tree = made(tmp_path, **profile)
    done = rootgen("pack", tree, "--to", "cpio", str(tmp_path / "i"))
    assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "i").exists()


def test_same(tmp_path: Path) -> None:
    """Packed twice it is the same bytes."""
    tree = made(tmp_path)
    for name in ("i", "j"):
        succeed("pack", tree, "--to", "cpio", "--compress", "gzip", str(tmp_path / name))
    assert (tmp_path / "i").read_bytes() == (tmp_path / "j").read_bytes()
