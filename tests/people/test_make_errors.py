"""Bad input of `rootgen make`: one message each, exit 1, and nothing written or overwritten."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.people.command import ROOTGEN, rootgen, succeed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOT = os.geteuid() == 0


class Case(NamedTuple):
    """What is prepared in an empty directory, what is typed there, and what is answered."""

    prepare: Callable[[Path], object]
    arguments: str
    message: str


def nothing(directory: Path) -> None:
    """Prepare nothing."""
    del directory


def truncated(directory: Path) -> None:
    """Cut an ELF file off in its headers."""
    with open("/bin/ls", "rb") as file:
        (directory / "short").write_bytes(file.read(80))
    (directory / "short").chmod(0o755)


def hostile(directory: Path) -> None:
    """Write an ELF header that points far beyond its file."""
    with open("/bin/ls", "rb") as file:
        data = bytearray(file.read(64))
    data[32:40] = b"\xff" * 8  # e_phoff
    (directory / "hostile").write_bytes(data + b"\0" * 100)
    (directory / "hostile").chmod(0o755)


def text(directory: Path) -> None:
    """Write a text without an interpreter line."""
    (directory / "notes").write_text("just words\n")
    (directory / "notes").chmod(0o755)


def lacking_interpreter(directory: Path) -> None:
    """Write a script whose interpreter is not there."""
    (directory / "script").write_text("#!/no/such/interpreter\n")
    (directory / "script").chmod(0o755)


def unknown_key(directory: Path) -> None:
    """Write a profile with a key that is misspelt."""
    (directory / "p.yaml").write_text("rootgen: 1\nname: p\nprogrms: [ls]\n")


def file_in_the_way(directory: Path) -> None:
    """Put a file where the tree would go."""
    (directory / "out").write_text("precious")


def link_in_the_way(directory: Path) -> None:
    """Put a symbolic link where the tree would go."""
    (directory / "elsewhere").mkdir()
    (directory / "elsewhere/precious").write_text("precious")
    (directory / "out").symlink_to("elsewhere")


def dangling_link(directory: Path) -> None:
    """Put a symbolic link that leads nowhere where the tree would go."""
    (directory / "out").symlink_to("nowhere")


def not_ours(directory: Path) -> None:
    """Put a directory with something in it where the tree would go."""
    (directory / "out").mkdir()
    (directory / "out/precious").write_text("precious")


def forged(directory: Path) -> None:
    """Put a directory with a manifest that is none where the tree would go."""
    not_ours(directory)
    (directory / "out/var/lib/rootgen").mkdir(parents=True)
    (directory / "out/var/lib/rootgen/manifest.json").write_text("{" * 100_000)


def linked_manifest(directory: Path) -> None:
    """Put a directory whose manifest is a link to a real one where the tree would go."""
    succeed("make", "true", "--out", "real", directory=directory)
    not_ours(directory)
    (directory / "out/var/lib").mkdir(parents=True)
    (directory / "out/var/lib/rootgen").symlink_to(directory / "real/var/lib/rootgen")


def file_as_parent(directory: Path) -> None:
    """Put a file where the parent of the tree would be."""
    (directory / "file").write_text("precious")


CASES = {
    "no such program": Case(nothing, "make bsah --out out", r"no such program: bsah\n.*\n.*bash"),
    "no such path": Case(nothing, "make /usr/bin/bahs --out out", r"/usr/bin has no bahs\n.*bash"),
    "a directory": Case(nothing, "make /etc --out out", "/etc is a directory, not a program"),
    "text": Case(text, "make ./notes --out out", "notes is neither an ELF file nor a script"),
    "script": Case(lacking_interpreter, "make ./script --out out", "/no/such/interpreter"),
    "truncated": Case(truncated, "make ./short --out out", "short"),
    "hostile": Case(hostile, "make ./hostile --out out", "hostile"),
    "unknown key": Case(
        unknown_key, "make -f ./p.yaml --out out", r"p\.yaml:3:1: .*programs"
    ),
    "unknown profile": Case(nothing, "make -f gti --out out", "unknown profile 'gti'.*'git'"),
    "file": Case(file_in_the_way, "make true --out out", "out is a file, which is not replaced"),
    "file, forced": Case(file_in_the_way, "make true --out out --force", "out is a file"),
    "link": Case(link_in_the_way, "make true --out out", "out is a symbolic link to elsewhere"),
    "link, forced": Case(link_in_the_way, "make true --out out/ --force", "is a symbolic link"),
    "dangling": Case(dangling_link, "make true --out out", "out is a symbolic link to nowhere"),
    "not ours": Case(
        not_ours, "make true --out out", r"did not make it\n  it holds precious\n.*--force"
    ),
    "forged": Case(forged, "make true --out out", "its manifest is not as rootgen wrote it"),
    "linked manifest": Case(linked_manifest, "make true --out out", "did not make it"),
    "no parent": Case(
        nothing, "make true --out no/such/out", r"no directory no/such\n.*mkdir -p no/such"
    ),
    "parent a file": Case(file_as_parent, "make true --out file/out", "Not a directory"),
    "root": Case(nothing, "make true --out /", "never written to"),
    "root, in other words": Case(nothing, "make true --out /usr/..", "never written to"),
    "here": Case(nothing, "make true --out . --force", "is the current directory"),
    "above": Case(nothing, "make true --out .. --force", "contains the current directory"),
    "system": Case(nothing, "make true --out /usr --force", "directory of this system"),
    "nothing to make": Case(nothing, "make --out out", "nothing to make"),
    "nowhere to": Case(nothing, "make true", "where to"),
    "long name": Case(nothing, f"make true --out {'x' * 240}", "File name too long"),
}  # fmt: skip
USAGE = {"nothing to make", "nowhere to"}


def listing(directory: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return all that is beneath a directory, contents included."""
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for top, directories, files in os.walk(directory):
        for name in directories + files:
            path = os.path.join(top, name)
            mode = os.lstat(path).st_mode
            content: bytes | str | None = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            found[path] = (mode, content)
    return found


