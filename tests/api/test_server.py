"""What one launch or its caller may do: the server goes on for the others, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import rootgen
from rootgen.errors import LaunchError, NotExecutableError, UsageError
from rootgen.sandbox.reading import Reading
from tests.api.servers import wait_for_end
from tests.sandbox.tree import build_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one tree for all: what is run here does not change it."""
    return build_tree(tmp_path_factory.mktemp("server") / "tree")


@pytest.fixture
def other(tree: Path) -> Iterator[rootgen.Launched]:
    """Give a launch by the same server, which must go on."""
    with rootgen.launch(tree, ["sleep", "1000"]) as launched:
        yield launched
        assert launched.poll() is None


def test_no_characters(tree: Path, other: rootgen.Launched) -> None:
    """A name that can be no file's is no program's."""
    with pytest.raises(NotExecutableError):
        rootgen.run(tree, ["no\ud800thing"])
    assert other.poll() is None


@pytest.mark.parametrize("seconds", [30 * 86400, 1e7, 1e300, float("inf")])
def test_long_times(tree: Path, other: rootgen.Launched, seconds: float) -> None:
    """Longer than poll(2) waits at once: for the end of a launch, and the program for its own."""
    assert rootgen.run(tree, ["true"], timeout=seconds).status == 0
    options = rootgen.Options(timeout=0.1, kill_after=seconds)
    command = ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.01; done"]
    done = rootgen.run(tree, command, options=options)
    assert (done.status, done.timed_out) == (124, True)
    with rootgen.launch(tree, ["sleep", "0.2"]) as launched:
        assert launched.wait(seconds).status == 0
    assert other.poll() is None


def test_times_that_are_over(other: rootgen.Launched) -> None:
    """A time that is over already is no time to wait."""
    with pytest.raises(TimeoutError):
        other.wait(-0.001)


@pytest.mark.parametrize("seconds", [-1, float("nan"), "3"])
def test_no_times(tree: Path, seconds: Any) -> None:
    """What is no time is said to be none."""
    with pytest.raises(UsageError, match="no time"):
        rootgen.run(tree, ["true"], timeout=seconds)


def test_tree_that_the_server_does_not_see(tree: Path, other: rootgen.Launched) -> None:
    """By a descriptor of the caller's there is no tree elsewhere: this launch alone fails."""
    directory = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(LaunchError):
            rootgen.run(f"/proc/self/fd/{directory + 100}", ["true"])
        os.dup2(directory, directory + 100)
        with pytest.raises(LaunchError):
            rootgen.run(f"/proc/self/fd/{directory + 100}", ["true"])
        os.close(directory + 100)
    finally:
        os.close(directory)
    assert other.poll() is None


@pytest.mark.parametrize("name", ["open", "open_beneath", "has", "listdir"])
def test_handlers_errors(tree: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A TimeoutError of the caller's own alarm is told, and never taken for a file that lacks."""

    def struck(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(os if name == "listdir" else Reading, name, struck)
    with pytest.raises(TimeoutError):
        rootgen.run(tree, ["true"])


def test_let_go_of(tree: Path) -> None:
    """A launch that nobody holds is ended, and leaves no descriptor."""
    before = os.listdir("/proc/self/fd")
    process = rootgen.launch(tree, ["sleep", "1000"]).process
    wait_for_end(process)
    assert os.listdir("/proc/self/fd") == before


def test_closed(tree: Path) -> None:
    """What is closed says so, each time, and hears no signal."""
    launched = rootgen.launch(tree, ["sleep", "1000"])
    launched.close()
    for _ in range(2):
        with pytest.raises(LaunchError, match="let go of"):
            launched.wait()
        with pytest.raises(LaunchError, match="let go of"):
            launched.poll()
        launched.kill()
        launched.close()


def test_closed_by_a_fork(other: rootgen.Launched) -> None:
    """A fork that closes its copy leaves the launch to the parent."""
    child = os.fork()
    if child == 0:
        other.close()
        os._exit(0)
    os.waitpid(child, 0)
    with pytest.raises(TimeoutError):
        other.wait(0.3)


@pytest.mark.parametrize("stream", ["x", 999, 1 << 40, -1])
def test_no_stream(tree: Path, stream: Any) -> None:
    """What is no open file is said to be none."""
    with pytest.raises(UsageError, match="no open file"):
        rootgen.launch(tree, ["true"], stdout=stream)


def test_file_as_stream(tree: Path, tmp_path: Path) -> None:
    """A file is as good as its descriptor."""
    with (
        open(tmp_path / "out", "w+b") as file,
        rootgen.launch(tree, ["sh", "-c", "echo out"], stdout=file) as launched,
    ):
        assert launched.wait().status == 0
        file.seek(0)
        assert file.read() == b"out\n"


def _run_python(body: str, tree: Path) -> str:
    prelude = "import os, resource, signal, sys, rootgen\ntree = sys.argv[1]\n"
    command = [sys.executable, "-c", prelude + body, str(tree)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_small_files_only(tree: Path) -> None:
    """A limit on the size of files is none on launches."""
    body = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(rootgen.run(tree, ["sh", "-c", "echo $#", *["x" * 1000] * 200]).check().stdout)
"""
    assert _run_python(body, tree) == "b'199\\n'\n"


def test_everything_closed(tree: Path) -> None:
    """A caller that closes all that is open has a new server, and its own files are left alone."""
    body = """
rootgen.run(tree, ["true"])
os.closerange(3, 200)
files = [os.open("/dev/null", os.O_RDWR) for _ in range(20)]
print(rootgen.run(tree, ["sh", "-c", "echo run"]).check().stdout)
print(all(os.path.samestat(os.fstat(one), os.stat("/dev/null")) for one in files))
"""
    assert _run_python(body, tree) == "b'run\\n'\nTrue\n"


def test_interrupted_start_leaves_no_child(tree: Path) -> None:
    """Whenever Ctrl-C comes while a server begins: nothing of it is left to be waited for."""
    body = """
def interrupt(number, frame):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
from rootgen.api.server import _connection
rootgen.run(tree, ["true"])
struck = 0
for step in range(1, 30):
    _connection.forget()
    try:
        signal.setitimer(signal.ITIMER_REAL, step / 1000)
        rootgen.run(tree, ["true"])
    except KeyboardInterrupt:
        struck += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        print(os.waitpid(-1, os.WNOHANG))
    except ChildProcessError:
        pass
print(struck > 5, rootgen.run(tree, ["true"]).status)
"""
    assert _run_python(body, tree) == "True 0\n"


def test_signal_that_nobody_hears(other: rootgen.Launched) -> None:
    """A launch hears what it is sent."""
    other.send_signal(signal.SIGCONT)
    assert other.poll() is None
