"""The program inside: found on PATH, and looked at before it is executed.

Looked at for two reasons. What execve(2) answers for a missing interpreter
or loader is ENOENT, as if the program were missing. And until the exec
/proc/self/exe is the host's Python: a program, script or loader that leads
there would run it inside, where root could then write to it
(CVE-2019-5736); so nothing is executed that is reached through such a link.
"""

from __future__ import annotations

import errno
import os

from rootgen.closure.script import DEPTH_LIMIT, LINE_LIMIT, parse_shebang
from rootgen.elf.prefix import interpreter_in
from rootgen.elf.reader import is_elf, read_interpreter
from rootgen.errors import ElfError, NotExecutableError, NotFoundError
from rootgen.linux.calls import Recorder
from rootgen.linux.descriptor import record_closing, record_opening
from rootgen.linux.path import open_in_root, record_open_in_root
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Program

_FORMAT, _REGULAR, _DIRECTORY = 0o170000, 0o100000, 0o040000
_NOEXEC = 8  # ST_NOEXEC, statvfs(3)
_FOR_ALL = 0o111  # S_IXUSR | S_IXGRP | S_IXOTH
_PREFIX = 1024  # of a program, in which its headers and the name of its loader usually are
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # it may be anything
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def find_program(name: str, search: str, directory: str) -> str:
    """Return the path of the program ``name``, as execvp(3) finds it on ``search``.

    Relative names are taken from ``directory``. Raises NotFoundError, or
    NotExecutableError where nothing that was found can be executed.
    """
    if not name:
        raise NotFoundError("the name of the command is empty")
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if "/" in name:
            path = os.path.join(directory, name)
            _check(root, path, directory)
            return path
        return _search(root, name, search, directory)
    finally:
        os.close(root)


class LookCloserError(Exception):
    """It is not plain to see whether a program can be executed."""


def record_look(name: str) -> Program:
    """Record a look at whether ``name`` is an ordinary ELF program, whose loader is there.

    That is most of them: performing it raises LookCloserError for whatever else it is, and
    ``find_program`` then says more. Neither the program nor its loader is reached through a link
    of procfs.
    """
    recorder = Recorder()
    if not name.startswith("/"):
        recorder.call(_look_closer, failed=_look_closer)
        return recorder.program()
    root = record_opening(recorder, "/", os.O_PATH | os.O_DIRECTORY, _look_closer)
    program = record_open_in_root(recorder, root, name, _READ, _look_closer)
    loader = recorder.value()
    recorder.call(_loader_of, program, into=loader, failed=_look_closer)
    found = record_open_in_root(recorder, root, loader, os.O_PATH, _look_closer)
    for opened in (found, program, root):
        record_closing(recorder, opened, _look_closer)
    return recorder.program()


def _look_closer(*_: object) -> int:
    raise LookCloserError


def _loader_of(program: int) -> bytes:
    mode = os.fstat(program).st_mode
    if mode & _FORMAT != _REGULAR or mode & _FOR_ALL != _FOR_ALL:
        raise LookCloserError
    loader = interpreter_in(os.pread(program, _PREFIX, 0))
    if loader is None:
        raise LookCloserError
    return loader or b"."  # what is there anyhow


def _search(root: int, name: str, search: str, directory: str) -> str:
    refused: NotExecutableError | None = None
    for place in search.split(":"):
        path = os.path.join(directory, place, name)
        try:
            _check(root, path, directory)
        except NotFoundError:
            continue
        except NotExecutableError as error:
            refused = refused or error
        else:
            return path
    if refused is not None:
        raise refused
    raise NotFoundError(f"{name}: not found in the tree", why=(f"searched on PATH: {search}",))


def _check(root: int, path: str, directory: str) -> None:
    """Raise the error that executing ``path`` would end in, as far as that can be seen."""
    current = path
    for depth in range(DEPTH_LIMIT):
        following = _look_at(root, current, path, first=depth == 0)
        if following is None:
            return
        current = os.path.join(directory, following)


def _look_at(root: int, current: str, program: str, *, first: bool) -> str | None:
    """Check one file of the chain; return the interpreter that it names, if it is a script."""
    role = "" if first else f"{program}: its interpreter "
    try:
        place = open_in_root(root, current, os.O_PATH)
    except OSError as error:
        if error.errno in _ABSENT and first:
            raise NotFoundError(f"{current}: not found in the tree") from error
        raise _unreachable(role, current, error) from error
    try:
        mode = os.fstat(place).st_mode & _FORMAT
        if mode != _REGULAR:
            what = "a directory" if mode == _DIRECTORY else "not a regular file"
            raise NotExecutableError(f"{role}{current} is {what}")
        # By its name, not through /proc/self/fd: what is mounted on /proc may be no procfs.
        if not os.access(os.path.join("/", current), os.X_OK):
            raise NotExecutableError(
                f"{role}{current}: Permission denied", hint=_denied_hint(place, current)
            )
    finally:
        os.close(place)
    return _read_interpreter(root, current)


def _denied_hint(place: int, path: str) -> str:
    if os.fstatvfs(place).f_flag & _NOEXEC:
        return "it is on a file system that is mounted noexec: keep the tree on another"
    return f"chmod +x {path} in the tree"


def _unreachable(role: str, path: str, error: OSError) -> NotExecutableError:
    if error.errno in _ABSENT:
        hint = f"add it to the tree: rootgen make … {path}"
        return NotExecutableError(f"{role}{path} is not in the tree", hint=hint)
    if error.errno == errno.ELOOP:
        reason = "it leads through a link of procfs, or in a circle"
        return NotExecutableError(f"{role}{path} cannot be executed: {reason}")
    return NotExecutableError(f"{role}{path}: {error.strerror}")


def _read_interpreter(root: int, path: str) -> str | None:
    """Return the interpreter of a script; check the loader of an ELF file."""
    try:
        descriptor = open_in_root(root, path, _READ)
    except OSError:  # may be executed and not read, or is another by now: the kernel will tell
        return None
    try:
        head = os.pread(descriptor, LINE_LIMIT, 0)
        if is_elf(head):
            _check_loader(root, descriptor, path)
            return None
    finally:
        os.close(descriptor)
    shebang = parse_shebang(head)
    return shebang.interpreter if shebang is not None else None


def _check_loader(root: int, descriptor: int, path: str) -> None:
    try:
        loader = read_interpreter(lambda size, offset: os.pread(descriptor, size, offset), path)
    except ElfError as error:
        raise NotExecutableError(f"{path} is no sound ELF file", why=(error.what,)) from error
    if loader is None:
        return
    try:
        os.close(open_in_root(root, loader, os.O_PATH))
    except OSError as error:
        raise _unreachable(f"{path}: its loader ", loader, error) from error
