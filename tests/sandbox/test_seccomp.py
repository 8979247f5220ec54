"""System calls of a launched program: what the filters allow and refuse, in this kernel."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox.probe import build_probe
from tests.sandbox.tree import command_line, launch, output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AF_ALG, AF_VSOCK, AF_UNIX = "38", "40", "1"
NEWUSER = "0x10000000"
HIGH = 1 << 32
TIOCSTI, TIOCLINUX = 0x5412, 0x541C


@pytest.fixture
def probed(tree: Path) -> Path:
    """Put the probe into the tree."""
    build_probe(tree / "bin/probe")
    return tree


def _numbers(name: str) -> str:
    from rootgen.sandbox.facts import read_machine
    from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
    from rootgen.sandbox.seccomp.compiler import numbers_of

    return str(numbers_of(ARCHITECTURES[read_machine().architecture])[name])


def _call(tree: Path, name: str, *arguments: str, options: Sequence[str] = ()) -> str:
    """Make one call in the tree; return "ok" or the name of the error."""
    number = name if name.isdecimal() else _numbers(name)
    return output(tree, "probe", "call", number, *arguments, options=options)


# A call, its arguments, what comes of it under the default filter, and without one. Each of
# them would be harmless.
CALLS = [
    ("unshare", ["0x10000000"], "EPERM", "ok"),
    ("clone3", ["0", "0"], "ENOSYS", "EINVAL"),
    ("mount", ["none", "/none", "none", "0", "0"], "EPERM", "ENOENT|EPERM"),
    ("keyctl", ["0", "-3", "0"], "EPERM", "ok"),
    ("add_key", ["0", "0", "0", "0", "0"], "EPERM", "EFAULT"),
    ("bpf", ["99", "0", "0"], "EPERM", "EINVAL|EPERM"),
    ("userfaultfd", ["0x1000"], "EPERM", "EINVAL|EPERM"),
    ("io_uring_setup", ["0", "0"], "EPERM", "EINVAL|EFAULT|ENOSYS|EPERM"),
    ("perf_event_open", ["0", "0", "0", "0", "0"], "EPERM", "EFAULT|EACCES|ENOSYS"),
    ("open_by_handle_at", ["-1", "0", "0"], "EPERM", "EPERM|EFAULT|EBADF"),
    ("setns", ["-1", "0"], "EPERM", "EBADF"),
    ("acct", ["/none"], "EPERM", "EPERM|ENOENT|ENOSYS"),
    ("personality", ["0x0040000"], "EPERM", "ok"),
    ("personality", ["0xffffffff"], "ok", "ok"),
    ("personality", ["8"], "ok", "ok"),
    ("socket", [AF_VSOCK, "1", "0"], "EPERM", "ok|EAFNOSUPPORT|ENODEV"),
    ("socket", [AF_ALG, "5", "0"], "EPERM", "ok|EAFNOSUPPORT"),
    ("socket", [AF_UNIX, "1", "0"], "ok", "ok"),
    ("ioctl", ["0", str(TIOCSTI), "x"], "EPERM", "ENOTTY"),
    ("ioctl", ["0", str(TIOCSTI + HIGH), "x"], "EPERM", "ENOTTY"),
    ("ioctl", ["0", str(TIOCLINUX + (7 << 40)), "x"], "EPERM", "ENOTTY"),
    ("ioctl", ["0", "0x5413", "x"], "ENOTTY", "ENOTTY"),
    ("ptrace", ["99", "0", "0", "0"], "ESRCH|EIO", "ESRCH|EIO"),
    # Newer than all that we know, and between calls that are there.
    ("4000", [], "ENOSYS", "ENOSYS"),
    ("getpid", [], "ok", "ok"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments", "filtered", "bare"), CALLS)
def test_call(probed: Path, name: str, arguments: list[str], filtered: str, bare: str) -> None:
    """The default filter refuses what the kernel would do, or say something else about."""
    assert _call(probed, name, *arguments) in filtered.split("|")
    without = _call(probed, name, *arguments, options=["--seccomp", "none"])
    assert without in bare.split("|")


def _status(tree: Path, process: str, options: Sequence[str] = ()) -> tuple[int, int]:
    """Return the mode of seccomp of a process inside, and how many filters it has."""
    lines = output(tree, "cat", f"/proc/{process}/status", options=options).splitlines()
    fields = dict(line.split(":\t") for line in lines if ":\t" in line)
    return int(fields["Seccomp"]), int(fields["Seccomp_filters"])


def test_process_one(tree: Path, tmp_path: Path) -> None:
    """Process 1 has the default filter as well, and of a profile of the user's own only half.

    The default one and that of terminals are one program.
    """
    assert _status(tree, "1") == _status(tree, "self") == (2, 1)
    options = ["--seccomp", "none"]
    assert _status(tree, "1", options) == _status(tree, "self", options) == (0, 0)
    options = ["--seccomp", _profile(tmp_path, [])]
    assert _status(tree, "1", options) == (2, 1)
    assert _status(tree, "self", options) == (2, 2)


def test_capability_brings_its_calls(probed: Path) -> None:
    """What was added with --cap-add is of use."""
    options = ["--cap-add", "SYS_ADMIN"]
    assert _call(probed, "mount", "none", "/tmp", "tmpfs", "0", "0", options=options) == "ok"
    assert _call(probed, "clone3", "0", "0", options=options) == "EINVAL"
    options = ["--cap-drop", "SYS_CHROOT"]
    assert _call(probed, "chroot", "/", options=options) == "EPERM"
    assert _call(probed, "chroot", "/none") == "ENOENT"
    assert _call(probed, "chroot", "/none", options=options) == "EPERM"


@pytest.mark.root
def test_as_in_runc(probed: Path, tmp_path: Path) -> None:
    """runc, given our filter as --explain --json tells it, has every call end in the same way."""
    done = launch(probed, "true", options=["--explain", "--json"])
    filters = json.loads(done.stdout)["launch"]["process"]["seccomp"]
    [default] = [one for one in filters if one.pop("name") == "default"]
    default.pop("flags")  # runc of before 1.2 takes none, not even what is its own default then
    calls = [one for one in CALLS if one[0] != "ioctl"]  # the other filter's
    words = [[_numbers(n) if not n.isdecimal() else n, *a] for n, a, _, _ in calls]
    script = "; ".join(f"probe call {' '.join(line)}" for line in words)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    subprocess.run(["runc", "spec", "--bundle", bundle], check=True)
    config: dict[str, Any] = json.loads((bundle / "config.json").read_text())
    config["root"] = {"path": str(probed), "readonly": False}
    config["process"].update(terminal=False, args=["sh", "-c", script])
    names = json.loads(done.stdout)["launch"]["process"]["capabilities"]
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind] = [f"CAP_{name}" for name in names]
    config["linux"]["seccomp"] = default
    (bundle / "config.json").write_text(json.dumps(config))
    state = str(tmp_path / "state")
    command = ["runc", "--root", state, "run", "--bundle", str(bundle), f"probe-{os.getpid()}"]
    theirs = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert theirs.returncode == 0, theirs.stderr
    assert theirs.stdout.split() == output(probed, "sh", "-c", script).split()


def _profile(place: Path, rules: list[dict[str, Any]], **others: Any) -> str:
    path = place / "profile.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules, **others}))
    return str(path)


@pytest.mark.parametrize(
    ("action", "status", "said"),
    [
        ({"action": "SCMP_ACT_ERRNO", "errnoRet": 95}, 0, "EOPNOTSUPP"),
        ({"action": "SCMP_ACT_ERRNO"}, 0, "EPERM"),
        ({"action": "SCMP_ACT_TRACE"}, 0, "ENOSYS"),
        ({"action": "SCMP_ACT_LOG"}, 0, "ok"),
        ({"action": "SCMP_ACT_KILL"}, 128 + signal.SIGSYS, ""),
        ({"action": "SCMP_ACT_KILL_PROCESS"}, 128 + signal.SIGSYS, ""),
        ({"action": "SCMP_ACT_TRAP"}, 128 + signal.SIGSYS, ""),
    ],
)
def test_own_profile(
    probed: Path, tmp_path: Path, action: dict[str, Any], status: int, said: str
) -> None:
    """Every action of a profile of the user's own."""
    path = _profile(tmp_path, [{"names": ["getppid"], **action}])
    done = launch(probed, "probe", "call", _numbers("getppid"), options=["--seccomp", path])
    assert (done.returncode, done.stdout.decode().strip()) == (status, said), done.stderr


