"""Launches from Python: output, errors, time, threads, and nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest

import rootgen
from rootgen.api import connection, server
from rootgen.api import launched as launched_module
from rootgen.errors import LaunchError, NotExecutableError, NotFoundError, UsageError
from rootgen.sandbox.facts import Process, read_process
from rootgen.sandbox.root_use import RootUse
from tests.api.servers import parent_of, wait_for_end
from tests.sandbox.tree import build_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_EVERY_BYTE = bytes(range(256)) * 4096  # a megabyte: more than pipes hold


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one tree for all: what is run here does not change it."""
    return build_tree(tmp_path_factory.mktemp("launched") / "tree")


def test_output(tree: Path) -> None:
    """Status and both streams, apart."""
    done = rootgen.run(tree, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.status, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert (done.timed_out, done.truncated, done.notes) == (False, False, ())


def test_binary(tree: Path) -> None:
    """Input and output are bytes, and neither waits for the other: both are larger than pipes."""
    done = rootgen.run(tree, ["sh", "-c", "tee /dev/stderr"], input=_EVERY_BYTE)
    assert done.status == 0, done.stderr[:200]
    assert done.stdout == _EVERY_BYTE
    assert done.stderr == _EVERY_BYTE


def test_input_that_nobody_reads(tree: Path) -> None:
    """Who does not read its input does not keep us."""
    assert rootgen.run(tree, ["true"], input=_EVERY_BYTE).status == 0
    assert rootgen.run(tree, ["cat"]).stdout == b""


def test_limit(tree: Path) -> None:
    """What is over the limit is read and forgotten, on each stream by itself."""
    done = rootgen.run(tree, ["sh", "-c", "seq 1 100000; echo few >&2"], limit=10)
    assert (done.status, done.stdout, done.stderr) == (0, b"1\n2\n3\n4\n5\n", b"few\n")
    assert done.truncated
    assert not rootgen.run(tree, ["sh", "-c", "printf 12"], limit=2).truncated


def test_closed_output(tree: Path) -> None:
    """A program that closes its streams early is waited for all the same."""
    done = rootgen.run(tree, ["sh", "-c", "echo x; exec >&- 2>&- <&-; sleep 0.3; exit 4"])
    assert (done.status, done.stdout) == (4, b"x\n")


def test_timeout(tree: Path) -> None:
    """Time is told as the command tells it, with what was printed until then."""
    done = rootgen.run(tree, ["sh", "-c", "echo begun; sleep 1000"], timeout=0.3)
    assert (done.status, done.stdout, done.timed_out) == (124, b"begun\n", True)
    assert "its time of 0.3 s was over" in done.notes[0]
    options = rootgen.Options(timeout=2, kill_after=0.2)  # the trap is set by then
    done = rootgen.run(tree, ["sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"], options=options)
    assert (done.status, done.timed_out) == (137, True)


def test_env_and_binds(tree: Path, tmp_path: Path) -> None:
    """The common options by themselves, beside those of a value."""
    (tmp_path / "given").write_text("seen")
    done = rootgen.run(
        tree,
        ["sh", "-c", "cat /mnt/given; echo $A$B; pwd"],
        env={"A": "a"},
        binds=[rootgen.Bind(str(tmp_path), "/mnt", read_only=True)],
        options=rootgen.Options(env=(("B", "b"),), workdir="/home"),
    )
    assert done.stdout == b"seenab\n/home\n", done.stderr


def _printed(tree: Path, word: str) -> bytes:
    return rootgen.run(tree, ["sh", "-c", 'printf %s "$1"', "sh", word]).check().stdout


def test_surrogates(tree: Path) -> None:
    """A name that is no UTF-8 arrives as it is."""
    assert _printed(tree, os.fsdecode(b"\xff\xfe")) == b"\xff\xfe"


def test_check(tree: Path) -> None:
    """A failure as an exception, with what the program said."""
    assert rootgen.run(tree, ["true"]).check().status == 0
    with pytest.raises(rootgen.RootgenError, match=r"sh -c .*: exit status 7") as caught:
        rootgen.run(tree, ["sh", "-c", "echo why >&2; exit 7"]).check()
    assert caught.value.why == ("why",)


@pytest.mark.parametrize(
    ("command", "error"),
    [(["bahs"], NotFoundError), (["/etc/passwd"], NotExecutableError), (["a\0b"], LaunchError)],
)
def test_not_started(tree: Path, command: list[str], error: type[LaunchError]) -> None:
    """What could not be started is an error of the same kind as everywhere, with its hint."""
    with pytest.raises(error) as caught:
        rootgen.run(tree, command)
    assert error is not NotFoundError or "bash" in caught.value.hint


def test_what_has_changed_since(tmp_path: Path) -> None:
    """Each launch is of what is there and asked for now, however alike the one before was."""
    tree = build_tree(tmp_path / "tree")
    app = rootgen.Options(user="app")
    assert rootgen.run(tree, ["id", "-u"]).stdout == b"0\n"
    assert rootgen.run(tree, ["sh", "-c", "echo $A"], env={"A": "1"}).stdout == b"1\n"
    assert rootgen.run(tree, ["sh", "-c", "echo $A"], env={"A": "2"}).stdout == b"2\n"
    with open(tree / "etc/passwd", "a") as file:
        file.write("late:x:0:0::/tmp:/bin/sh\n")
    late = rootgen.Options(user="late")
    assert rootgen.run(tree, ["sh", "-c", "echo $HOME"], options=late).stdout == b"/tmp\n"
    (tree / "etc/passwd").write_text("late:x:0:0::/var:/bin/sh\n")
    assert rootgen.run(tree, ["sh", "-c", "echo $HOME"], options=late).stdout == b"/var\n"
    with pytest.raises(LaunchError, match="no user 'app'"):
        rootgen.run(tree, ["true"], options=app)


def test_mistakes(tree: Path, tmp_path: Path) -> None:
    """No tree, and options that make no sense."""
    with pytest.raises(LaunchError, match="No such file"):
        rootgen.run(tmp_path / "none", ["true"])
    with pytest.raises(UsageError, match="no capability"):
        rootgen.run(tree, ["true"], options=rootgen.Options(cap_add=("NONE",)))


def test_signals_and_end(tree: Path) -> None:
    """A launch that goes on is waited for, signalled, and ended."""
    read_end, write_end = os.pipe()
    script = "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    with rootgen.launch(tree, ["sh", "-c", script], stdout=write_end) as launched:
        os.close(write_end)
        with open(read_end, "rb") as output:
            assert output.readline() == b"ready\n"
            assert launched.poll() is None
            with pytest.raises(TimeoutError):
                launched.wait(0.1)
            launched.send_signal(signal.SIGUSR1)
            assert launched.wait(20).status == 5
            assert output.read() == b"got\n"
        assert launched.poll() == launched.wait()
        launched.kill()


def test_stream_directory(tree: Path) -> None:
    """A directory of the host is no stream: from it a program would leave its root."""
    directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(LaunchError, match="standard input is a directory"):
            rootgen.launch(tree, ["true"], stdin=directory)
        with pytest.raises(LaunchError, match="standard error is a directory"):
            rootgen.launch(tree, ["true"], stderr=directory)
    finally:
        os.close(directory)


def test_left_alone(tree: Path) -> None:
    """What is no longer waited for is killed, with all that it started."""
    read_end, write_end = os.pipe()
    command = ["sh", "-c", "setsid sleep 1000 & trap '' TERM; sleep 1000"]
    with rootgen.launch(tree, command, stdout=write_end) as launched:
        os.close(write_end)
        assert os.path.exists(f"/proc/{launched.process}")
    with open(read_end, "rb") as output:
        assert output.read() == b""
    assert not os.path.exists(f"/proc/{launched.process}")


def test_closed_beside_a_fork(tree: Path) -> None:
    """What is closed is killed, although a fork of us has a copy of all that we have open."""
    launched = rootgen.launch(tree, ["sleep", "1000"])
    waited, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(waited, 1)
        os._exit(0)
    try:
        launched.close()
        wait_for_end(launched.process)
    finally:
        os.close(go)
        os.close(waited)
        os.waitpid(child, 0)


def test_threads(tree: Path) -> None:
    """Any number side by side, from threads: each has its own output."""
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(rootgen.run, tree, ["sh", "-c", f"echo {n}"]) for n in range(64)]
        assert [job.result().stdout for job in jobs] == [b"%d\n" % n for n in range(64)]


