"""The README's set-up: two commands, and the first one does in a clean clone what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOP = "bin dev etc home lib lib64 mnt opt proc root run sbin sys tmp usr var".split()


def _set_up_commands() -> list[str]:
    readme = (_ROOT / "README.md").read_text()
    assert readme.count("\n## Set up\n") == 1
    section = readme.partition("\n## Set up\n")[2].partition("\n## ")[0]
    return [
        text.strip()
        for text in re.findall(r"^```\w*\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    ]


def _clean_clone(target: Path) -> Path:
    """Return what someone has who cloned the repository just now."""
    if (_ROOT / ".git").exists():
        trusted = ["git", "-c", "safe.directory=*"]
        subprocess.run([*trusted, "clone", "--quiet", str(_ROOT), str(target)], check=True)
    else:
        # tests/run gives the ordinary user a copy of the files, without their history.
        ignored = shutil.ignore_patterns(".venv", ".*_cache", "__pycache__", ".hypothesis")
        shutil.copytree(_ROOT, target, ignore=ignored, symlinks=True)
    return target


def test_two_commands() -> None:
    """Two commands, the second one being the tests; a third fence would be a third command."""
    commands = _set_up_commands()
    assert len(commands) == 2
    first, second = commands
    assert "rootgen make bash ls --out ./rootfs" in first
    assert "rootgen run ./rootfs -- ls /" in first
    assert second == "tests/run"
    assert os.access(_ROOT / second, os.X_OK)


def test_first_command(tmp_path: Path) -> None:
    """Pasted into a shell in a clean clone, it ends with the directories of the tree."""
    clone = _clean_clone(tmp_path / "clone")
    home = tmp_path / "home"
    home.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        ["sh", "-c", _set_up_commands()[0]],
        cwd=clone,
        env={**inherited, "HOME": str(home), "PATH": _SYSTEM_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-len(_TOP) :] == _TOP
    assert sorted(os.listdir(clone / "rootfs")) == _TOP