def test_own_profile_by_its_arguments(probed: Path, tmp_path: Path) -> None:
    """A mask over all 64 bits of an argument."""
    condition = {"index": 1, "value": 1 << 40, "valueTwo": 1 << 40, "op": "SCMP_CMP_MASKED_EQ"}
    rule = {"names": ["dup3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [condition]}
    options = ["--seccomp", _profile(tmp_path, [rule])]
    assert _call(probed, "dup3", "-1", str(1 << 40), "0", options=options) == "EOPNOTSUPP"
    assert _call(probed, "dup3", "-1", str(1 << 41), "0", options=options) == "EBADF"


def test_terminal_filter_stays(probed: Path, tmp_path: Path) -> None:
    """A profile of the user's own that allows everything does not allow to type."""
    options = ["--seccomp", _profile(tmp_path, [])]
    assert _call(probed, "ioctl", "0", str(TIOCSTI), "x", options=options) == "EPERM"
    assert _call(probed, "unshare", NEWUSER, options=options) == "ok"


def test_what_the_start_needs_is_enough(tree: Path, tmp_path: Path) -> None:
    """A profile is in force from the exec on: what the launcher itself calls it need not allow."""
    shutil.copy(build_probe(tmp_path / "probe"), tree / "bin/probe")
    names = (
        "execve exit_group write brk arch_prctl set_tid_address set_robust_list rseq prlimit64 "
        "readlink readlinkat getrandom mprotect fstat newfstatat uname mmap munmap futex"
    ).split()
    path = _profile(
        tmp_path, [{"names": names, "action": "SCMP_ACT_ALLOW"}], defaultAction="SCMP_ACT_KILL"
    )
    assert output(tree, "probe", options=["--seccomp", path]) == "interpreted"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"names": ["execve"], "action": "SCMP_ACT_ERRNO"}], [b"does not allow execve"]),
        ([{"names": ["x"], "action": "SCMP_ACT_NOTIFY"}], [b"syscalls[0].action", b"NOTIFY"]),
        ([{"names": ["x"], "action": "SCMP_ACT_DENY"}], [b"syscalls[0].action", b"not known"]),
    ],
)
def test_unfit_profile(
    tree: Path, tmp_path: Path, rules: list[dict[str, Any]], words: list[bytes]
) -> None:
    """What cannot be is told before anything is done."""
    done = launch(tree, "touch", "/made", options=["--seccomp", _profile(tmp_path, rules)])
    assert done.returncode == 125
    for word in (*words, b"profile.json"):
        assert word in done.stderr
    assert not (tree / "made").exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/none.json", b"No such file"), ("/tmp", b"directory"), ("/dev/zero", b"1024 KiB")],
)
def test_no_profile(tree: Path, path: str, reason: bytes) -> None:
    """A file that is none is named."""
    done = launch(tree, "true", options=["--seccomp", path])
    assert done.returncode == 125
    assert path.encode() in done.stderr
    assert reason in done.stderr