@pytest.mark.parametrize("name", CASES)
def test_refused(tmp_path: Path, name: str) -> None:
    """One message that says what is wrong; everything stays as it was."""
    case = CASES[name]
    case.prepare(tmp_path)
    before = listing(tmp_path)
    done = rootgen(*case.arguments.split(), directory=tmp_path)
    assert re.search(case.message, done.stderr), done.stderr
    assert done.returncode == (2 if name in USAGE else 1)
    assert done.stderr.startswith("rootgen: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert listing(tmp_path) == before


def compiled(directory: Path, *, name: str = "program") -> None:
    """Compile a program and its library, and take the library away."""
    (directory / "lib.c").write_text("int answer(void) { return 42; }\n")
    (directory / "main.c").write_text("int answer(void); int main(void) { return answer(); }\n")
    gcc = ["gcc", "-o"]
    subprocess.run([*gcc, "libanswer.so", "-shared", "-fPIC", "lib.c"], cwd=directory, check=True)
    subprocess.run(
        [*gcc, name, "main.c", "-L.", "-lanswer", f"-Wl,-rpath,{directory}/gone"],
        cwd=directory,
        check=True,
    )
    (directory / "libanswer.so").unlink()


def test_missing_library(tmp_path: Path) -> None:
    """Program, chain and directories searched are told; --allow-missing goes on."""
    compiled(tmp_path)
    done = rootgen("make", "./program", "--out", "out", directory=tmp_path)
    assert done.returncode == 1
    assert "cannot find library libanswer.so" in done.stderr
    assert f"{tmp_path}/program" in done.stderr
    assert f"{tmp_path}/gone" in done.stderr
    assert "--allow-missing" in done.stderr
    assert not (tmp_path / "out").exists()
    succeed("make", "./program", "--allow-missing", "--out", "out", directory=tmp_path)
    checked = rootgen("check", "out", directory=tmp_path)
    assert checked.returncode == 1
    assert "libanswer.so" in checked.stdout


def test_other_architecture(tmp_path: Path) -> None:
    """A program of another machine is not made into a tree that cannot run it."""
    shutil.copy("/bin/ls", tmp_path / "ls")
    with open(tmp_path / "ls", "r+b") as file:
        file.seek(18)  # e_machine: EM_S390
        file.write(b"\x16\x00")
    done = rootgen("make", "./ls", "--out", "out", directory=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_changed_by_hand(tmp_path: Path) -> None:
    """A tree that changed since is replaced with --force only; the message says what changed."""
    succeed("make", "true", "--out", "out", directory=tmp_path)
    (tmp_path / "out/etc/hosts").write_text("127.0.0.1 mine\n")
    (tmp_path / "out/home/notes").write_text("precious")
    before = listing(tmp_path)
    done = rootgen("make", "true", "--out", "out", directory=tmp_path)
    assert done.returncode == 1
    assert "out changed since it was made" in done.stderr
    assert "/etc/hosts" in done.stderr
    assert "/home/notes was added" in done.stderr
    assert "--force" in done.stderr
    assert listing(tmp_path) == before
    succeed("make", "true", "--out", "out", "--force", directory=tmp_path)
    assert not (tmp_path / "out/home/notes").exists()
    succeed("check", "out", directory=tmp_path)
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("arguments", ["make ls --out out", "make ls --out out --force"])
def test_unchanged_or_empty(tmp_path: Path, arguments: str) -> None:
    """An empty directory, and a tree as it was made, are replaced without a question."""
    (tmp_path / "out").mkdir()
    succeed(*arguments.split(), directory=tmp_path)
    succeed(*arguments.split(), directory=tmp_path)
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(tmp_path: Path, signal_number: signal.Signals) -> None:
    """Ctrl-C, kill and a lost terminal: the old tree is whole, and nothing is beside it."""
    succeed("make", "true", "--out", "out", directory=tmp_path)
    before = listing(tmp_path)
    (tmp_path / "big").mkdir()
    with open(tmp_path / "big/zeros", "wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(32))
    arguments = ["make", "true", "ls", "--add", "big:/big", "--out", "out"]
    with subprocess.Popen([ROOTGEN, *arguments], cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_for(lambda: any(tmp_path.glob(".out.rootgen-new-*/big/zeros")))
        process.send_signal(signal_number)
        status = process.wait(30)
    shutil.rmtree(tmp_path / "big")
    assert status == (130 if signal_number == signal.SIGINT else -signal_number)
    assert listing(tmp_path) == before


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds, some seconds at most."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.0005)


def test_killed(tmp_path: Path) -> None:
    """SIGKILL at twenty moments: the tree that was there is whole each time, and then replaced."""
    succeed("make", "bash", "ls", "--out", "out", directory=tmp_path)
    whole = listing(tmp_path)
    before = time.monotonic()
    succeed("make", "bash", "ls", "cat", "--out", "out", directory=tmp_path)
    replaced = listing(tmp_path)
    seconds = time.monotonic() - before
    succeed("make", "bash", "ls", "--out", "out", directory=tmp_path)
    states = []
    for number in range(20):
        command = [ROOTGEN, "make", "bash", "ls", "cat", "--out", "out"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
            time.sleep(seconds * (number + 1) / 20)
            process.kill()
        found = {
            path: entry
            for path, entry in listing(tmp_path).items()
            if not path.startswith(f"{tmp_path}/.out.rootgen-")
        }
        assert found in (whole, replaced), number
        states.append(found == replaced)
        succeed("make", "bash", "ls", "--out", "out", directory=tmp_path)
        # What the dead left is gone as well.
        assert os.listdir(tmp_path) == ["out"]
        assert listing(tmp_path) == whole
    assert not all(states)


@pytest.mark.root
def test_no_space(tmp_path: Path) -> None:
    """A full file system: one message, and the file system is as empty as before."""
    script = f"""
        mount -t tmpfs -o size=2m none {tmp_path} && cd {tmp_path} || exit 99
        {ROOTGEN} make bash --out out; echo "status $?"
        ls -A; df --output=used . | tail -1
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert "cannot write out: No space left on device" in done.stderr
    assert "hint: nothing was left behind" in done.stderr
    assert done.stdout.split() == ["status", "1", "0"]


@pytest.mark.root
def test_read_only(tmp_path: Path) -> None:
    """A read-only file system: one message."""
    script = f"""
        mount -t tmpfs -o size=2m,ro none {tmp_path} && cd {tmp_path} || exit 99
        {ROOTGEN} make true --out out; echo "status $?"; ls -A
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert "cannot write out: Read-only file system" in done.stderr
    assert done.stdout.split() == ["status", "1"]


@pytest.mark.root
def test_mount_point(tmp_path: Path) -> None:
    """What is mounted in, or as, the tree to be replaced stays, and so does what is behind it."""
    succeed("make", "true", "--out", "out", directory=tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/precious").write_text("precious")
    script = f"""
        cd {tmp_path}; mount --bind outside out/mnt || exit 99
        {ROOTGEN} make true --out out; echo "status $?"
        {ROOTGEN} make true --out out --force; echo "status $?"
        umount -l out/mnt; mount --bind outside outside || exit 99
        {ROOTGEN} make true --out outside --force; echo "status $?"
    """
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert re.findall("status .", done.stdout) == ["status 1", "status 0", "status 1"]
    assert "/mnt is a place where a file system is mounted" in done.stderr
    assert "it is a mount point" in done.stderr
    assert (tmp_path / "outside/precious").read_text() == "precious"


def test_closed_to_us(tmp_path: Path) -> None:
    """A file that only others may read is named, with what wanted it."""
    if ROOT:
        # Root may read everything: what is not there stands in for it.
        done = rootgen("make", "true", "--add", "/no/such/file", "--out", "out", directory=tmp_path)
        assert "/no/such/file" in done.stderr
    else:
        done = rootgen("make", "true", "--add", "/etc/shadow", "--out", "out", directory=tmp_path)
        assert "cannot read /etc/shadow: Permission denied" in done.stderr
        assert "wanted by --add /etc/shadow" in done.stderr
    assert done.returncode == 1
    assert os.listdir(tmp_path) == []


def test_parent_not_ours(tmp_path: Path) -> None:
    """A parent directory that may not be written is said so."""
    (tmp_path / "closed").mkdir(mode=0o555)
    done = rootgen("make", "true", "--out", "closed/out", directory=tmp_path)
    if not ROOT:
        assert done.returncode == 1
        assert "closed must be writable" in done.stderr
    assert os.listdir(tmp_path / "closed") == (["out"] if ROOT else [])
