"""Making the groups that hold a launch's limits, and removing them whatever happened."""

from __future__ import annotations

import errno
import os
import time

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from rootgen.sandbox.limits import Limit

NAME_PREFIX = "rootgen-"

_READ_LIMIT = 65536
# The kernel finishes the last exits of a group after wait(2) told of them: rmdir may meet EBUSY.
_ATTEMPTS = 50
_PAUSE = 0.002


class Groups:
    """The groups of one launch; a context manager that makes and removes them."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        """Take the limits; nothing is made before ``with``."""
        self.limits = limits
        self._made: list[str] = []
        self._left: list[tuple[str, str]] = []

    def __enter__(self) -> Groups:
        """Make the groups and write their limits; raise LaunchError."""
        try:
            for limit in self.limits:
                self._make(limit)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the groups; whoever was in them is dead by now."""
        self._remove()

    def add(self, process: int) -> None:
        """Put a process, and all that it forks from then on, under the limits."""
        for limit in self.limits:
            _write(f"{limit.directory}/cgroup.procs", str(process))

    def out_of_memory(self) -> bool:
        """Say whether the kernel killed a process of ours because of its memory limit."""
        for limit in self.limits:
            if not limit.events:
                continue
            for line in _read(f"{limit.directory}/{limit.events}").splitlines():
                name, _, number = line.partition(" ")
                if name == "oom_kill" and number.strip() not in ("", "0"):
                    return True
        return False

    def _make(self, limit: Limit) -> None:
        if limit.leaf:
            self._mkdir(limit.leaf)
            _write(f"{limit.leaf}/cgroup.procs", str(os.getpid()))
            self._left.append((f"{limit.parent}/cgroup.procs", str(os.getpid())))
        if limit.controllers:
            path = f"{limit.parent}/cgroup.subtree_control"
            _write(path, " ".join(f"+{one}" for one in limit.controllers))
            if limit.leaf:
                text = " ".join(f"-{one}" for one in limit.controllers)
                self._left.insert(0, (path, text))
        _remove_stale(os.path.dirname(limit.directory))
        self._mkdir(limit.directory)
        for name, value in limit.files:
            _write(f"{limit.directory}/{name}", value)
        for name, value in limit.optional:
            if os.path.exists(f"{limit.directory}/{name}"):
                _write(f"{limit.directory}/{name}", value)

    def _mkdir(self, path: str) -> None:
        try:
            os.mkdir(path, 0o755)
        except OSError as error:
            raise _failure(f"make the cgroup {path}", error) from error
        self._made.append(path)

    def _remove(self) -> None:
        # The launcher goes back to its own group only after its children's controllers are off,
        # and they are off only after the limited group is gone.
        limited = {limit.directory for limit in self.limits}
        for path in reversed(self._made):
            if path in limited:
                _remove_group(path)
        for path, text in self._left:
            _write(path, text)
        for path in self._made:
            if path not in limited:
                _remove_group(path)
        self._made, self._left = [], []


def _remove_group(path: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            if error.errno != errno.EBUSY:
                raise _failure(f"remove the cgroup {path}", error) from error
            time.sleep(_PAUSE)
        else:
            return
    raise LaunchError(f"cannot remove the cgroup {path}", why=("processes are still in it",))


def _remove_stale(parent: str) -> None:
    """Remove what launchers left that were killed: a group of ours whose maker is gone."""
    for name in os.listdir(parent):
        maker = name.removeprefix(NAME_PREFIX).partition("-")[0]
        if not name.startswith(NAME_PREFIX) or not maker.isdigit():
            continue
        if not os.path.exists(f"/proc/{maker}"):
            try:
                os.rmdir(f"{parent}/{name}")
            except OSError as error:
                # Somebody else's, somebody was quicker, or its processes are still dying.
                if error.errno not in (errno.EBUSY, errno.ENOENT, errno.EACCES, errno.EPERM):
                    raise _failure(f"remove the cgroup {parent}/{name}", error) from error


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _failure(f"write '{text}' to {path}", error) from error


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _READ_LIMIT).decode()
    finally:
        os.close(descriptor)


def _failure(doing: str, error: OSError) -> LaunchError:
    return LaunchError(
        f"cannot {doing}: {error.strerror}",
        hint="leave the limit out, or try another value: the caller's own group bounds it",
    )