def test_no_child_of_ours(tree: Path) -> None:
    """The server is nobody's child, and none of our descriptors is open in it."""
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)  # noqa: FBT003 - it takes no keyword
    server._connection.forget()
    assert rootgen.run(tree, ["true"]).status == 0
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    os.close(write_end)
    with open(read_end, "rb") as file:
        assert file.read() == b""


def test_killed_server(tree: Path) -> None:
    """When the server is killed its launches end, who waits is told, and the next one works."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        server_process = parent_of(launched.process)
        os.kill(server_process, signal.SIGKILL)
        with pytest.raises(LaunchError, match="the launch server ended"):
            launched.wait(20)
    wait_for_end(server_process)
    assert rootgen.run(tree, ["true"]).status == 0


def test_fork(tree: Path) -> None:
    """A fork of us starts a server of its own, and leaves ours alone."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        child = os.fork()
        if child == 0:
            done = rootgen.run(tree, ["sh", "-c", "exit 6"])
            os._exit(done.status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 6
        assert launched.poll() is None


def test_killed_caller(tree: Path) -> None:
    """When the caller is killed its launches are, and the server ends."""
    script = (
        "import os, rootgen, sys, time; "
        f"one = rootgen.launch({str(tree)!r}, ['sleep', '1000']); "
        "print(one.process, flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as caller:
        assert caller.stdout is not None
        process = int(caller.stdout.readline())
        parent = parent_of(process)
        caller.kill()
        wait_for_end(process)
        wait_for_end(parent)


def test_no_file_is_left_open(tree: Path) -> None:
    """However many launches: as many descriptors as before."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        rootgen.run(tree, ["cat"], input=b"x")
        with pytest.raises(NotFoundError):
            rootgen.run(tree, ["none"])
    assert len(os.listdir("/proc/self/fd")) == before


def test_seccomp(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile is found from where the caller is; "none" leaves what keeps terminals alone."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    text = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]})
    (tmp_path / "profile.json").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = rootgen.run(tree, ["mkdir", "/x"], options=rootgen.Options(seccomp="profile.json"))
    assert b"No space left" in done.stderr
    command = ["grep", "Seccomp_filters", "/proc/self/status"]
    done = rootgen.run(tree, command, options=rootgen.Options(seccomp="none"))
    assert done.stdout.split() == [b"Seccomp_filters:", b"1"]


def test_command_longer_than_a_message(tree: Path) -> None:
    """Arguments of any length, and short ones for the same launch after them."""
    count = ["sh", "-c", "echo $#", "sh"]
    assert rootgen.run(tree, [*count, *["y" * 100_000] * 4]).stdout == b"4\n"
    assert rootgen.run(tree, [*count, "y"]).stdout == b"1\n"


def test_options_side_by_side(tree: Path) -> None:
    """Who asks for another launch than the one before gets that, whoever else asks meanwhile."""

    def ask(which: int) -> None:
        options = rootgen.Options(env=(("WHICH", str(which % 3)),))
        for number in range(10):
            script = f"echo $WHICH {number}"
            done = rootgen.run(tree, ["sh", "-c", script], options=options)
            assert done.stdout == f"{which % 3} {number}\n".encode()

    with ThreadPoolExecutor(6) as executor:
        assert list(executor.map(ask, range(6))) == [None] * 6


def _wait_for_descriptors(process: int, number: int) -> None:
    deadline = time.monotonic() + 20
    while len(os.listdir(f"/proc/{process}/fd")) != number:
        assert time.monotonic() < deadline, "the server keeps a descriptor"
        time.sleep(0.01)


def test_refused_for_want_of_descriptors(tree: Path) -> None:
    """A launch that the server could not read is never taken for the one that it had before."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        server_process = parent_of(launched.process)
    options = rootgen.Options(hostname="other", read_only=True)
    script = ["sh", "-c", "cat /proc/sys/kernel/hostname; touch /written"]
    usual = resource.prlimit(server_process, resource.RLIMIT_NOFILE)
    open_now = 5  # three streams, the control socket, the signals
    for room in range(6):
        _wait_for_descriptors(server_process, open_now)
        resource.prlimit(server_process, resource.RLIMIT_NOFILE, (open_now + room, usual[1]))
        with pytest.raises(LaunchError):
            rootgen.run(tree, script, options=options)
        resource.prlimit(server_process, resource.RLIMIT_NOFILE, usual)
        done = rootgen.run(tree, script, options=options)
        assert (done.stdout, done.status) == (b"other\n", 1)
        assert rootgen.run(tree, ["cat", "/proc/sys/kernel/hostname"]).stdout != b"other\n"
    _wait_for_descriptors(server_process, open_now)
    assert not (tree / "written").exists()


def test_environment_of_the_moment(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is taken from the caller's environment is what it is now."""
    for term in ("first", "second"):
        monkeypatch.setenv("TERM", term)
        assert rootgen.run(tree, ["sh", "-c", "echo $TERM"]).stdout == f"{term}\n".encode()


_OF_THE_C_LOCALE = """
import os, sys, rootgen
assert os.environ["LC_CTYPE"] == "C.UTF-8"
script = "echo ${LC_CTYPE-none} ${LANG-none}"
print(rootgen.run(sys.argv[1], ["sh", "-c", script]).stdout.decode(), end="")
os.environ["LC_CTYPE"] = "en_GB.UTF-8"
print(rootgen.run(sys.argv[1], ["sh", "-c", script]).stdout.decode(), end="")
"""


def test_locale_is_the_callers(tree: Path) -> None:
    """What Python made of the C locale for itself (PEP 538) does not come along."""
    done = subprocess.run(
        [sys.executable, "-c", _OF_THE_C_LOCALE, str(tree)],
        env={"LANG": "C"},
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"none C\nen_GB.UTF-8 C\n", b"")


def test_interrupted_after_it_was_handed_on(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who never gets to know of a launch leaves none behind, nor a descriptor."""
    rootgen.run(tree, ["true"])
    before = os.listdir("/proc/self/fd")

    def interrupt(_: RootUse) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RootUse, "hand_over", interrupt)
        with pytest.raises(KeyboardInterrupt):
            rootgen.launch(tree, ["sh", "-c", "sleep 123.456"])
    assert os.listdir("/proc/self/fd") == before
    rootgen.run(tree, ["true"])
    # It is killed already, and may take longer to be gone than another to run.
    deadline = time.monotonic() + 20
    while "123.456" in subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_the_process_is_now(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another server what this process may do is looked at again."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        server_process = parent_of(launched.process)
        os.kill(server_process, signal.SIGKILL)
        with pytest.raises(LaunchError):
            launched.wait(20)
    wait_for_end(server_process)
    read = []

    def counted(effective: int) -> Process:
        read.append(read_process(effective))
        return read[-1]

    monkeypatch.setattr(connection, "read_process", counted)
    assert [rootgen.run(tree, ["true"]).status for _ in range(3)] == [0, 0, 0]
    assert len(read) == 1


class _Word(str):
    __slots__ = ()


def test_words_that_are_more_than_strings(tree: Path) -> None:
    """An enumeration's member is the string that it is."""
    done = rootgen.run(tree, [_Word("sh"), "-c", _Word("echo $A")], env={_Word("A"): _Word("b")})
    assert done.stdout == b"b\n"


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_no_name_of_a_variable(tree: Path, name: str) -> None:
    """It would be another one's, or nobody's."""
    with pytest.raises(NotExecutableError):
        rootgen.run(tree, ["true"], env={name: "c"})


def test_no_path_to_bind(tree: Path) -> None:
    """What can be no path is told as an error of the launch."""
    with pytest.raises(LaunchError):
        rootgen.run(tree, ["true"], binds=[rootgen.Bind("/etc\0", "/mnt")])


def test_relative_path_to_bind(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is relative to the caller's directory."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_text("seen")
    monkeypatch.chdir(tmp_path)
    done = rootgen.run(tree, ["cat", "/mnt/file"], binds=[rootgen.Bind("here", "/mnt")])
    assert done.stdout == b"seen"


def test_words(tree: Path) -> None:
    """Paths and bytes are words, and numbers are none."""
    done = rootgen.run(tree, [PurePath("/bin/sh"), b"-c", "exit 3"])
    assert (done.command, done.status) == (("/bin/sh", "-c", "exit 3"), 3)
    with pytest.raises(UsageError, match="consists of words"):
        rootgen.run(tree, ["echo", 1])  # type: ignore[list-item]  # no word


@contextmanager
def _stopped_server(tree: Path) -> Iterator[int]:
    """Give a server that does nothing until it is told to go on."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        server_process = parent_of(launched.process)
        os.kill(server_process, signal.SIGSTOP)
        try:
            yield server_process
            os.kill(server_process, signal.SIGCONT)
            assert rootgen.run(tree, ["true"]).status == 0
            # It is the same one, and what it had goes on.
            assert parent_of(launched.process) == server_process
        finally:
            os.kill(server_process, signal.SIGCONT)


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Give what has a handler called a moment later."""
    before = signal.getsignal(signal.SIGALRM)

    def arm(handler: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    yield arm
    signal.signal(signal.SIGALRM, before)


def test_handler_that_launches(tree: Path, alarm: Callable[[Callable[[], None]], None]) -> None:
    """While its thread waits for the server it is told so, and nothing hangs."""
    told = []
    with _stopped_server(tree) as server_process:

        def launch() -> None:
            with pytest.raises(LaunchError) as caught:
                rootgen.run(tree, ["true"])
            told.append(str(caught.value).splitlines()[0])
            os.kill(server_process, signal.SIGCONT)

        alarm(launch)
        options = rootgen.Options(hostname="another")
        assert rootgen.run(tree, ["true"], options=options).status == 0
    assert told == ["this thread is asking for a launch already"]


def test_handler_that_raises(tree: Path, alarm: Callable[[Callable[[], None]], None]) -> None:
    """Its error is the caller's own; what was asked for is given up, and the next is right."""
    with _stopped_server(tree):

        def give_up() -> None:
            raise TimeoutError("too long")

        alarm(give_up)
        options = rootgen.Options(hostname="yet-another")
        with pytest.raises(TimeoutError, match="too long"):
            rootgen.run(tree, ["true"], options=options)


def test_closed_unread(tree: Path) -> None:
    """Who goes without having read that it started does not take the server along."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        server_process = parent_of(launched.process)
        options = rootgen.Options()
        streams = (None, None, None)
        other = launched_module._start(tree, ["true"], streams, options, {}, announced=True)
        os.kill(server_process, signal.SIGSTOP)
        time.sleep(0.3)  # it has started, and ended
        other.close()
        os.kill(server_process, signal.SIGCONT)
        assert rootgen.run(tree, ["true"]).status == 0
        assert parent_of(launched.process) == server_process


def test_no_signal(tree: Path) -> None:
    """What is no signal's number is the caller's mistake."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        for number in (0, -1, 65, 100):
            with pytest.raises(UsageError, match="no signal"):
                launched.send_signal(number)
