"""What a process says of itself, read back from the kernel."""

from __future__ import annotations

import pytest

from tests.linux.contained import run_python


def test_no_new_privileges() -> None:
    """PR_SET_NO_NEW_PRIVS shows in the status of the process."""
    body = "process.set_no_new_privileges(); print(status_line('NoNewPrivs'))"
    assert run_python(body) == ["1"]


def test_dumpable() -> None:
    """Of a process that is not dumpable, an unprivileged one may not read the executable."""
    lines = run_python(
        """
        child_read, ready = os.pipe()
        wait, done = os.pipe()
        other = os.fork()
        if other == 0:
            os.close(done)
            process.set_dumpable(dumpable=False)
            os.write(ready, b"x")
            os.read(wait, 1)
            os._exit(0)
        os.read(child_read, 1)
        if os.geteuid() == 0:
            now(capability.record_all, 0)
        print(failure(os.readlink, f"/proc/{other}/exe"))
        print(failure(os.readlink, f"/proc/self/exe"))
        os.close(done)
        os.waitpid(other, 0)
        """
    )
    assert lines == ["EACCES", "no error"]


def test_parent_death_signal() -> None:
    """When the parent dies the child is signalled: the pipe it holds closes."""
    lines = run_python(
        """
        import signal
        held_read, held = os.pipe()
        parent = os.fork()
        if parent == 0:
            armed_read, armed = os.pipe()
            if os.fork() == 0:
                process.set_parent_death_signal(signal.SIGKILL)
                os.write(armed, b"x")
                while True:
                    signal.pause()
            os.read(armed_read, 1)
            os._exit(0)
        os.close(held)
        os.waitpid(parent, 0)
        print(os.read(held_read, 1))
        """
    )
    assert lines == ["b''"]


@pytest.mark.parametrize("refused", [False, True])
def test_close_on_exec(refused: bool) -> None:
    """Descriptors above 2 do not survive an exec, with close_range(2) and without."""
    refuse = "libc.error and setattr(process, 'system_call', lambda *_: -1)" if refused else ""
    lines = run_python(
        f"""
        import ctypes
        for number in (3, 7, 200):
            os.dup2(1, number)
            os.set_inheritable(number, True)
        {refuse}
        ctypes.set_errno(errno.ENOSYS)
        process.close_on_exec_from(3)
        os.execlp("sh", "sh", "-c", "for f in 0 1 2 3 7 200; do "
                  "[ -e /proc/self/fd/$f ] && echo $f; done; true")
        """
    )
    assert lines == ["0", "1", "2"]


def test_signal_descriptor() -> None:
    """Blocked signals are read in turn, of high numbers as well; then there is none."""
    lines = run_python(
        """
        import signal
        numbers = [signal.SIGTERM, signal.SIGCHLD, signal.SIGRTMAX]
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        descriptor = process.signal_descriptor(numbers)
        print(process.read_signal(descriptor), os.get_inheritable(descriptor))
        for number in numbers:
            os.kill(os.getpid(), number)
        read = {process.read_signal(descriptor) for _ in numbers}
        print(read == set(numbers), process.read_signal(descriptor))
        """
    )
    assert lines == ["None False", "True None"]


def test_subreaper() -> None:
    """A subreaper gets its grandchildren when their parent is gone."""
    lines = run_python(
        """
        process.set_child_subreaper(subreaper=True)
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(7)
            os._exit(3)
        codes = {os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)}
        print(codes == {3, 7})
        """
    )
    assert lines == ["True"]


def test_has_no_new_privileges() -> None:
    """It is told once it is set."""
    body = """
        print(process.has_no_new_privileges())
        process.set_no_new_privileges()
        print(process.has_no_new_privileges())
        """
    assert run_python(body)[-1] == "True"


@pytest.mark.parametrize("text", ["'short'", "'x' * 100_000", "''"])
def test_command_line(text: str) -> None:
    """Others read what was set, as far as there is room, and nothing of what was there."""
    lines = run_python(
        f"""
        before = open("/proc/self/cmdline", "rb").read()
        process.set_command_line(({text}).encode())
        after = open("/proc/self/cmdline", "rb").read()
        print(len(after) == len(before) and after.endswith(b"\\0"), b"prelude" in after)
        print(({text}).startswith(after.rstrip(b"\\0").decode()), b"python" in after)
        """
    )
    assert lines == ["True False", "True False"]


@pytest.mark.parametrize("refused", [False, True])
def test_close_from(refused: bool) -> None:
    """Every descriptor from the first on is closed, with close_range(2) and without."""
    refuse = "setattr(process, 'system_call', lambda *_: -1)" if refused else ""
    lines = run_python(
        f"""
        import ctypes
        for number in (3, 4, 7, 200):
            os.dup2(1, number)
        {refuse}
        ctypes.set_errno(errno.ENOSYS)
        process.close_from(4)
        print(*(number for number in (0, 1, 2, 3, 4, 7, 200)
                if failure(os.fstat, number) == "no error"))
        """
    )
    assert lines == ["0 1 2 3"]
