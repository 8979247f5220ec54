"""Ways out of the root: by a second chroot, by what was left open, by the launcher's own file."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attacks.launchers import Chroot, Request
from tests.attacks.outcome import Outcome, Verdict, by_effect, judge
from tests.attacks.scene import loader

if TYPE_CHECKING:
    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene


def chroot_descriptor(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a descriptor of / is kept over a second chroot."""
    return judge(scene.run(launcher, "chroot_descriptor", str(scene.secret)), scene.token)


def chroot_dotdot(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a second chroot leaves the working directory outside."""
    return judge(scene.run(launcher, "chroot_dotdot", str(scene.secret)), scene.token)


def left_descriptor(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: whoever started the launcher has a directory of the host open."""
    leak = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = scene.run(launcher, "left_descriptor", str(scene.secret), fds=[leak])
    finally:
        os.close(leak)
    return judge(done, scene.token)


def stream_directory(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: standard input is a directory of the host."""
    top = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    # Python itself refuses to start like that: the naive launcher is another one here.
    launcher = Chroot() if launcher.name == "naive" else launcher
    try:
        done = scene.run(launcher, "left_descriptor", str(scene.secret), stdin=top)
    finally:
        os.close(top)
    return judge(done, scene.token)


def workdir_descriptor(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the working directory is what some descriptor of the launcher is open on."""
    leak = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    last = Outcome(Verdict.REFUSED)
    try:
        for number in sorted({leak, *range(3, 12)}):
            request = Request(workdir=f"/proc/self/fd/{number}")
            done = scene.run(launcher, "directory", str(scene.secret), request=request, fds=[leak])
            last = judge(done, scene.token)
            if last.verdict is Verdict.SUCCEEDED:
                break
    finally:
        os.close(leak)
    return last


def working_directory(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the launcher leaves the working directory where it was."""
    return judge(scene.run(launcher, "directory", str(scene.secret)), scene.token)


def reopened_stream(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a file that the caller opened for reading, as standard input, is opened for writing."""
    given = scene.host / "input"
    given.write_text("from the caller")
    stream = os.open(given, os.O_RDONLY)
    try:
        done = scene.run(launcher, "reopen", "overwritten", stdin=stream)
    finally:
        os.close(stream)
    changed = given.read_text() != "from the caller"
    return by_effect(done, "the caller's file was overwritten" if changed else "")


def launcher_overwritten(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the tree has the launcher's own file run, holds it, and writes to it."""
    place = scene.place / "copy"
    place.mkdir()
    for name in ("lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"):
        target = scene.tree / name
        target.parent.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(loader(), target)
        target.chmod(0o755)
    again = scene.tree / "bin/again"
    again.write_text("#!/proc/self/exe\n")
    again.chmod(0o755)
    done = scene.run(launcher, program="/bin/again", request=Request(copy=str(place)))
    written = (place / "launcher").read_bytes().endswith(b"overwritten")
    if not written and "host program" not in done.errors:
        return Outcome(Verdict.REFUSED, done.errors)
    return by_effect(done, "the launcher's file was written to" if written else "")


def file_handle(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a file of the host is opened by its handle."""
    kind, handle = _handle_of(scene.secret)
    return judge(scene.run(launcher, "file_handle", handle, kind), scene.token)


def _handle_of(path: Path) -> tuple[str, str]:
    """Return the type and the bytes of a file's handle (name_to_handle_at(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    room = 128
    buffer = ctypes.create_string_buffer(8 + room)
    ctypes.memmove(buffer, room.to_bytes(4, "little"), 4)
    mount = ctypes.c_int()
    name = os.fsencode(path)
    assert libc.name_to_handle_at(-100, name, buffer, ctypes.byref(mount), 0) == 0
    size = int.from_bytes(buffer.raw[:4], "little")
    return str(int.from_bytes(buffer.raw[4:8], "little")), buffer.raw[8 : 8 + size].hex()


def host_device(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: the device of the host's disk, or of its kernel's log, is made inside, and read."""
    lines = Path("/proc/partitions").read_text().splitlines()[2:]
    major, minor = lines[0].split()[:2]
    return judge(scene.run(launcher, "host_device", major, minor))


def tree_device(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a device node lies in the tree already."""
    os.mknod(scene.tree / "var/device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    (scene.tree / "var/device").chmod(0o666)
    return judge(scene.run(launcher, "node", "/var/device"))


def set_user_id(scene: Scene, launcher: Launcher) -> Outcome:
    """Try: a set-user-ID program of root lies in the tree."""
    program = scene.tree / "bin/setuid"
    shutil.copy(scene.tree / "bin/attack", program)
    program.chmod(0o4755)
    return judge(scene.run(launcher, "euid", program="/bin/setuid", request=Request(user="1000")))
