"""Launches that go on without their caller: begun, listed, joined, stopped, remembered."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LaunchError, UsageError
from rootgen.linux.process import start_time
from rootgen.sandbox import remembered
from rootgen.sandbox.log import Log, read_log
from tests.sandbox.terminal import Terminal
from tests.sandbox.tree import ROOTGEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_WAIT = 20.0


def _rootgen(
    *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [ROOTGEN, *arguments],
        input=stdin,
        capture_output=True,
        env=env,
        timeout=60,
        check=False,
    )


def _listed(name: str) -> dict[str, object] | None:
    listed = json.loads(_rootgen("ps", "--all", "--json").stdout)["launches"]
    return next((one for one in listed if one["name"] == name), None)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _has_ended(name: str) -> bool:
    found = _listed(name)
    return found is not None and found["state"] == "ended"


@pytest.fixture
def start(tree: Path) -> Iterator[Callable[..., str]]:
    """Begin launches of the tree, with names of their own, that are stopped at the end."""
    names: list[str] = []

    def begin(*command: str, options: Sequence[str] = ()) -> str:
        name = f"test-{os.getpid()}-{len(names)}-{time.monotonic_ns():x}"
        names.append(name)
        done = _rootgen("run", "--detach", "--name", name, *options, str(tree), "--", *command)
        assert (done.returncode, done.stdout.decode()) == (0, f"{name}\n"), done.stderr
        return name

    yield begin
    for name in names:
        _rootgen("stop", "--kill-after", "100ms", name)


def test_goes_on(start: Callable[..., str]) -> None:
    """The name is printed once the program has started; it is listed, and says what it does."""
    name = start("sh", "-c", "echo out; echo err >&2; sleep 1000")
    found = _listed(name)
    assert found is not None
    assert found["state"] == "running"
    assert found["command"] == ["sh", "-c", "echo out; echo err >&2; sleep 1000"]
    assert isinstance(found["pid"], int)
    assert start_time(found["pid"]) is not None
    _wait_for(lambda: _rootgen("logs", name).stdout == b"out\nerr\n")
    table = _rootgen("ps").stdout.decode()
    assert re.search(rf"{name} +{found['pid']} +running for \d+ seconds? +/\S+ +sh -c", table)


def test_stop(start: Callable[..., str]) -> None:
    """SIGTERM, and what does not heed it is killed with all that it started; nothing is left."""
    name = start("sh", "-c", "trap '' TERM HUP; setsid sleep 1000 & while :; do sleep 1; done")
    found = _listed(name)
    assert found is not None
    process = found["pid"]
    assert isinstance(process, int)
    begun = time.monotonic()
    done = _rootgen("stop", "--kill-after", "300ms", name)
    assert (done.returncode, done.stdout.decode()) == (0, f"{name}: exit status 137\n")
    assert 0.3 < time.monotonic() - begun < 10
    assert start_time(process) is None
    assert _listed(name) is None
    assert not os.path.exists(f"{remembered.state_directory()}/{name}")


def test_stopped_by_several(start: Callable[..., str]) -> None:
    """Whoever stops a launch is told how it ended, whoever is the first to forget it."""
    name = start("sh", "-c", "trap 'sleep 0.7; exit 7' TERM; while :; do sleep 0.05; done")
    line = [ROOTGEN, "stop", name]
    stops = [subprocess.Popen(line, stdout=subprocess.PIPE) for _ in range(5)]
    told = [one.communicate(timeout=_WAIT)[0].decode() for one in stops]
    assert told == 5 * [f"{name}: exit status 7\n"]
    assert [one.returncode for one in stops] == 5 * [0]
    assert _listed(name) is None
    assert not os.path.exists(f"{remembered.state_directory()}/{name}")


@pytest.mark.parametrize("name", ["a b", "../x", "-x", ".", "x" * 65, "a/b"])
def test_malformed_name(tree: Path, name: str) -> None:
    """What can be no name is wrong usage, as any malformed value is; nothing is run."""
    for line in (["run", "-d", f"--name={name}", str(tree), "--", "true"], ["stop", "--", name]):
        done = _rootgen(*line)
        assert (done.returncode, done.stdout) == (2, b""), done.stderr
        assert b"is no name for a launch" in done.stderr


def test_stopped_program(start: Callable[..., str]) -> None:
    """A program that has stopped itself is continued to end."""
    name = start("sh", "-c", "kill -STOP $$")
    assert _rootgen("stop", name).stdout.decode() == f"{name}: exit status 143\n"


def test_supervisor_that_is_stopped(start: Callable[..., str]) -> None:
    """Also where the supervisor does nothing any more."""
    name = start("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    one = remembered.read(remembered.state_directory(), name)
    assert one is not None
    assert one.init is not None
    os.kill(one.supervisor.process, signal.SIGSTOP)
    # It is continued for SIGTERM to be seen; so it is stopped once more, as somebody hostile would.
    with subprocess.Popen(
        [ROOTGEN, "stop", "--kill-after", "500ms", name], stdout=subprocess.PIPE
    ) as stopping:
        time.sleep(0.2)
        os.kill(one.supervisor.process, signal.SIGSTOP)
        assert stopping.wait(_WAIT) == 0
    assert not remembered.is_there(one.init)
    assert not remembered.is_there(one.supervisor)


def test_end_is_remembered(start: Callable[..., str]) -> None:
    """What has ended by itself is listed on demand, with its status, until it is stopped."""
    name = start("sh", "-c", "echo done; exit 7")
    _wait_for(lambda: _has_ended(name))
    found = _listed(name)
    assert found is not None
    assert (found["exit_status"], found["pid"]) == (7, None)
    assert name not in _rootgen("ps").stdout.decode()
    assert re.search(rf"{name} +- +exit 7, \d+ seconds? ago", _rootgen("ps", "-a").stdout.decode())
    assert _rootgen("logs", name).stdout == b"done\n"
    assert _rootgen("stop", name).stdout.decode() == f"{name}: exit status 7\n"
    assert _rootgen("logs", name).returncode == 1


def test_time_limit(start: Callable[..., str]) -> None:
    """--timeout holds for it as well, and is told in the log."""
    name = start("sleep", "1000", options=["--timeout", "300ms"])
    _wait_for(lambda: _has_ended(name))
    found = _listed(name)
    assert found is not None
    assert found["exit_status"] == 124
    assert b"its time of 0.3 s was over" in _rootgen("logs", name).stdout


def test_names(start: Callable[..., str], tree: Path) -> None:
    """A name is one launch's while it runs, and the next one's afterwards; others are made up."""
    name = start("sleep", "1000")
    line = ["run", "-d", "--name", name, str(tree), "--", "true"]
    refused = _rootgen(*line)
    assert refused.returncode == 125
    assert f"a launch called {name} is running".encode() in refused.stderr
    _rootgen("stop", name)
    assert _rootgen(*line).returncode == 0
    made_up = _rootgen("run", "-d", str(tree), "--", "/bin/sleep", "1000").stdout.decode().strip()
    assert re.fullmatch(r"sleep-[0-9a-f]{8}", made_up)
    assert _rootgen("stop", made_up).returncode == 0


@pytest.mark.parametrize("name", ["", "..", "a/b", ".x", "-x", "a b", "x" * 65, "ü"])
def test_no_names(name: str) -> None:
    """What is no plain name is refused, before it becomes a path."""
    with pytest.raises(UsageError, match="is no name for a launch"):
        remembered.check_name(name)


@pytest.mark.parametrize(("command", "status"), [("none", 127), ("/etc/passwd", 126)])
def test_not_started(tree: Path, command: str, status: int) -> None:
    """What could not be started is told as ever, and not remembered."""
    name = f"none-{os.getpid()}-{time.monotonic_ns():x}"
    done = _rootgen("run", "-d", "--name", name, str(tree), "--", command)
    assert done.returncode == status
    assert command.encode() in done.stderr
    assert _listed(name) is None


def test_unknown(start: Callable[..., str]) -> None:
    """A name that no launch has is told of, with the nearest one that it has."""
    name = start("sleep", "1000")
    for command in ("stop", "logs", "exec"):
        done = _rootgen(command, f"{name}x")
        assert done.returncode == 1
        assert f"did you mean {name}?".encode() in done.stderr


def test_holds_nothing_of_the_caller(tree: Path) -> None:
    """The caller's pipes close when the caller has ended; the supervisor leads its own session."""
    name = f"test-{os.getpid()}-{time.monotonic_ns():x}"
    read_end, write_end = os.pipe()
    line = [ROOTGEN, "run", "-d", "--name", name, str(tree), "--", "sleep", "1000"]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, pass_fds=[write_end]) as process:
        os.close(write_end)
        assert process.wait(_WAIT) == 0
    with open(read_end, "rb") as file:
        assert file.read() == b""
    one = remembered.read(remembered.state_directory(), name)
    assert one is not None
    supervisor = one.supervisor.process
    assert os.readlink(f"/proc/{supervisor}/cwd") == "/"
    assert [os.readlink(f"/proc/{supervisor}/fd/{number}") for number in range(3)] == 3 * [
        "/dev/null"
    ]
    assert os.getsid(supervisor) == supervisor
    assert _rootgen("stop", name).returncode == 0


