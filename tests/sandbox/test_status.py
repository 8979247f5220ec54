"""How a launch ends: exit statuses, signals, orphans, and what outlives what."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LaunchError
from rootgen.sandbox.cgroup_file import failure
from rootgen.sandbox.launch import Root
from rootgen.sandbox.reading import Reading
from tests.sandbox.tree import ROOTGEN, command_line, launch

if TYPE_CHECKING:
    from pathlib import Path

_WAIT = 20.0  # seconds; what takes longer has failed


def _start(tree: Path, script: str) -> subprocess.Popen[bytes]:
    """Start a script that says ``ready`` when it is; return once it did."""
    process = subprocess.Popen(
        command_line(tree, "sh", "-c", script),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == b"ready\n", process.communicate()[1]
    return process


@pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127, 255])
def test_exit_status(tree: Path, status: int) -> None:
    """The program's own status is ours."""
    assert launch(tree, "sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "HUP", "INT", "USR1"])
def test_killed(tree: Path, name: str) -> None:
    """A program killed by signal n gives 128 + n."""
    done = launch(tree, "sh", "-c", f"kill -{name} $$")
    assert done.returncode == 128 + getattr(signal, f"SIG{name}")


def test_not_found(tree: Path) -> None:
    """127, the name, and the nearest names that the tree has."""
    done = launch(tree, "bahs")
    assert done.returncode == 127
    assert b"bahs" in done.stderr
    assert b"bash" in done.stderr
    assert launch(tree, "/bin/none").returncode == 127
    assert launch(tree, "").returncode == 127


@pytest.mark.parametrize("kind", ["no x bit", "directory", "no format", "empty"])
def test_not_executable(tree: Path, kind: str) -> None:
    """126 for what is there and cannot be executed, with its name."""
    path = tree / "bin/thing"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_text({"no x bit": "#!/bin/sh\n", "no format": "echo\n", "empty": ""}[kind])
        path.chmod(0o644 if kind == "no x bit" else 0o755)
    done = launch(tree, "/bin/thing")
    assert done.returncode == 126, done.stderr.decode()
    assert b"/bin/thing" in done.stderr


def test_script_without_interpreter(tree: Path) -> None:
    """The interpreter that is missing is named, rather than the script alone."""
    (tree / "bin/script").write_text("#!/usr/bin/perl6 -w\n")
    (tree / "bin/script").chmod(0o755)
    done = launch(tree, "script")
    assert done.returncode == 126
    assert b"/usr/bin/perl6" in done.stderr


def test_script_of_another_system(tree: Path) -> None:
    """A carriage return at the end of the first line belongs to the interpreter's name."""
    (tree / "bin/script").write_text("#! /bin/sh\r\necho no\r\n")
    (tree / "bin/script").chmod(0o755)
    done = launch(tree, "script")
    assert done.returncode == 126
    assert b"/bin/sh\\r is not in the tree" in done.stderr
    (tree / "bin/script").write_text("#!\t/bin/sh\t-e \necho yes\n")
    assert launch(tree, "script").stdout == b"yes\n"


def test_program_without_loader(tree: Path) -> None:
    """So is the loader that an ELF file wants."""
    loader = next(path for path in tree.rglob("ld-*") if not path.is_symlink())
    name = "/" + str(loader.relative_to(tree))
    loader.unlink()
    done = launch(tree, "bash")
    assert done.returncode == 126
    assert name.encode() in done.stderr


def test_found_on_path_of_env(tree: Path) -> None:
    """PATH is the program's, with what --env says."""
    (tree / "var/mine").symlink_to("/bin/busybox")
    (tree / "var/true").symlink_to("/bin/busybox")
    assert launch(tree, "true", options=["--env", "PATH=/var"]).returncode == 0
    assert launch(tree, "ls", options=["--env", "PATH=/var"]).returncode == 127


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "USR1", "USR2", "QUIT"])
def test_signal_is_forwarded(tree: Path, name: str) -> None:
    """A signal to rootgen reaches the program, which may do as it likes."""
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    process = _start(tree, script)
    process.send_signal(getattr(signal, f"SIG{name}"))
    rest, _ = process.communicate(timeout=_WAIT)
    assert rest == b"got\n"
    assert process.returncode == 9


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_signal_ends_the_program(tree: Path, name: str) -> None:
    """A program with no handler dies of it, as it would outside."""
    process = _start(tree, "echo ready; exec sleep 1000")
    process.send_signal(getattr(signal, f"SIG{name}"))
    process.communicate(timeout=_WAIT)
    assert process.returncode == 128 + getattr(signal, f"SIG{name}")


def test_zombies_are_reaped(tree: Path) -> None:
    """Orphans become process 1's, which waits for them."""
    script = (
        "for i in 1 2 3; do (sleep 0.1 & ) ; done; sleep 0.6; grep -l 'State:.Z' /proc/*/status"
    )
    done = launch(tree, "sh", "-c", script)
    assert done.stdout == b""


