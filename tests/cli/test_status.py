"""How a command line ends: its status, its streams, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.process import in_terminal, run, start
from tests.people.command import ROOTGEN

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mak"], "No such command 'mak'. Did you mean 'make'?"),
        (["chekc"], "No such command 'chekc'. Did you mean 'check'?"),
        (["qqqq"], "No such command 'qqqq'."),
        (["profile", "lst"], "No such command 'lst'. Did you mean 'list'?"),
        (["make", "--dryrun", "bash"], "No such option '--dryrun'. Did you mean '--dry-run'?"),
        (["deps", "--formt", "x", "ls"], "No such option '--formt'. Did you mean '--format'?"),
        (["deps"], "Missing argument 'FILE...'."),
        (["deps", "--format", "x", "bash"], "Invalid value for '--format': 'x' is not one of"),
        (["why", "x"], "Missing argument 'PATH'."),
        (["diff", "x"], "Missing argument"),
        (["make", "bash", "--out"], "Option '--out' requires an argument."),
        (["make", "bash", "--add", "x:y", "--out", "z"], "DEST must be an absolute path"),
        (["make"], "nothing to make: name a program, or a profile with -f"),
        (["make", "bash"], "where to? name the directory with --out, or use --dry-run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    """Wrong usage is 2, on standard error, with what comes near."""
    status, output, errors = run(*arguments)
    assert (status, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deps", "bsah"], "rootgen: no such program: bsah\n"),
        (["deps", "/"], "rootgen: / is a directory, not a program\n"),
        (["deps", "/etc/passwd"], "rootgen: /etc/passwd is neither an ELF file nor a script\n"),
        (["deps", "--sysroot", "/nowhere", "ls"], "rootgen: cannot read the root /nowhere: "),
        (["make", "bsah", "--dry-run"], "rootgen: no such program: bsah\n"),
        (["make", "-f", "gti", "--dry-run"], "rootgen: unknown profile 'gti'; did you mean 'git'?"),
        (["check", "/nowhere"], "rootgen: "),
        (["why", "/nowhere", "/bin"], "rootgen: "),
        (["diff", "/nowhere", "/nowhere"], "rootgen: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_failure(arguments: list[str], message: str) -> None:
    """What fails is 1, with one message that begins with who says it."""
    status, output, errors = run(*arguments)
    assert (status, output) == (1, "")
    assert errors.startswith(message)
    assert errors.count("rootgen: ") == 1
    assert "Traceback" not in errors


def test_names_that_are_no_text() -> None:
    """A name that is not UTF-8, or holds control characters, is shown without harm."""
    status, _, errors = run("deps", b"\xff\x1b[31m")
    assert status == 1
    assert errors.splitlines()[0] == "rootgen: no such program: \\xff\\x1b[31m"


def test_interrupted(tmp_path: Path) -> None:
    """Ctrl-C is 130 with one line, and nothing is left under the final name."""
    out = str(tmp_path / "out")
    reader, writer = os.pipe()
    with start("make", "-f", "-", "--out", out, stdin=reader) as process:
        os.close(reader)
        deadline = time.monotonic() + 20
        # It waits for the profile once it reads the pipe: the wait channel tells.
        while time.monotonic() < deadline:
            with open(f"/proc/{process.pid}/syscall") as file:
                if file.read().startswith("0 0x0 "):
                    break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    os.close(writer)
    assert (process.returncode, output, errors) == (130, b"", b"rootgen: interrupted\n")
    assert not os.listdir(tmp_path)


def test_a_reader_that_goes_away() -> None:
    """`rootgen … | head -1` ends as other programs do, and says nothing."""
    programs = [f"/usr/bin/{name}" for name in sorted(os.listdir("/usr/bin"))[:400]]
    elf = [path for path in programs if os.path.isfile(path) and _is_elf(path)][:120]
    with start("deps", "--format", "json", *elf) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=60)
    assert (process.returncode, errors) == (141, b"")


def _is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


@pytest.mark.parametrize("arguments", [["deps", "bash"], ["--help"], ["make", "--dry-run", "ls"]])
def test_a_full_disk(arguments: list[str]) -> None:
    """What could not be written is a failure, said in one line."""
    with open("/dev/full", "wb") as full:
        status, _, errors = run(*arguments, stdout=full)
    assert (status, errors) == (1, "rootgen: standard output: No space left on device\n")


def test_colours() -> None:
    """A terminal that has colours gets them, unless NO_COLOR says no; a pipe gets none."""
    able = {"TERM": "xterm"}
    assert "\x1b[" in in_terminal("deps", "bash", environment=able)
    assert "\x1b[" in in_terminal("deps", "bash", environment={**able, "NO_COLOR": ""})
    for environment in ({**able, "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[" not in in_terminal("deps", "bash", environment=environment)
    assert "\x1b[" not in run("deps", "bash", env={**os.environ, **able})[1]


def test_completion() -> None:
    """Shells complete the commands, from the table."""
    environment = {
        **os.environ,
        "_ROOTGEN_COMPLETE": "bash_complete",
        "COMP_WORDS": "rootgen ma",
        "COMP_CWORD": "1",
    }
    status, output, errors = run(env=environment, stdin=subprocess.DEVNULL)
    assert (status, output, errors) == (0, "plain,make\n", "")


@pytest.mark.parametrize("arguments", ["make ./ls --out out", "make ls --out out", "deps ./ls"])
def test_directory_that_is_gone(tmp_path: Path, arguments: str) -> None:
    """Nothing is relative to a directory that was removed, and that is said."""
    line = f"mkdir gone && cd gone && rmdir ../gone && {ROOTGEN} {arguments}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = "rootgen: the current directory is gone\n  hint: cd to one that is there\n"
    assert (done.returncode, done.stderr) == (1, told)