def test_killed_supervisor(start: Callable[..., str]) -> None:
    """When the supervisor is killed so is everything inside; the launch is lost, its log is not."""
    name = start("sh", "-c", "echo said; setsid sleep 1000 & trap '' TERM; sleep 1000; sleep 1000")
    _wait_for(lambda: _rootgen("logs", name).stdout == b"said\n")
    one = remembered.read(remembered.state_directory(), name)
    assert one is not None
    assert one.init is not None
    init = one.init
    os.kill(one.supervisor.process, signal.SIGKILL)
    _wait_for(lambda: not remembered.is_there(init))
    found = _listed(name)
    assert found is not None
    assert found["state"] == "lost"
    assert _rootgen("logs", name).stdout == b"said\n"
    assert _rootgen("exec", name, "--", "true").returncode == 125
    assert _rootgen("stop", name).stdout.decode() == f"{name}: lost\n"


def test_id_of_another(start: Callable[..., str]) -> None:
    """A process that has the supervisor's id and is not it is never signalled."""
    name = start("true")
    _wait_for(lambda: _has_ended(name))
    directory = remembered.state_directory()
    one = remembered.read(directory, name)
    assert one is not None
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        theirs = remembered.identity(bystander.pid)
        false = remembered.Identity(theirs.process, theirs.start - 1)
        forged = one._replace(status=None, ended=None, supervisor=false, init=false)
        remembered.write(f"{directory}/{name}", forged)
        assert _rootgen("stop", name).stdout.decode() == f"{name}: lost\n"
        assert bystander.poll() is None
        bystander.kill()