def test_orphans_die_with_the_program(tree: Path) -> None:
    """When the program ends so does all else: nothing holds our output open."""
    begun = time.monotonic()
    done = launch(tree, "sh", "-c", "trap '' TERM HUP; setsid sleep 1000 & sleep 1000 & echo done")
    assert done.stdout == b"done\n"
    assert time.monotonic() - begun < _WAIT


def test_nothing_outlives_a_killed_launcher(tree: Path) -> None:
    """After kill -9 of rootgen the pipe closes: every process that held it is gone."""
    process = _start(tree, "setsid sleep 1000 & trap '' TERM; echo ready; sleep 1000; sleep 1000")
    process.kill()
    rest, _ = process.communicate(timeout=_WAIT)
    assert rest == b""
    assert process.returncode == -signal.SIGKILL


def test_killed_while_starting(tree: Path) -> None:
    """Killed at any moment of the start, nothing stays: the pipe's other end closes each time."""
    for step in range(12):
        process = subprocess.Popen(
            command_line(tree, "sleep", "1000"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.02 + 0.01 * step)
        process.kill()
        process.communicate(timeout=_WAIT)


def test_process_one_cannot_be_killed_from_inside(tree: Path) -> None:
    """Signals from inside to process 1 do nothing: the program runs on."""
    done = launch(tree, "sh", "-c", "kill -9 1; kill -TERM 1; kill -STOP 1; sleep 0.2; exit 4")
    assert done.returncode == 4


def test_stopped_program(tree: Path) -> None:
    """A program that stops itself goes on with SIGCONT."""
    process = _start(tree, "echo ready; kill -STOP $$; exit 6")
    time.sleep(0.3)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=_WAIT)
    assert process.returncode == 6


def test_program_that_closes_its_descriptors(tree: Path) -> None:
    """It is waited for all the same, and what it started in the background ends with it."""
    process = _start(
        tree, "echo ready; exec <&- >&- 2>&-; (setsid sleep 1000 &); sleep 0.3; exit 4"
    )
    assert process.communicate(timeout=_WAIT) == (b"", b"")
    assert process.returncode == 4


@pytest.mark.parametrize("script", ["kill -9 $PPID; exit 4", "kill -9 -1; exit 4", "kill -9 $$"])
def test_program_that_kills(tree: Path, script: str) -> None:
    """Who kills its parent, everybody, or itself: no one but itself is hit."""
    status = launch(tree, "bash", "-c", script).returncode
    assert status == (137 if script.endswith("$$") else 4)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "TREE"],
        ["run", "TREE", "--"],
        ["run", "TREE", "--read-only", "--", "true"],
        ["run", "--json", "TREE", "--", "true"],
        ["run", "--bind", "/etc", "TREE", "--", "true"],
        ["run", "--bind", "/etc:etc", "TREE", "--", "true"],
        ["run", "--bind", "/etc:/../etc", "TREE", "--", "true"],
        ["run", "--tmpfs", "/", "TREE", "--", "true"],
        ["run", "--env", "=x", "TREE", "--", "true"],
        ["run", "--memory", "12Q", "TREE", "--", "true"],
        ["run", "--memory", "-1", "TREE", "--", "true"],
        ["run", "--memory", "nan", "TREE", "--", "true"],
        ["run", "--cpus", "0", "TREE", "--", "true"],
        ["run", "--pids", "0", "TREE", "--", "true"],
        ["run", "--timeout", "0", "TREE", "--", "true"],
        ["run", "--timeout", "soon", "TREE", "--", "true"],
        ["run", "--kill-after", "-1", "TREE", "--", "true"],
        ["run", "--net", "bridge", "TREE", "--", "true"],
        ["run", "--pivot", "none", "TREE", "--", "true"],
        ["run", "--hostname", "a/b", "TREE", "--", "true"],
        ["shell"],
        ["shell", "TREE", "more"],
    ],
)
def test_usage(tree: Path, arguments: list[str]) -> None:
    """No tree, no command, and options that make no sense are wrong usage; nothing is run."""
    line = [str(tree) if word == "TREE" else word for word in arguments]
    done = subprocess.run([ROOTGEN, *line], capture_output=True, check=False, timeout=60)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_descriptors_closed_by_the_caller(tree: Path) -> None:
    """Started without a stdin it still runs, and opens nothing else in its place."""
    line = " ".join(command_line(tree, "sh", "-c", "'exit 5'"))
    done = subprocess.run(["sh", "-c", f"{line} <&-"], capture_output=True, check=False, timeout=60)
    assert done.returncode == 5, done.stderr


def test_tree_that_may_not_be_searched(tmp_path: Path) -> None:
    """Where the caller may not look into the tree the launcher failed: 125."""
    (tmp_path / "closed").mkdir(mode=0)
    if os.geteuid() == 0:
        # For root no directory is closed: a name that cannot be stands in for it.
        root = Root((str(tmp_path / "closed"),))
        with Reading(root) as reading, pytest.raises(LaunchError, match="File name too long"):
            reading.has("n" * 256)
    else:
        done = launch(tmp_path / "closed", "true")
        assert done.returncode == 125
        assert done.stderr == b"rootgen: proc of the tree: Permission denied\n"


