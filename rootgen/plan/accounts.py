"""Accounts of a profile in a base that has accounts of its own (passwd(5), group(5))."""

from __future__ import annotations

from rootgen.errors import PlanError, SysrootError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.skeleton import group_line, passwd_line
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rootgen.profile.model import UserRule
    from rootgen.sysroot.port import Sysroot

_LIMIT = 16 << 20


def joined_accounts(users: Sequence[UserRule], base: Sysroot) -> Iterator[Entry]:
    """Return those of the base's passwd and group that lack ``users``, with lines for them.

    Raises PlanError where the base has another account of that name.
    """
    if not users:
        return
    for path, line in (("/etc/passwd", passwd_line), ("/etc/group", group_line)):
        found = base.lookup(path)
        if found is not None and found.node.kind is Kind.FILE:
            own = _read(base, found.path)
            data = _joined(own, users, line, path)
            if data == own:
                continue
            yield Entry(
                found.path,
                EntryKind.FILE,
                found.node.mode,
                found.node.uid,
                found.node.gid,
                size=len(data),
                content=Inline(data),
                reasons=(Reason(ReasonKind.PROFILE, users[0].profile, "users"),),
            )


def _joined(
    data: bytes, users: Sequence[UserRule], line: Callable[[UserRule], str], path: str
) -> bytes:
    known = {one.partition(b":")[0]: one.split(b":") for one in data.splitlines()}
    more = []
    for user in users:
        text = line(user).encode()
        there = known.get(user.name.encode())
        if there is None:
            more.append(text + b"\n")
        elif there[2:3] != text.split(b":")[2:3]:
            raise PlanError(
                f"{user.place}: the base has another {user.name} in {path}",
                why=(f"the base's number is {b''.join(there[2:3]).decode(errors='replace')}",),
            )
    end = b"\n" if data and not data.endswith(b"\n") and more else b""
    return data + end + b"".join(more)


def _read(base: Sysroot, path: str) -> bytes:
    with base.open(path) as file:
        data = file.pread(_LIMIT, 0)
    if len(data) == _LIMIT:
        raise SysrootError(f"{path} of the base is larger than any such file")
    return data
