"""Limits of single processes: what a program has, may be given, and may not."""

from __future__ import annotations

import resource
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LaunchError
from rootgen.sandbox.options import Rlimit
from rootgen.sandbox.rlimit import RESOURCES, compose_rlimits
from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import command_line, launch, shell

if TYPE_CHECKING:
    from pathlib import Path

OWN = {"nofile": (1024, 4096), "core": (None, None), "cpu": (None, 60)}
CORE = Rlimit("core", 0, None)


@pytest.mark.parametrize(
    ("wanted", "composed"),
    [
        ((), (CORE,)),
        ((Rlimit("nofile", 9, 9),), (CORE, Rlimit("nofile", 9, 9))),
        ((Rlimit("core", None, None),), (Rlimit("core", None, None),)),
        ((Rlimit("cpu", 1, 1), Rlimit("cpu", 2, 60)), (CORE, Rlimit("cpu", 2, 60))),
    ],
)
def test_composed(wanted: tuple[Rlimit, ...], composed: tuple[Rlimit, ...]) -> None:
    """No core file unless it is asked for; the last of one name counts."""
    assert compose_rlimits(wanted, OWN, may_raise=False) == composed


@pytest.mark.parametrize("hard", [4097, None])
def test_hard_limit(hard: int | None) -> None:
    """Only who may raises a hard limit; the error says how far one can go."""
    wanted = (Rlimit("nofile", 9, hard),)
    with pytest.raises(LaunchError, match="above the caller's own hard limit, 4096") as caught:
        compose_rlimits(wanted, OWN, may_raise=False)
    assert "4096" in caught.value.hint
    assert compose_rlimits(wanted, OWN, may_raise=True) == (CORE, *wanted)


def test_every_limit_of_the_kernel() -> None:
    """None of setrlimit(2) is missing: their numbers are those from 0 to 15."""
    assert sorted(RESOURCES.values()) == list(range(16))


def test_the_callers_hold(tree: Path) -> None:
    """What is not asked for is the caller's, but for core files."""
    theirs = shell(tree, "ulimit -n; ulimit -Hn; ulimit -Hc; ulimit -c").split()
    own = [resource.getrlimit(resource.RLIMIT_NOFILE)[index] for index in (0, 1)]
    core = resource.getrlimit(resource.RLIMIT_CORE)[1]
    word = "unlimited" if core == resource.RLIM_INFINITY else str(core // 512)
    assert theirs == [*map(str, own), word, "0"]


def test_asked_for(tree: Path) -> None:
    """Soft and hard, in the units of setrlimit(2); what process 1 could not live under, too."""
    options = ["--ulimit", "nofile=9:12", "--ulimit", "as=8M", "--ulimit", "nproc=1"]
    script = "ulimit -n; ulimit -Hn; ulimit -v; ulimit -u"
    assert shell(tree, script, options).split() == ["9", "12", "8192", "1"]


def test_a_file_too_large(tree: Path) -> None:
    """Who writes more than it may is ended by the kernel, as anywhere."""
    script = "head -c 300000 /dev/zero >/tmp/x; echo $?; wc -c </tmp/x"
    assert shell(tree, script, ["--ulimit", "fsize=100K"]).split() == ["153", "102400"]


def test_processor_time(tree: Path) -> None:
    """A second of processor time is a second; what process 1 used before does not count."""
    done = launch(tree, "sh", "-c", "while :; do :; done", options=["--ulimit", "cpu=1"])
    assert done.returncode == 128 + 9


def test_refused(tree: Path) -> None:
    """A hard limit above the caller's is refused, and nothing runs: 125."""
    command = command_line(tree, "touch", "/var/ran", options=["--ulimit", "nofile=200"])
    limited = ["prlimit", "--nofile=100:100", *command]
    # Who may raise limits is made one who may not.
    dropped = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", *limited]
    done = subprocess.run(dropped, capture_output=True, timeout=60, check=False)
    if done.returncode == 1 and b"setpriv" in done.stderr:  # an ordinary user has none to drop
        done = subprocess.run(limited, capture_output=True, timeout=60, check=False)
    assert done.returncode == 125, done.stderr
    assert b"above the caller's own hard limit, 100" in done.stderr
    assert not (tree / "var/ran").exists()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("files=3", b"NAME is one of as, core, cpu"),
        ("nofile", b"expected NAME=SOFT[:HARD]"),
        ("nofile=3K", b"'3K' is neither a number nor unlimited"),
        ("nofile=9:3", b"the soft limit is above the hard one"),
        ("fsize=unlimited:3", b"the soft limit is above the hard one"),
    ],
)
def test_mistakes(tree: Path, written: str, message: bytes) -> None:
    """What is no limit is a mistake of usage, and says what would be one."""
    done = launch(tree, "true", options=["--ulimit", written])
    assert done.returncode == 2
    assert message in done.stderr


def test_a_program_that_cannot_be_executed(tree: Path) -> None:
    """With limits as without: 126 and why."""
    (tree / "bin/text").write_text("#!/nowhere\n")
    (tree / "bin/text").chmod(0o755)
    done = launch(tree, "text", options=["--ulimit", "nofile=64"])
    assert done.returncode in {126, 127}
    assert b"/bin/text" in done.stderr


def test_on_a_terminal(tree: Path) -> None:
    """A program with limits has the terminal as any other has."""
    with Terminal(command_line(tree, "sh", options=["--ulimit", "nofile=64"])) as terminal:
        terminal.run("tty", "/dev/pts/0")
        terminal.run("ulimit -n", "64")
