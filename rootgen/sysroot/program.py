"""Looking a program up in a root: by path, or by name on the root's own PATH."""

from __future__ import annotations

from rootgen.errors import MissingError, SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.sysroot.port import Found, Sysroot

# The PATH of login.defs(5) (ENV_SUPATH), and not the caller's: what a name means in a
# root must not depend on who asks.
SEARCH_PATH = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)


def find_program(
    sysroot: Sysroot,
    name: str,
    search_path: Sequence[str] = SEARCH_PATH,
    *,
    explain: bool = True,
) -> tuple[str, Found]:
    """Return the path that ``name`` is found at, and where that leads.

    A name with a slash is an absolute path within the root. Raises
    MissingError where nothing is found, with the nearest names (unless the
    caller has no use for them: not ``explain``), and SysrootError where it
    is a directory or no regular file.
    """
    if "/" in name:
        found = sysroot.lookup(name)
        if found is None:
            raise _no_path(sysroot, name) if explain else _missing(name)
        if found.node.kind is not Kind.FILE:
            message = f"{name} is {found.node.kind.noun()}, not a program"
            raise SysrootError(message)
        return name, found
    for directory in search_path:
        path = f"{directory}/{name}"
        found = sysroot.lookup(path) if name not in {"", ".", ".."} else None
        if found is not None and found.node.kind is Kind.FILE and found.node.mode & 0o111:
            return path, found
    raise _no_name(sysroot, name, search_path) if explain else _missing(name)


def _missing(name: str, why: tuple[str, ...] = (), hint: str = "") -> MissingError:
    return MissingError(f"no such program: {name or '(an empty name)'}", why=why, hint=hint)


def _no_path(sysroot: Sysroot, path: str) -> MissingError:
    parts = path.rstrip("/").split("/")
    for end in range(2, len(parts) + 1):
        prefix = "/".join(parts[:end])
        if sysroot.lookup(prefix) is None:
            directory = "/".join(parts[: end - 1]) or "/"
            found = sysroot.lookup(directory)
            real = found.path.rstrip("/") if found is not None else directory
            node = sysroot.node(f"{real}/{parts[end - 1]}")
            if node is not None and node.kind is Kind.SYMLINK:
                why = f"{prefix} is a symbolic link that leads nowhere: it says {node.target}"
                return _missing(path, (why,))
            return _no_entry(sysroot, path, directory, parts[end - 1])
    return _missing(path)


def _no_entry(sysroot: Sysroot, path: str, directory: str, name: str) -> MissingError:
    try:
        names = _listed(sysroot, directory)
    except SysrootError as error:
        # Who may not look into it cannot say what it lacks.
        return _missing(path, (error.what,))
    return _missing(path, (f"{directory} has no {name}",), _did_you_mean(_nearest(name, names)))


def _no_name(sysroot: Sysroot, name: str, search_path: Sequence[str]) -> MissingError:
    names = {other for directory in search_path for other in _names(sysroot, directory)}
    searched = f"searched {':'.join(search_path)} in {sysroot.name}"
    unusable = [
        f"{directory}/{name} {_unusable(sysroot, directory, name)}"
        for directory in search_path
        if name in _names(sysroot, directory)
    ]
    near = _nearest(name, sorted(names - {name}))
    hint = "" if unusable else _did_you_mean(near)
    return _missing(name, (*unusable, searched), hint)


def _unusable(sysroot: Sysroot, directory: str, name: str) -> str:
    """Say why ``name`` in ``directory`` is not the program of that name."""
    found = sysroot.lookup(f"{directory}/{name}")
    if found is None:
        return "is a symbolic link that leads nowhere"
    if found.node.kind is Kind.FILE:
        return "is not executable"
    return f"is {found.node.kind.noun()}"


def _listed(sysroot: Sysroot, directory: str) -> Sequence[str]:
    found = sysroot.lookup(directory)
    if found is None or found.node.kind is not Kind.DIRECTORY:
        return ()
    return sysroot.names(found.path)


def _names(sysroot: Sysroot, directory: str) -> Sequence[str]:
    try:
        return _listed(sysroot, directory)
    except SysrootError:
        # Suggestions are a courtesy: a directory that cannot be listed offers none.
        return ()


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    from difflib import get_close_matches  # only on the way to an error

    return get_close_matches(name, names, n=3, cutoff=0.6)


def _did_you_mean(names: Sequence[str]) -> str:
    return f"did you mean {', '.join(names)}?" if names else ""