@pytest.mark.parametrize("options", [["--tmpfs", "/proc"], ["--bind", "SOURCE:/proc"]])
def test_without_procfs(tree: Path, tmp_path: Path, options: list[str]) -> None:
    """What is mounted on /proc may be no procfs: programs are looked at all the same."""
    (tmp_path / "source").mkdir()
    options = [one.replace("SOURCE", str(tmp_path / "source")) for one in options]
    assert launch(tree, "true", options=options).returncode == 0
    script = tree / "bin/script"
    script.write_text("#!/bin/sh\ntest -e /proc/self; echo $?\n")
    script.chmod(0o755)
    done = launch(tree, "script", options=options)
    assert (done.returncode, done.stdout) == (0, b"1\n"), done.stderr
    script.chmod(0o644)
    done = launch(tree, "script", options=options)
    assert (done.returncode, b"Permission denied" in done.stderr) == (126, True)
    script.write_text("#!/bin/none\n")
    script.chmod(0o755)
    done = launch(tree, "script", options=options)
    assert (done.returncode, b"/bin/none is not in the tree" in done.stderr) == (126, True)


@pytest.mark.parametrize("command", ["ls", "/bin/ls", "/usr/bin/ls"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_hidden_by_a_mount(tree: Path, tmp_path: Path, command: str, kind: str) -> None:
    """Where the tree has it beneath a mount, that is told, and what is hidden is not proposed."""
    (tree / "usr").mkdir()
    (tree / "bin").rename(tree / "usr/bin")
    (tree / "bin").symlink_to("usr/bin")
    (tmp_path / "empty").mkdir()
    given = {"tmpfs": "/usr/bin", "bind": f"{tmp_path}/empty:/usr/bin"}[kind]
    done = launch(tree, command, options=[f"--{kind}", given])
    assert done.returncode == 127
    words = {"tmpfs": "tmpfs", "bind": f"a bind of {tmp_path}/empty"}[kind]
    hint = f"the tree has it, but /usr/bin inside is a mount of its own ({words})"
    assert hint in done.stderr.decode()
    done = launch(tree, f"{command}x", options=[f"--{kind}", given])
    assert done.returncode == 127
    assert b"did you mean" not in done.stderr


def test_never_meant(tree: Path) -> None:
    """What was asked for, and leads nowhere, is not proposed."""
    (tree / "bin/lost").symlink_to("nowhere")
    done = launch(tree, "lost")
    assert done.returncode == 127
    assert b"did you mean lost" not in done.stderr


@pytest.mark.parametrize(
    ("option", "written"),
    [("--bind", "PATH:/x"), ("--device", "PATH:/dev/x"), ("--seccomp", "PATH")],
)
@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("nosuch", "there is no DIR/nosuch on the host; DIR is there"),
        ("far/off/x", "there is no DIR/far on the host; DIR is there"),
        ("gvien/file", "did you mean DIR/given/file?"),
        ("gvien/other", "there is no DIR/gvien on the host; DIR is there"),
        ("given/fiel", "did you mean DIR/given/file?"),
        ("given/file/x", "DIR/given/file is no directory"),
        ("link", "it is a symbolic link that leads nowhere: gone"),
    ],
)
def test_path_that_is_not_there(
    tree: Path, tmp_path: Path, option: str, written: str, path: str, hint: str
) -> None:
    """What an option names of the host and is not there is told with what is there instead."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given/file").touch()
    (tmp_path / "link").symlink_to("gone")
    given = written.replace("PATH", f"{tmp_path}/{path}")
    done = launch(tree, "true", options=[option, given])
    assert done.returncode == 125
    told = done.stderr.decode()
    assert told.startswith(f"rootgen: {option} {tmp_path}/{path}: ")
    assert f"  hint: {hint.replace('DIR', str(tmp_path))}" in told


def test_too_few_open_files(tree: Path) -> None:
    """Where the caller may not have enough files open, the hint is the limit."""
    line = " ".join(command_line(tree, "true"))
    done = subprocess.run(["sh", "-c", f"ulimit -n 10; {line}"], capture_output=True, check=False)
    assert done.returncode == 125
    assert b"Too many open files\n  hint: " in done.stderr
    assert b"ulimit -n 64" in done.stderr
    done = subprocess.run(["sh", "-c", f"ulimit -n 64; {line}"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.root
def test_root_that_may_map_no_ids(tree: Path) -> None:
    """Root without CAP_SETFCAP maps no root (user_namespaces(7)): that is what lacks, not /proc."""
    few = ["setpriv", "--bounding-set=-all"]
    done = subprocess.run([*few, *command_line(tree, "true")], capture_output=True, check=False)
    assert done.returncode == 125
    assert b"cannot write the id map" in done.stderr
    assert b"CAP_SETFCAP" in done.stderr
    assert b"/proc must be writable" not in done.stderr


def test_memory_that_is_too_little() -> None:
    """A limit that the group itself does not fit into is told as that, not as somebody else's."""
    error = failure("make the cgroup", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))
    assert error.hint == "--memory is less than a group takes by itself: give it 1M or more"
    assert "bounds it" in failure("write", OSError(errno.EINVAL, "no")).hint
