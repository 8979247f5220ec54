"""Mounts that are nowhere yet, and then where they were attached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.linux.contained import run_python

if TYPE_CHECKING:
    from pathlib import Path


def test_probe() -> None:
    """This machine's kernel has the calls (Linux 5.12), for who may mount."""
    lines = run_python(
        """
        from rootgen.linux import detached
        start(namespace.CLONE_NEWNS)
        print(failure(now, detached.record_probe))
        """
    )
    assert lines == ["no error"]


def test_not_available() -> None:
    """Where one of them is missing, or a filter refuses it, that is seen."""
    lines = run_python(
        """
        from rootgen.linux import detached, seccomp
        start(namespace.CLONE_NEWNS)
        process.set_no_new_privileges()
        load, equal, give = (bytes.fromhex(one) for one in ("2000", "1500", "0600"))
        word = lambda number: number.to_bytes(4, sys.byteorder)
        # EPERM of mount_setattr(2), by its number, and all else as it was.
        seccomp.install_filter(
            load + b"\\0\\0" + word(0)
            + equal + b"\\0\\1" + word(libc.MOUNT_SETATTR)
            + give + b"\\0\\0" + word(0x50000 | errno.EPERM)
            + give + b"\\0\\0" + word(0x7FFF0000), 0)
        print(failure(now, detached.record_probe))
        """
    )
    assert lines == ["EPERM"]


def test_clone(tmp_path: Path) -> None:
    """A copy is restricted before it is anywhere; the original stays as it is."""
    for name in ("source", "target"):
        (tmp_path / name).mkdir()
    lines = run_python(
        """
        from rootgen.linux import detached
        top = sys.argv[1]
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        os.mkdir(top + "/source/beneath")
        mount.mount("tmpfs", top + "/source/beneath", "tmpfs")
        source = os.open(top + "/source", os.O_PATH)
        target = os.open(top + "/target", os.O_PATH)
        made = detached.clone(source, mount.MS_RDONLY | mount.MS_NOSUID)
        print(len([p for p in mount.mount_points() if p.startswith(top + "/target")]))
        print(failure(os.mkdir, "new", dir_fd=made))
        detached.attach(made, target)
        for place in ("/target", "/target/beneath", "/source", "/source/beneath"):
            print(failure(os.mkdir, top + place + "/new"), os.statvfs(top + place).f_flag & 3)
        """,
        str(tmp_path),
    )
    assert lines[:2] == ["0", "EROFS"]
    assert [line.split()[0] for line in lines[2:]] == ["EROFS", "EROFS", "no", "no"]


def test_clone_of_a_file(tmp_path: Path) -> None:
    """A file is copied as a mount as well, on to a file."""
    (tmp_path / "source").write_text("said")
    (tmp_path / "target").touch()
    lines = run_python(
        """
        from rootgen.linux import detached
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        source = os.open(sys.argv[1] + "/source", os.O_PATH)
        target = os.open(sys.argv[1] + "/target", os.O_PATH)
        detached.attach(detached.clone(source, mount.MS_RDONLY), target)
        print(open(sys.argv[1] + "/target").read())
        print(failure(open, sys.argv[1] + "/target", "w"))
        """,
        str(tmp_path),
    )
    assert lines == ["said", "EROFS"]


def test_make(tmp_path: Path) -> None:
    """A fresh file system has the flags and options that were asked for."""
    lines = run_python(
        """
        from rootgen.linux import detached
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
        made = detached.make("tmpfs", "shown", flags, "mode=751,size=64k")
        os.mkdir("inside", dir_fd=made)
        detached.attach(made, os.open(sys.argv[1], os.O_PATH))
        print(os.listdir(sys.argv[1]), oct(os.stat(sys.argv[1]).st_mode & 0o777))
        with open("/proc/self/mounts") as file:
            print(next(line for line in file if sys.argv[1] in line).split()[0])
        print(os.statvfs(sys.argv[1]).f_flag & 14, os.statvfs(sys.argv[1]).f_blocks)
        print(failure(detached.make, "tmpfs", "x", 0, "size=none"))
        print(failure(detached.make, "no such", "x", 0, ""))
        """,
        str(tmp_path),
    )
    assert lines == ["['inside'] 0o751", "shown", "14 16", "EINVAL", "ENODEV"]


def test_restrict_beneath(tmp_path: Path) -> None:
    """What is mounted beneath is restricted and the mount itself is not, in either way."""
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
    lines = run_python(
        """
        import ctypes
        from rootgen.linux import detached
        def no_such_call(*_):
            ctypes.set_errno(errno.ENOSYS)
            return -1
        start(namespace.CLONE_NEWNS)
        mount.make_private()
        for name in ("new", "old"):
            if name == "old":
                mount.system_call = no_such_call
            top = f"{sys.argv[1]}/{name}"
            mount.mount("tmpfs", top, "tmpfs")
            os.makedirs(top + "/a b/c")
            mount.mount("tmpfs", top + "/a b", "tmpfs")
            os.mkdir(top + "/a b/c")
            mount.mount("tmpfs", top + "/a b/c", "tmpfs")
            mount.restrict_beneath(os.open(top, os.O_PATH), mount.MS_RDONLY)
            print(*(failure(os.mkdir, f"{top}{place}/x") for place in ("", "/a b", "/a b/c")))
        """,
        str(tmp_path),
    )
    assert lines == ["no error EROFS EROFS"] * 2