def test_exec(start: Callable[..., str]) -> None:
    """A command inside: the same namespaces, root, user, capabilities; its own output."""
    name = start("sleep", "1000", options=["--env", "A=1", "--hostname", "box"])
    script = (
        "for one in cgroup ipc mnt net pid time user uts; do "
        "[ $(readlink /proc/2/ns/$one) = $(readlink /proc/self/ns/$one) ] || echo $one differs; "
        "done; hostname; echo $A $B; id -u; rights() { grep -E 'Cap|NoNew|Seccomp' $1; }; "
        '[ "$(rights /proc/self/status)" = "$(rights /proc/2/status)" ] || echo rights differ; '
        "exit 9"
    )
    done = _rootgen("exec", "--env", "B=2", name, "--", "bash", "-c", script)
    assert (done.returncode, done.stderr) == (9, b"")
    assert done.stdout == b"box\n1 2\n0\n"
    assert _rootgen("exec", name, "--", "cat", stdin=b"\0in\xff").stdout == b"\0in\xff"
    assert _rootgen("exec", name, stdin=b"echo $0; exit 3\n").returncode == 3


@pytest.mark.parametrize(
    "options", [["--cap-add", "KILL"], ["--cap-add", "SYS_CHROOT", "--cap-add", "KILL"]]
)
@pytest.mark.parametrize("pivot", ["auto", "chroot"])
def test_exec_with_added_capabilities(
    start: Callable[..., str], options: list[str], pivot: str
) -> None:
    """Of users other than 0 the launch's own has what was added, as podman has it."""
    name = start("sleep", "1000", options=["--user", "app", *options, "--pivot", pivot])
    sets = {}
    for user in ("", "app", "0", "1001"):
        given = ["--user", user] if user else []
        done = _rootgen("exec", *given, name, "--", "grep", "Cap", "/proc/self/status")
        lines = [line.split(":") for line in done.stdout.decode().splitlines()]
        sets[user] = {key: value.strip() for key, value in lines if key.startswith("Cap")}
    inside = _rootgen("exec", name, "--", "grep", "Cap", "/proc/2/status").stdout.decode()
    assert sets[""] == sets["app"] == dict(line.split(":\t") for line in inside.splitlines())
    added = 1 << 5 | (1 << 18 if pivot == "auto" and len(options) > 2 else 0)
    assert {int(sets[""][f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Inh", "Amb")} == {added}
    assert int(sets["0"]["CapAmb"], 16) == 0
    assert sets["0"]["CapEff"] == sets["0"]["CapBnd"] == sets[""]["CapBnd"]
    assert {int(sets["1001"][f"Cap{kind}"], 16) for kind in ("Prm", "Eff", "Inh", "Amb")} == {0}


def test_exec_without_procfs(start: Callable[..., str]) -> None:
    """Where something else is mounted on /proc, the tree's users are known all the same."""
    name = start("sleep", "1000", options=["--tmpfs", "/proc"])
    done = _rootgen("exec", "--user", "app", name, "--", "id", "-un")
    assert (done.stdout, done.stderr) == (b"app\n", b"")


@pytest.mark.parametrize(("command", "status"), [("none", 127), ("/etc/passwd", 126)])
def test_exec_errors(start: Callable[..., str], command: str, status: int) -> None:
    """What is not there, or is no program, as for run; the launch goes on."""
    name = start("sleep", "1000")
    done = _rootgen("exec", name, "--", command)
    assert done.returncode == status
    assert command.encode() in done.stderr
    found = _listed(name)
    assert found is not None
    assert found["state"] == "running"


def test_exec_as_the_user(start: Callable[..., str]) -> None:
    """It is who the launch is, with no more rights."""
    name = start("sleep", "1000", options=["--user", "app", "--cap-drop", "ALL"])
    script = "id -un; grep CapBnd /proc/self/status; cd /tmp; pwd"
    done = _rootgen("exec", name, "--", "sh", "-c", script)
    assert done.stdout.splitlines() == [b"app", b"CapBnd:\t0000000000000000", b"/tmp"], done.stderr


_WHO = 'id -u; id -g; id -G; echo "$HOME"; grep CapEff /proc/self/status'


def _who(name: str, *options: str) -> list[str]:
    done = _rootgen("exec", *options, name, "--", "sh", "-c", _WHO)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_exec_as_another_user(start: Callable[..., str]) -> None:
    """By name, number and group, as run has them; with that user's groups and home.

    An ordinary user's launch has these ids where it has ranges of them.
    """
    name = start("sleep", "1000")
    none = "CapEff:\t0000000000000000"
    assert _who(name, "--user", "app") == ["1000", "1000", "1000 2000", "/home/app", none]
    assert _who(name, "--user", "1000") == _who(name, "--user", "app")
    assert _who(name, "-u", "app:audio") == ["1000", "2000", "2000", "/home/app", none]
    assert _who(name, "-u", "4:5") == ["4", "5", "5", "/", none]
    given = _who(name, "--user", "app", "--env", "HOME=/srv", "--workdir", "/home")
    assert given[3] == "/srv"
    assert _who(name)[3] == "/root"


def test_exec_as_root_of_a_users_launch(start: Callable[..., str]) -> None:
    """Back to root, who has no more than the launch had."""
    name = start("sleep", "1000", options=["--user", "app", "--cap-drop", "ALL"])
    assert _who(name)[3] == "/home/app"
    assert _who(name, "-u", "0") == ["0", "0", "0", "/root", "CapEff:\t0000000000000000"]


def test_exec_reads_the_accounts_inside(start: Callable[..., str], tmp_path: Path) -> None:
    """Who a name means says the root as the launch has it, not the tree as it was."""
    passwd = tmp_path / "passwd"
    passwd.write_text("late:x:7:8::/var:/bin/sh\n")
    options = ["--bind", f"{passwd}:/etc/passwd"]
    name = start("sleep", "1000", options=options)
    assert _who(name, "--user", "late")[:4] == ["7", "8", "8", "/var"]
    with passwd.open("a") as file:
        file.write("later:x:9:9::/:/bin/sh\n")
    assert _who(name, "--user", "later")[0] == "9"


@pytest.mark.parametrize(
    ("passwd", "told"),
    [
        ("rm /etc/passwd; mknod /etc/passwd p", "/etc/passwd of the tree: not a regular file"),
        ("ln -sf /proc/1/root/etc/passwd /etc/passwd", "/etc/passwd of the tree: "),
        ("rm /etc/passwd", "/etc/passwd of the tree: No such file"),
        ("echo app:x:99999999999:0::: > /etc/passwd", "no such name in its /etc/passwd"),
    ],
    ids=["fifo", "link of procfs", "none", "no number"],
)
def test_exec_with_hostile_accounts(start: Callable[..., str], passwd: str, told: str) -> None:
    """What the program made of passwd ends nothing and leads nowhere."""
    name = start("sh", "-c", f"{passwd}; echo done; exec sleep 1000")
    _wait_for(lambda: _rootgen("logs", name).stdout == b"done\n")
    done = _rootgen("exec", "--user", "app", name, "--", "true")
    assert done.returncode == 125
    assert told in done.stderr.decode()
    grep = ("grep", "Uid", "/proc/self/status")
    assert _rootgen("exec", "--user", "5", name, "--", *grep).stdout.split()[1] == b"5"


def test_exec_ends_with_the_launch(start: Callable[..., str]) -> None:
    """When the launch is stopped, so is what was started in it."""
    name = start("sleep", "1000")
    line = [ROOTGEN, "exec", name, "--", "sh", "-c", "trap '' TERM; echo r; sleep 1000; sleep 1000"]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"r\n"
        _rootgen("stop", name)
        assert process.wait(_WAIT) == 128 + signal.SIGKILL
        assert process.stdout.read() == b""


def test_exec_ends_with_its_caller(start: Callable[..., str]) -> None:
    """When who called it is killed the command is too; signals are passed on."""
    name = start("sleep", "1000")
    for number, status in ((signal.SIGTERM, 5), (signal.SIGKILL, -signal.SIGKILL)):
        script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        line = [ROOTGEN, "exec", name, "--", "sh", "-c", script]
        with subprocess.Popen(line, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(number)
            assert process.wait(_WAIT) == status
            assert process.stdout.read() == b""  # whoever held it is gone


def test_exec_on_a_terminal(start: Callable[..., str]) -> None:
    """On a terminal it gets one of the launch's own, with job control, and gives ours back."""
    name = start("sleep", "1000")
    with Terminal([ROOTGEN, "exec", name, "--", "bash", "--norc"]) as terminal:
        terminal.run("PS1='>''>'", ">>")
        terminal.run("tty", r"/dev/pts/\d+\r\n")
        terminal.run("sleep 1000", "sleep 1000")
        time.sleep(0.3)
        terminal.press_until("\x1a", "Stopped")
        terminal.expect(">>")
        terminal.run("fg", r"sleep 1000\r\n")
        terminal.press_until("\x03", ">>")
        terminal.run("echo st''ill", r"still\r\n")
        terminal.send("exit 4\n")
        assert terminal.wait() == 4


def test_exec_shows_nothing_of_the_host(start: Callable[..., str]) -> None:
    """From inside, who joins cannot be looked into, nor does it bring an open directory along."""
    watch = (
        "while :; do for one in /proc/[0-9]*; do "
        "n=${one#/proc/}; [ $n = 1 ] || [ $n = $$ ] || { p=$(readlink $one/exe) && "
        'case $p in *python*) echo "seen $p";; esac; '
        "readlink $one/cwd $one/root $one/fd/* | grep -E '^/(var|home|root|work)' ; }; "
        "done; done 2>/dev/null"
    )
    name = start("bash", "-c", watch)
    for _ in range(20):
        assert _rootgen("exec", name, "--", "true").returncode == 0
    assert _rootgen("logs", name).stdout == b""


def test_log_is_bounded(tmp_path: Path) -> None:
    """Of what is printed for ever the last is kept."""
    log = Log(str(tmp_path), half=1000)
    for number in range(1000):
        log.write(b"%07d\n" % number)
    kept = b"".join(read_log(str(tmp_path)))
    assert kept.endswith(b"0000999\n")
    assert 1000 <= len(kept) <= 2000
    assert kept.startswith(b"%07d\n" % (1000 - len(kept) // 8))


def test_output_after_the_last_reader(start: Callable[..., str]) -> None:
    """A program that prints much is not stuck, and ends."""
    name = start("sh", "-c", "seq 1 200000")
    _wait_for(lambda: _has_ended(name))
    assert _rootgen("logs", name).stdout.endswith(b"\n199999\n200000\n")


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_unsafe_directory(tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory that others may enter is not used, nor a link to one."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 1)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if os.getuid() == 0:
        os.chown(tmp_path, 1, 1)
    (tmp_path / "rootgen").mkdir()
    (tmp_path / "rootgen").chmod(mode)
    if os.getuid() == 0:
        os.chown(tmp_path / "rootgen", 1, 1)
    with pytest.raises(LaunchError, match="is not safe"):
        remembered.state_directory()
    (tmp_path / "rootgen").chmod(0o700)
    assert remembered.state_directory() == str(tmp_path / "rootgen")
    (tmp_path / "rootgen").rename(tmp_path / "other")
    (tmp_path / "rootgen").symlink_to("other")
    with pytest.raises(LaunchError, match="is not safe"):
        remembered.state_directory()


def test_few_are_remembered(tmp_path: Path, start: Callable[..., str]) -> None:
    """Of those that have ended the last 32; and nothing of a launcher killed in between."""
    name = start("true")
    _wait_for(lambda: _has_ended(name))
    one = remembered.read(remembered.state_directory(), name)
    assert one is not None
    directory = tmp_path / "state"
    for number in range(40):
        (directory / f"n{number}").mkdir(parents=True)
        ended = one._replace(name=f"n{number}", ended=float(number))
        remembered.write(f"{directory}/n{number}", ended)
    (directory / ".4194304-1f").mkdir()
    remembered.tidy(str(directory))
    left = {path.name for path in directory.iterdir()}
    assert left == {f"n{number}" for number in range(8, 40)}


def test_forgetting_is_interrupted(
    tmp_path: Path, start: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is killed while it forgets leaves nothing that looks like a launch, nor for long."""
    name = start("true")
    _wait_for(lambda: _has_ended(name))
    one = remembered.read(remembered.state_directory(), name)
    assert one is not None
    directory = str(tmp_path / "state")
    os.makedirs(f"{directory}/{name}")
    remembered.write(f"{directory}/{name}", one)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)
        patched.setattr("os.getpid", lambda: 4194304)
        remembered.forget(directory, name)
    assert list(remembered.read_all(directory)) == []
    assert all(left.startswith(".4194304-") for left in os.listdir(directory))
    # As launchers before this one left it.
    os.mkdir(f"{directory}/lost")
    remembered.tidy(directory)
    assert os.listdir(directory) == []
