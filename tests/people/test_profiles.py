"""Each shipped profile, made, entered, and its own `verify` commands run inside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from rootgen.profile.read import load_profiles, shipped_names
from rootgen.profile.shipped import shipped_directory
from tests.people.command import rootgen, succeed

if TYPE_CHECKING:
    from pathlib import Path

SHIPPED = shipped_directory()


@pytest.mark.parametrize("name", shipped_names(SHIPPED))
def test_profile(name: str, tmp_path: Path) -> None:
    """What the profile promises holds inside its own tree, which stays as it was made."""
    out = str(tmp_path / "rootfs")
    succeed("make", "-f", name, "--out", out)
    checks = load_profiles((name,), shipped=SHIPPED).verify
    assert checks
    for check in checks:
        done = rootgen("run", out, "--", "sh", "-c", check.run)
        assert done.returncode == 0, (check.run, done.stdout, done.stderr)
        assert re.search(check.expect, done.stdout, re.MULTILINE), (check.run, done.stdout)
    done = rootgen("check", out)
    assert done.returncode == 0, done.stdout


def test_known_program_brings_its_profile(tmp_path: Path) -> None:
    """`make git` brings what profile git says; `--bare` does not."""
    succeed("make", "git", "--out", str(tmp_path / "full"))
    succeed("make", "git", "--bare", "--out", str(tmp_path / "bare"))
    assert (tmp_path / "full/usr/lib/git-core/git-remote-https").exists()
    assert not (tmp_path / "bare/usr/lib/git-core").exists()


def test_user_of_a_profile(tmp_path: Path) -> None:
    """A profile of one's own, extending a shipped one: its user, files and defaults hold inside."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/hello.txt").write_text("hello\n")
    (tmp_path / "mine.yaml").write_text(
        "rootgen: 1\n"
        "name: mine\n"
        "extends: [base/posix]\n"
        "files:\n"
        "  - {path: /srv/app, from: ./app, owner: app}\n"
        '  - {path: /etc/motd, text: "welcome\\n", mode: "0600"}\n'
        "users: [{name: app, uid: 1000, home: /home/app, shell: /bin/bash}]\n"
        "image: {user: app, workdir: /srv/app, env: {GREETING: hi}}\n"
    )
    out = str(tmp_path / "rootfs")
    succeed("make", "-f", str(tmp_path / "mine.yaml"), "--out", out)
    script = "id -un; pwd; echo $GREETING $HOME; cat hello.txt"
    printed = succeed("run", out, "--", "sh", "-c", script)
    assert printed.split() == ["app", "/srv/app", "hi", "/home/app", "hello"]
