"""Namespaces: a clone is in new ones, its maps are what was written."""

from __future__ import annotations

import pytest

from tests.linux.contained import run_python

NAMESPACES = {
    "mnt": "NEWNS",
    "uts": "NEWUTS",
    "ipc": "NEWIPC",
    "pid": "NEWPID",
    "net": "NEWNET",
    "cgroup": "NEWCGROUP",
}


@pytest.mark.parametrize("name", NAMESPACES)
def test_clone(name: str) -> None:
    """One flag gives one new namespace, and no other (but the user's own, when not root)."""
    lines = run_python(
        f"""
        names = {list(NAMESPACES)}
        before = {{name: os.readlink(f"/proc/self/ns/{{name}}") for name in names}}
        start(namespace.CLONE_{NAMESPACES[name]})
        print(*(n for n in names if os.readlink(f"/proc/self/ns/{{n}}") != before[n]))
        """
    )
    assert lines == [name]


def test_process_one() -> None:
    """The clone is process 1 at once, and forks as any Python does."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWPID)
        print(os.getpid(), os.getppid(), flush=True)
        child = os.fork()
        if child == 0:
            print(os.getpid(), os.getppid(), flush=True)
            os._exit(5)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert lines == ["1 0", "2 1", "5"]


def test_id_map() -> None:
    """A single id maps to 0, groups are frozen, and a second writing is refused."""
    lines = run_python(
        """
        user, group = os.geteuid(), os.getegid()
        ready_read, ready = os.pipe()
        go_read, go = os.pipe()
        child = namespace.clone(namespace.CLONE_NEWUSER)
        if child == 0:
            os.close(go)
            os.read(go_read, 1)
            print(os.geteuid(), os.getegid(), failure(os.setgroups, []), flush=True)
            os._exit(0)
        namespace.deny_setgroups(child)
        namespace.write_id_map(child, "uid_map", [(0, user, 1)])
        namespace.write_id_map(child, "gid_map", [(0, group, 1)])
        print(failure(namespace.write_id_map, child, "uid_map", [(0, user, 1)]), flush=True)
        os.close(go)
        os.waitpid(child, 0)
        """
    )
    assert lines == ["EPERM", "0 0 EPERM"]


def test_map_error_names_the_file() -> None:
    """A map that the kernel refuses is an error with the file's name."""
    lines = run_python(
        """
        try:
            namespace.write_id_map(os.getpid(), "uid_map", [(0, 0, 0)])
        except OSError as error:
            print(error.filename == f"/proc/{os.getpid()}/uid_map")
        """
    )
    assert lines == ["True"]


def test_join() -> None:
    """A namespace is joined through its descriptor."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWUTS | namespace.CLONE_NEWPID | namespace.CLONE_NEWNS)
        outer = os.open("/proc/self/ns/uts", os.O_RDONLY)
        before = os.readlink("/proc/self/ns/uts")
        namespace.unshare(namespace.CLONE_NEWUTS)
        print(os.readlink("/proc/self/ns/uts") == before)
        namespace.join(outer, namespace.CLONE_NEWUTS)
        print(os.readlink("/proc/self/ns/uts") == before)
        """
    )
    assert lines == ["False", "True"]


def test_host_name() -> None:
    """A new UTS namespace is named; a name that is too long is an error."""
    lines = run_python(
        """
        start(namespace.CLONE_NEWUTS | namespace.CLONE_NEWPID)
        now(namespace.record_host_name, "inside")
        print(os.uname().nodename, failure(now, namespace.record_host_name, "x" * 65))
        """
    )
    assert lines == ["inside EINVAL"]


def test_loopback() -> None:
    """The loopback interface of a new network answers only once it is up."""
    lines = run_python(
        """
        import socket
        start(namespace.CLONE_NEWNET)
        server = socket.socket(); server.bind(("0.0.0.0", 0)); server.listen()
        address = ("127.0.0.1", server.getsockname()[1])
        print(failure(socket.socket().connect, address))
        now(network.record_loopback_up)
        print(failure(socket.socket().connect, address))
        print(failure(socket.socket(socket.AF_INET6).connect, ("::1", 1)))
        """
    )
    assert lines == ["ENETUNREACH", "no error", "ECONNREFUSED"]
