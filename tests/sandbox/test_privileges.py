"""What a launched program may do, may know and may reach."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rootgen.sandbox import environment
from rootgen.sandbox.environment import callers_variables
from tests.sandbox.tree import command_line, launch, output, shell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# podman's default eleven: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP
# NET_BIND_SERVICE SYS_CHROOT SETFCAP.
ELEVEN = 0x800405FB
NET_RAW = 1 << 13
CHOWN = 1
SYS_CHROOT = 1 << 18
USER = ("--user", "1000:1000")


def _status(tree: Path, options: Sequence[str] = ()) -> dict[str, str]:
    lines = output(tree, "cat", "/proc/self/status", options=options).splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ELEVEN),
        (["--cap-add", "NET_RAW"], ELEVEN | NET_RAW),
        (["--cap-drop", "CHOWN"], ELEVEN & ~CHOWN),
        (["--cap-drop", "ALL"], 0),
        (["--cap-drop", "ALL", "--cap-add", "CHOWN"], CHOWN),
        (["--cap-add", "cap_net_raw"], ELEVEN | NET_RAW),
    ],
)
def test_capabilities(tree: Path, options: Sequence[str], expected: int) -> None:
    """Bounding, permitted and effective are what was asked for; the others are empty."""
    status = _status(tree, options)
    for name in ("CapBnd", "CapPrm", "CapEff"):
        assert int(status[name], 16) == expected, name
    for name in ("CapInh", "CapAmb"):
        assert int(status[name], 16) == 0, name


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], 0),
        (["--cap-add", "NET_RAW"], NET_RAW),
        (["--cap-add", "NET_RAW", "--cap-drop", "NET_RAW"], 0),
        (["--cap-drop", "ALL", "--cap-add", "CHOWN"], CHOWN),
        (["--cap-add", "SYS_CHROOT"], SYS_CHROOT),
        (["--cap-add", "SYS_CHROOT", "--cap-add", "NET_RAW", "--pivot", "chroot"], NET_RAW),
        (["--cap-add", "SYS_CHROOT", "--pivot", "chroot"], 0),
    ],
)
def test_capabilities_of_another_user(tree: Path, options: list[str], expected: int) -> None:
    """What was added is effective for a user other than 0 too, as podman has it, and no more."""
    status = _status(tree, [*USER, *options])
    assert status["Uid"].split() == ["1000"] * 4
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
        assert int(status[name], 16) == expected, name
    assert int(status["CapBnd"], 16) & expected == expected
    assert status["NoNewPrivs"] == "1"
    script = "grep -E 'Cap(Prm|Eff)' /proc/self/status; grep Cap /proc/1/status"
    for line in shell(tree, script, [*USER, *options]).splitlines():
        if "CapBnd" not in line:
            assert int(line.split()[1], 16) == expected, line


def test_added_capability_is_of_use(tree: Path) -> None:
    """What only root may do otherwise, a program with the capability does."""
    script, mine = "/bin/busybox chown 1:1 /tmp && echo done", ("--tmpfs", "/tmp:uid=1000")
    assert shell(tree, script, [*USER, *mine, "--cap-add", "CHOWN"]) == "done"
    done = launch(tree, "sh", "-c", script, options=[*USER, *mine])
    assert done.returncode != 0


def test_all_capabilities_of_another_user(tree: Path) -> None:
    """ALL is all that root would have."""
    root = _status(tree, ["--cap-add", "ALL"])
    status = _status(tree, [*USER, "--cap-add", "ALL"])
    for name in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
        assert status[name] == root["CapEff"], name


def test_unknown_capability(tree: Path) -> None:
    """A capability that Linux does not have is a wrong option."""
    done = launch(tree, "true", options=["--cap-add", "NET_ROW"])
    assert done.returncode == 2
    assert b"NET_ROW" in done.stderr


def test_no_new_privileges(tree: Path) -> None:
    """No exec can give more."""
    assert _status(tree)["NoNewPrivs"] == "1"


def test_process_one_has_no_more(tree: Path) -> None:
    """Process 1, which is our code, keeps nothing that the program does not have."""
    line = output(tree, "grep", "CapBnd", "/proc/1/status")
    assert int(line.split()[1], 16) & ~ELEVEN == 0


def test_descriptors(tree: Path, tmp_path: Path) -> None:
    """A descriptor that leaks into rootgen does not reach the program (CVE-2024-21626)."""
    leak = os.open(tmp_path, os.O_RDONLY)
    try:
        done = launch(tree, "ls", "-l", "/proc/self/fd", pass_fds=[leak])
    finally:
        os.close(leak)
    lines = done.stdout.decode().splitlines()
    numbers = {line.split(" -> ")[0].split()[-1] for line in lines if " -> " in line}
    # 3 is the directory that ls itself reads, and may have closed before it looks at it.
    assert numbers - {"3"} == {"0", "1", "2"}
    assert str(tmp_path) not in done.stdout.decode()


@pytest.mark.parametrize("link", ["exe", "root", "cwd", "fd"])
def test_launcher_is_not_reachable(tree: Path, link: str) -> None:
    """Process 1 is not to be looked into, so the launcher's binary is not there (CVE-2019-5736)."""
    done = launch(tree, "ls", "-L", f"/proc/1/{link}/")
    assert done.returncode != 0
    assert b"denied" in done.stderr or b"permitted" in done.stderr


