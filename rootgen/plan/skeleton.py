"""What every root file system has: the standard directories, accounts and name service.

The sixteen top-level names of the Filesystem Hierarchy Standard that a
program may count on, following the merged-/usr of the root being read.
Modes and owners are fixed, not the host's: the same inputs give the same tree.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.profile.model import UserRule
    from rootgen.sysroot.port import Sysroot

# Merged-/usr: where these are symbolic links in the root being read, they are in the target.
_MERGED = ("bin", "lib", "lib64", "sbin")
_DIRECTORIES = {
    "/": 0o755,
    "/dev": 0o755,
    "/etc": 0o755,
    "/home": 0o755,
    "/mnt": 0o755,
    "/opt": 0o755,
    "/proc": 0o555,
    "/root": 0o700,
    "/run": 0o755,
    "/sys": 0o555,
    "/tmp": 0o1777,  # noqa: S108 - the target's, not ours
    "/usr": 0o755,
    "/var": 0o755,
    "/var/lib": 0o755,
    "/var/lib/rootgen": 0o755,
    "/var/tmp": 0o1777,  # noqa: S108 - the target's, not ours
}
_REASON = (Reason(ReasonKind.SKELETON),)
_HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
_NSSWITCH = """\
passwd:    files
group:     files
shadow:    files
hosts:     files dns
networks:  files
protocols: files
services:  files
ethers:    files
rpc:       files
"""


def directories(sysroot: Sysroot) -> Iterator[Entry]:
    """Return the standard directories and the merged-/usr links of ``sysroot``."""
    for path, mode in _DIRECTORIES.items():
        yield Entry(path, EntryKind.DIRECTORY, mode, reasons=_REASON)
    for name in _MERGED:
        node = sysroot.node(f"/{name}")
        if node is not None and node.kind is Kind.SYMLINK:
            found = sysroot.lookup(f"/{name}")
            yield Entry(f"/{name}", EntryKind.SYMLINK, 0o777, target=node.target, reasons=_REASON)
            # Where /sbin leads to /usr/sbin and that to bin, each hop is needed.
            for link in () if found is None else found.links[1:]:
                yield Entry(
                    link.path, EntryKind.SYMLINK, 0o777, target=link.target, reasons=_REASON
                )
            if found is not None and found.node.kind is Kind.DIRECTORY:
                yield Entry(found.path, EntryKind.DIRECTORY, 0o755, reasons=_REASON)
        else:
            yield Entry(f"/{name}", EntryKind.DIRECTORY, 0o755, reasons=_REASON)


def files(users: Sequence[UserRule], shell: str) -> Iterator[Entry]:
    """Return the account and name-service files, with ``users`` beside root and nobody.

    ``shell`` is root's login shell in the target.
    """
    yield _text("/etc/passwd", "".join(f"{line}\n" for line in _passwd(users, shell)))
    yield _text("/etc/group", "".join(f"{line}\n" for line in _group(users)))
    yield _text("/etc/nsswitch.conf", _NSSWITCH)
    yield _text("/etc/hosts", _HOSTS)


def homes(users: Iterable[UserRule]) -> Iterator[Entry]:
    """Return the home directories of ``users``, each its owner's alone."""
    for user in users:
        if user.home not in _DIRECTORIES and user.home != "/nonexistent":
            reasons = (Reason(ReasonKind.PROFILE, user.profile, f"home of {user.name}"),)
            yield Entry(user.home, EntryKind.DIRECTORY, 0o755, user.uid, user.gid, reasons=reasons)


def _text(path: str, text: str) -> Entry:
    data = text.encode()
    return Entry(path, EntryKind.FILE, 0o644, size=len(data), content=Inline(data), reasons=_REASON)


def _passwd(users: Sequence[UserRule], shell: str) -> Iterator[str]:
    named = {user.name for user in users}
    if "root" not in named:
        yield f"root:x:0:0:root:/root:{shell}"
    for user in users:
        yield passwd_line(user)
    if "nobody" not in named:
        yield "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"


def _group(users: Sequence[UserRule]) -> Iterator[str]:
    standard = {"root": 0, "tty": 5, "nogroup": 65534}
    own = {user.name: user.gid for user in users}
    taken = set(standard.values())
    yield from (f"{name}:x:{gid}:" for name, gid in standard.items())
    for name, gid in own.items():
        if name not in standard and gid not in taken:
            taken.add(gid)
            yield f"{name}:x:{gid}:"


def passwd_line(user: UserRule) -> str:
    """Return the line of passwd(5) for a user, without its newline."""
    return f"{user.name}:x:{user.uid}:{user.gid}:{user.comment}:{user.home}:{user.shell}"


def group_line(user: UserRule) -> str:
    """Return the line of group(5) for a user's own group, without its newline."""
    return f"{user.name}:x:{user.gid}:"