def test_failing_exec_is_told(tree: Path, tmp_path: Path) -> None:
    """Under a profile of one's own as well, by status and words."""
    (tree / "bin/none").write_bytes(b"\x7fELF")
    (tree / "bin/none").chmod(0o755)
    (tree / "bin/odd").write_bytes(b"no program")
    (tree / "bin/odd").chmod(0o755)
    options = ["--seccomp", _profile(tmp_path, [])]
    assert launch(tree, "odd", options=options).returncode == 126
    assert b"odd" in launch(tree, "odd", options=options).stderr
    assert launch(tree, "nowhere", options=options).returncode == 127


def test_terminal_of_its_own(tree: Path, tmp_path: Path) -> None:
    """A profile of one's own with a terminal: job control, size and status are as without."""
    profile = _profile(tmp_path, [])
    script = "tty; test -t 0 && test -t 1 && stty size; exit 5"
    line = command_line(tree, "sh", "-c", script, options=["--seccomp", profile])
    child, outer = pty.fork()
    if child == 0:
        os.execv(line[0], line)
    text = b""
    while True:
        try:
            data = os.read(outer, 4096)
        except OSError:
            break
        if not data:
            break
        text += data
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5, text
    assert b"/dev/pts/0" in text or b"/dev/console" in text


def test_terminal_of_the_caller(probed: Path) -> None:
    """Where a terminal of the caller's is passed as it is, --seccomp none keeps one filter."""
    outer, inner = pty.openpty()
    options = ["--seccomp", "none"]
    line = command_line(probed, "grep", "Seccomp_filters", "/proc/self/status", options=options)
    done = subprocess.run(line, stdin=inner, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["Seccomp_filters:", "1"], done.stderr
    words = ["probe", "call", _numbers("ioctl"), "0", str(TIOCSTI + HIGH), "x"]
    line = command_line(probed, *words, options=[*options, "--cap-add", "SYS_ADMIN"])
    done = subprocess.run(line, stdin=inner, capture_output=True, text=True, timeout=60)
    assert done.stdout == "EPERM\n", done.stderr
    os.close(outer)
    os.close(inner)


def test_explained(tree: Path) -> None:
    """The human form says how many calls are allowed, and what becomes of the others."""
    text = launch(tree, "true", options=["--explain"]).stdout.decode()
    for words in ("seccomp filter default", "are allowed", "refused (EPERM)", "clone3 is refused"):
        assert words in text
    text = launch(tree, "true", options=["--explain", "--seccomp", "none"]).stdout.decode()
    assert "no seccomp filter" in text


@pytest.mark.parametrize("own", [False, True])
def test_command_in_a_running_launch(probed: Path, tmp_path: Path, own: bool) -> None:
    """Exec brings a command under the filters of the launch, whichever they are."""
    name = f"filtered-{os.getpid()}-{own}"
    rule = {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    options = ["--seccomp", _profile(tmp_path, [rule])] if own else []
    line = command_line(probed, "sleep", "100", options=["--detach", "--name", name, *options])
    subprocess.run(line, check=True, capture_output=True, timeout=60)
    try:
        for call, told in (
            ("getppid", "EOPNOTSUPP" if own else "ok"),
            ("keyctl", "ENOKEY|EINVAL|ok" if own else "EPERM"),
        ):
            words = [line[0], "exec", name, "--", "probe", "call", _numbers(call), "0", "-3", "0"]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
            assert done.stdout.strip() in told.split("|"), done.stderr
        words = [line[0], "exec", name, "--", "grep", "Seccomp_filters", "/proc/self/status"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        assert done.stdout.split() == ["Seccomp_filters:", "2" if own else "1"], done.stderr
    finally:
        subprocess.run([line[0], "stop", name], capture_output=True, timeout=60)