@pytest.mark.parametrize("script", [False, True])
def test_launcher_is_not_run_again(tree: Path, script: bool) -> None:
    """``/proc/self/exe`` as the command, or as an interpreter, does not run the host's Python."""
    command = ["/proc/self/exe", "-c", "print('host')"]
    if script:
        (tree / "bin/again").write_text("#!/proc/self/exe\nprint('host')\n")
        (tree / "bin/again").chmod(0o755)
        command = ["/bin/again"]
    done = launch(tree, *command)
    assert b"host" not in done.stdout
    assert done.returncode in {126, 127}


def test_environment(tree: Path) -> None:
    """Of the caller's environment only the terminal and the language come along."""
    env = {
        "PATH": os.environ["PATH"],
        "SECRET": "token",
        "TERM": "vt100",
        "LANG": "C.UTF-8",
        "LC_TIME": "C",
        "TZ": "UTC",
        "LD_PRELOAD_NOT": "x",
        "HOME": "/somewhere",
    }
    done = launch(tree, "env", env=env)
    shown = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    path = shown.pop("PATH")
    assert "/bin" in path.split(":")
    assert path != os.environ["PATH"]
    assert shown == {
        "TERM": "vt100",
        "LANG": "C.UTF-8",
        "LC_TIME": "C",
        "TZ": "UTC",
        "HOME": "/root",
        "container": "rootgen",
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, {}),
        ({"LANG": "C"}, {"LANG": "C"}),
        ({"LC_CTYPE": "POSIX"}, {"LC_CTYPE": "POSIX"}),
        ({"LC_CTYPE": "C.UTF-8"}, {"LC_CTYPE": "C.UTF-8"}),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "C"}, {"LANG": "C.UTF-8", "LC_CTYPE": "C"}),
        ({"LC_ALL": "C"}, {"LC_ALL": "C"}),
    ],
)
def test_locale_is_the_callers(tree: Path, given: dict[str, str], shown: dict[str, str]) -> None:
    """What Python makes of the C locale for itself (PEP 538) is no variable of the caller's."""
    options = ["--env", "LC_CTYPE"]
    for chosen in ([], ["--clear-env", *options]):
        done = launch(tree, "env", options=chosen, env=given)
        lines = [line.split("=", 1) for line in done.stdout.decode().splitlines()]
        found = {name: value for name, value in lines if name.startswith(("LC_", "LANG"))}
        kept = {"LC_CTYPE"} if chosen else set(shown)
        assert found == {name: value for name, value in shown.items() if name in kept}


def test_environment_options(tree: Path) -> None:
    """--env sets; --clear-env leaves nothing of the caller's."""
    options = ["--env", "A=b=c", "--env", "HOME=/x"]
    assert shell(tree, "echo $A $HOME", options) == "b=c /x"
    done = launch(tree, "env", options=["--clear-env"], env={**os.environ, "TERM": "vt100"})
    assert b"TERM" not in done.stdout


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("app", "uid=1000(app) gid=1000(app) groups=1000(app),2000(audio)"),
        ("1000", "uid=1000(app) gid=1000(app) groups=1000(app),2000(audio)"),
        ("app:2000", "uid=1000(app) gid=2000(audio)"),
        ("app:audio", "uid=1000(app) gid=2000(audio)"),
        ("77:88", "uid=77 gid=88"),
    ],
)
def test_user(tree: Path, user: str, expected: str) -> None:
    """Users and groups are those of the tree's own files, or numbers."""
    assert output(tree, "id", options=["--user", user]).startswith(expected)


def test_user_has_no_capabilities(tree: Path) -> None:
    """Who is not root has none, and has the home that passwd says."""
    options = ["--user", "app"]
    status = _status(tree, options)
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert shell(tree, "echo $HOME", options) == "/home/app"


def test_unknown_user(tree: Path) -> None:
    """A name that the tree does not have is an error that says where it was sought."""
    done = launch(tree, "true", options=["--user", "apq"])
    assert done.returncode == 125
    assert b"apq" in done.stderr
    assert b"/etc/passwd" in done.stderr


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe:x\n" * 9,
        b"app:x:-1:0::/:/bin/sh\n",
        b"app:x:99999999999999999999:0::/:/bin/sh\n",
        b"app\n:::\napp:x:one:two:::\n",
        b"app" * 4096,
    ],
)
def test_hostile_passwd(tree: Path, content: bytes) -> None:
    """A passwd that is no passwd is an error for who needs it, and no traceback."""
    (tree / "etc/passwd").write_bytes(content)
    done = launch(tree, "true", options=["--user", "app"])
    assert done.returncode == 125
    assert b"Traceback" not in done.stderr
    assert launch(tree, "true").returncode == 0


