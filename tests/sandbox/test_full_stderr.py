"""Notes and messages of a launch that nobody takes: they neither stop it nor change its status."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.sandbox.mounts import MANIFEST
from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import ROOTGEN, command_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FILL = "while :; do echo y >&2; done"
_EXIT_5 = ("sh", "-c", "echo ran; exit 5")
_TOO_MUCH = "dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null"


@pytest.fixture(params=["full", "closed", "pipe without a reader", "full pipe"])
def errors(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """Return a descriptor to which nothing can be written; None stands for a closed one."""
    if request.param == "closed":
        yield None
        return
    if request.param == "full":
        descriptor = reader = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
    if request.param == "pipe without a reader":
        os.close(reader)
        reader = descriptor
    if request.param == "full pipe":
        os.set_blocking(descriptor, False)
        for size in (65536, 1):
            _fill(descriptor, size)
        os.set_blocking(descriptor, True)
    yield descriptor
    for one in {reader, descriptor}:
        os.close(one)


def _fill(descriptor: int, size: int) -> None:
    try:
        while True:
            os.write(descriptor, bytes(size))
    except BlockingIOError:
        return


def _run(line: Sequence[str], errors: int | None) -> tuple[int, bytes]:
    if errors is None:
        line = ["sh", "-c", 'exec "$@" 2>&-', "sh", *line]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=errors, timeout=20, check=False)
    return done.returncode, done.stdout


def test_time_over(tree: Path, errors: int | None) -> None:
    """124, whatever became of the note."""
    line = command_line(tree, "sleep", "1000", options=["--timeout", "300ms"])
    assert _run(line, errors) == (124, b"")


def test_root_changed_by_chroot(tree: Path, errors: int | None) -> None:
    """The note comes before the program, which starts all the same."""
    line = command_line(tree, *_EXIT_5, options=["--pivot", "chroot"])
    assert _run(line, errors) == (5, b"ran\n")


@pytest.mark.root
def test_out_of_memory(tree: Path, errors: int | None) -> None:
    """Neither of the program, nor of a child of it."""
    options = ["--memory", "64M"]
    line = command_line(tree, "sh", "-c", f"exec {_TOO_MUCH}", options=options)
    assert _run(line, errors) == (137, b"")
    line = command_line(tree, "sh", "-c", f"{_TOO_MUCH}; echo ran; exit 5", options=options)
    assert _run(line, errors) == (5, b"ran\n")


def test_note_before_the_start(tree: Path, errors: int | None) -> None:
    """A note of the launcher's own: the manifest sets no defaults."""
    manifest = tree / MANIFEST.lstrip("/")
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{nonsense\n")
    assert _run(command_line(tree, *_EXIT_5), errors) == (5, b"ran\n")
    done = subprocess.run(command_line(tree, *_EXIT_5), capture_output=True, check=False)
    assert b"sets no defaults" in done.stderr


@pytest.mark.parametrize("errors", ["full", "closed", "pipe without a reader"], indirect=True)
def test_messages(tree: Path, errors: int | None) -> None:
    """Not found is 127, a root that is not there 125, wrong usage 2."""
    assert _run(command_line(tree, "nosuch"), errors) == (127, b"")
    assert _run(command_line(tree / "nosuch", "true"), errors) == (125, b"")
    assert _run(command_line(tree, "true", options=["--bogus"]), errors) == (2, b"")
    assert _run(command_line(tree, "true", options=["--memory", "12Q"]), errors) == (2, b"")


def test_pipe_that_the_program_filled(tree: Path) -> None:
    """The program itself leaves no room for the note, and its end is in time all the same."""
    reader, writer = os.pipe()
    try:
        line = command_line(tree, "sh", "-c", _FILL, options=["--timeout", "500ms"])
        begun = time.monotonic()
        assert _run(line, writer) == (124, b"")
        assert time.monotonic() - begun < 10
    finally:
        os.close(reader)
        os.close(writer)


def test_terminal_that_is_not_drained(tree: Path) -> None:
    """The same on a terminal that is standard error alone."""
    line = " ".join(command_line(tree, "sh", "-c", f"'{_FILL}'", options=["--timeout", "500ms"]))
    with Terminal(["/bin/sh", "-c", f"exec {line} </dev/null >/dev/null"]) as terminal:
        assert terminal.process.wait(timeout=20) == 124


def test_slow_reader_gets_the_note(tree: Path) -> None:
    """Who makes room within a second is told."""
    line = command_line(tree, "sh", "-c", _FILL, options=["--timeout", "500ms"])
    with subprocess.Popen(line, stderr=subprocess.PIPE) as process:
        time.sleep(1)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 124
    assert said.endswith(b"\nrootgen: its time of 0.5 s was over: ended by SIGTERM\n")


@pytest.mark.parametrize("options", [["--explain"], ["--explain", "--json"]])
@pytest.mark.parametrize("to", ["/dev/full", "&-"])
def test_explain_that_cannot_be_printed(tree: Path, options: list[str], to: str) -> None:
    """What run cannot print is a failure of run's own: 125."""
    line = " ".join(command_line(tree, "true", options=options))
    done = subprocess.run(["sh", "-c", f"{line} >{to}"], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 125
    assert done.stderr.startswith(b"rootgen: standard output: ")


def test_detached_whose_name_cannot_be_printed(tree: Path) -> None:
    """125 and a message that names it: it goes on."""
    options = ["--detach", "--name", f"full-{os.getpid()}"]
    line = " ".join(command_line(tree, "sleep", "1000", options=options))
    done = subprocess.run(["sh", "-c", f"{line} >/dev/full"], stderr=subprocess.PIPE, check=False)
    stopped = subprocess.run([ROOTGEN, "stop", options[-1]], capture_output=True, check=False)
    assert done.returncode == 125
    assert options[-1].encode() in done.stderr
    assert b"rootgen stop" in done.stderr
    assert b"143" in stopped.stdout


@pytest.mark.parametrize(
    "option", ["--bind .:/x", "--device null:/dev/x", "--io null:wbps=1M", "--store s"]
)
def test_directory_that_is_gone(tree: Path, tmp_path: Path, option: str) -> None:
    """Nothing is relative to a directory that was removed: 125, and what to do."""
    (tmp_path / "gone").mkdir()
    root = "image" if "store" in option else str(tree)
    line = f"rmdir ../gone; {ROOTGEN} run {option} {root} -- true"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path / "gone", stderr=subprocess.PIPE, check=False
    )
    assert done.returncode == 125
    assert done.stderr.startswith(b"rootgen: the current directory is gone\n  hint: ")


def test_callers_timer_goes_on() -> None:
    """A timer that was set before us (alarm(2) survives execve(2)) goes on."""
    code = (
        "import os, signal, time\nfrom rootgen.linux.note import write_note\n"
        "r, w = os.pipe(); os.set_blocking(w, False)\n"
        "try:\n while True: os.write(w, bytes(4096))\nexcept BlockingIOError: pass\n"
        "os.set_blocking(w, True); os.dup2(w, 2)\n"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN); signal.setitimer(signal.ITIMER_REAL, 50)\n"
        "begun = time.monotonic(); write_note(b'x' * 100, 0.2); took = time.monotonic() - begun\n"
        "print(0.2 <= took < 5, 40 < signal.getitimer(signal.ITIMER_REAL)[0] < 50,"
        " signal.getsignal(signal.SIGALRM) == signal.SIG_IGN)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "True True True\n"
