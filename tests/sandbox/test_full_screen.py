"""Programs that take the whole screen: vim, less, top, tmux, and job control between them."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import ROOTGEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROGRAMS = ("vim.tiny", "less", "top", "tmux")
_OPTIONS = ("--env", "TERM=xterm", "--env", "LANG=C.UTF-8", "--ephemeral")
_ALTERNATE, _NORMAL = r"\x1b\[\?1049h", r"\x1b\[\?1049l"  # xterm's two screens


@pytest.fixture(scope="module")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a tree of the real programs, as anybody would."""
    out = tmp_path_factory.mktemp("screen") / "rootfs"
    subprocess.run(
        [ROOTGEN, "make", "-f", "base/posix", *_PROGRAMS, "--out", str(out)],
        check=True,
        capture_output=True,
    )
    return out


@pytest.fixture
def bash(rootfs: Path) -> Iterator[Terminal]:
    """Open a shell in it, with a prompt of no ambiguity."""
    line = [ROOTGEN, "run", *_OPTIONS, str(rootfs), "--", "bash", "--norc", "--noprofile"]
    with Terminal(line) as terminal:
        terminal.run("PS1='>''>'", ">>")
        yield terminal
        terminal.send("exit 0\n")
        assert terminal.wait() == 0, terminal.seen


def test_vim(bash: Terminal) -> None:
    """Text is typed, the window changes its size, and the file has what was typed."""
    bash.send("vim.tiny /tmp/note\n")
    bash.expect(_ALTERNATE)
    bash.expect("All|note")
    bash.send("ifirst\nsecond\x1b")
    time.sleep(0.5)  # what follows an escape too soon is part of a key
    bash.resize(40, 120)
    time.sleep(0.5)
    bash.send(":set columns? lines?\r")
    bash.expect("columns=120(.|\n)*lines=40")
    bash.send("\r:wq\r")
    bash.expect(_NORMAL)
    bash.expect(">>")
    bash.run("cat /tmp/note; echo e''nd", r"first\r\nsecond\r\nend")


def test_less(bash: Terminal) -> None:
    """Pages forward, to the end, a search, and out again with the screen as it was."""
    bash.send("seq 1 500 | less\n")
    bash.expect(r"23\r\n")
    bash.send(" ")
    bash.expect(r"46\r\n")
    bash.send("G")
    bash.expect(r"500\r\n.*END")
    bash.send("?^77$\n")
    bash.expect("77")
    bash.send("q")
    bash.expect(">>")


def test_top(bash: Terminal) -> None:
    """It shows the processes of this launch, and no others."""
    bash.send("top -d 1\n")
    bash.expect(r"Tasks:[^T]* 3 ")
    bash.expect("bash")
    bash.send("q")
    bash.expect(">>")


def test_tmux(bash: Terminal) -> None:
    """Two panes, detached from and attached to again, each a terminal of its own."""
    # Two keys within a millisecond are text that was pasted, and no binding (assume-paste-time).
    bash.send("tmux -f /dev/null new-session -s work \\; set -g assume-paste-time 0\n")
    bash.expect(_ALTERNATE)
    bash.expect(r"\[work\]")
    bash.send("echo up''per; tty\n")
    bash.expect("upper")
    bash.expect(r"/dev/pts/1")
    bash.send('\x02"')
    bash.send("echo lo''wer; tty\n")
    bash.expect("lower")
    bash.expect(r"/dev/pts/2")
    bash.send("\x02d")
    bash.expect(r"\[detached")
    bash.expect(">>")
    bash.run("tmux list-panes -t work | wc -l", r"\r2\r\n")
    bash.send("tmux attach -t work\n")
    bash.expect("upper(.|\n)*lower")
    bash.send("\x02:")
    time.sleep(0.3)
    bash.send("kill-server\r")
    bash.expect(r"server exited")
    bash.expect(">>")


def test_job_control(bash: Terminal) -> None:
    """A session of jobs: an editor suspended, a pager beside it, one interrupted, each back."""
    bash.send("vim.tiny /tmp/draft\n")
    bash.expect(_ALTERNATE)
    bash.expect("All|draft")
    bash.send("ihello\x1b")
    time.sleep(0.5)
    bash.press_until("\x1a", _NORMAL)
    bash.expect("Stopped")
    bash.expect(">>")
    bash.send("seq 1 500 | less\n")
    bash.expect(r"23\r\n")
    bash.press_until("\x1a", "Stopped")
    bash.expect(">>")
    bash.run("sleep 1000 &", r"\[3\] \d+")
    bash.run("jobs | wc -l", r"\r3\r\n")
    bash.send("fg %1\n")
    bash.expect(_ALTERNATE)
    bash.expect("hello")
    bash.send(":wq\n")
    bash.expect(_NORMAL)
    bash.expect(">>")
    bash.send("fg %2\n")
    bash.expect("23")
    bash.send("q")
    bash.expect(">>")
    bash.send("fg %3\n")
    bash.expect("sleep 1000")
    bash.press_until("\x03", ">>")  # bash says the name before it gives the terminal away
    bash.run("cat /tmp/draft; jobs | wc -l", r"hello\r\n0\r\n")