@pytest.mark.parametrize("kind", ["fifo", "endless"])
def test_passwd_that_never_ends(tree: Path, kind: str) -> None:
    """Nor does one that cannot be read to its end stop us."""
    (tree / "etc/passwd").unlink()
    if kind == "fifo":
        os.mkfifo(tree / "etc/passwd")
    else:
        (tree / "etc/passwd").symlink_to("/dev/zero")
    assert launch(tree, "true").returncode == 0
    assert launch(tree, "true", options=["--user", "app"]).returncode == 125


def test_working_directory(tree: Path) -> None:
    """The program starts in /, or where it was told to; a place that is not there is named."""
    assert output(tree, "pwd") == "/"
    assert output(tree, "pwd", options=["--workdir", "/home/app"]) == "/home/app"
    done = launch(tree, "pwd", options=["--workdir", "/none"])
    assert done.returncode == 125
    assert b"/none" in done.stderr


@pytest.mark.parametrize("place", ["/proc/self/fd/3", "/proc/1/root", "/proc/self/cwd"])
def test_working_directory_through_procfs(tree: Path, tmp_path: Path, place: str) -> None:
    """A directory that somebody has open, the host's perhaps, is none to start in."""
    leak = os.open(tmp_path, os.O_RDONLY)
    try:
        done = launch(tree, "ls", options=["--workdir", place], pass_fds=[leak])
    finally:
        os.close(leak)
    assert done.returncode == 125
    assert done.stdout == b""


def test_loader_of_the_host(tree: Path) -> None:
    """A program whose loader is /proc/self/exe does not get the host's Python for one."""
    program = (tree / "bin/bash").read_bytes()
    loader = program[program.index(b"/lib") :].split(b"\0")[0]
    evil = b"/proc/self/exe".ljust(len(loader), b"\0")
    (tree / "bin/evil").write_bytes(program.replace(loader, evil, 1))
    (tree / "bin/evil").chmod(0o755)
    done = launch(tree, "evil")
    assert done.returncode == 126
    assert b"/proc/self/exe" in done.stderr


def test_caller_with_no_new_privileges(tree: Path) -> None:
    """Set-user-ID helpers are no help then; the one id that needs none is enough."""
    line = ["setpriv", "--no-new-privs", *command_line(tree, "id", "-u")]
    done = subprocess.run(line, capture_output=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.fixture
def open_tree(tree: Path) -> Iterator[Path]:
    """Move the tree to where another user comes to it: pytest keeps its directories to itself."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield tree.rename(Path(place) / "tree")


def test_groups_are_frozen_without_ranges(open_tree: Path) -> None:
    """With one id only, setgroups(2) is denied, else a group could be dropped (CVE-2014-8989)."""
    if os.geteuid() == 0:
        line = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]
    else:
        line = ["setpriv", "--no-new-privs"]
    script = "cat /proc/self/setgroups; wc -l </proc/self/uid_map"
    line += command_line(open_tree, "sh", "-c", script)
    done = subprocess.run(line, capture_output=True, check=False, timeout=60)
    assert done.stdout.split() == [b"deny", b"1"], done.stderr


def test_inside_a_user_namespace(tree: Path) -> None:
    """Root of a user namespace where groups are frozen launches as well."""
    line = ["unshare", "--user", "--map-root-user", "--mount", *command_line(tree, "id", "-u")]
    done = subprocess.run(line, capture_output=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


def test_the_host_itself() -> None:
    """The host's own root can be the tree: its files, in namespaces of their own."""
    done = launch(Path("/"), "/bin/sh", "-c", "echo $$; exit 4", options=["--read-only"])
    assert done.returncode == 4, done.stderr
    assert done.stdout == b"2\n"


def test_locale_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a process wrote over what it was executed with, nothing is taken away."""
    block = tmp_path / "environ"
    monkeypatch.setattr(environment, "_INITIAL", str(block))
    monkeypatch.setenv("LC_CTYPE", "C.UTF-8")
    for content, expected in (
        (b"A=1\0", None),
        (b"", None),
        (b"LC_CTYPE=POSIX\0A=1\0", "POSIX"),
        (b"a title of mine\0\0\0", "C.UTF-8"),
        (b"PYTHONCOERCECLOCALE=0\0", "C.UTF-8"),
    ):
        block.write_bytes(content)
        assert callers_variables(os.environ).get("LC_CTYPE") == expected
        assert callers_variables(dict(os.environ))["LC_CTYPE"] == "C.UTF-8"
    block.unlink()
    assert callers_variables(os.environ)["LC_CTYPE"] == "C.UTF-8"
