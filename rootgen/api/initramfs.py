"""What the first process of an initramfs is to start: as the tree's profile says, or a shell."""

from __future__ import annotations

from rootgen.api.run import SHELLS
from rootgen.closure.script import parse_shebang
from rootgen.errors import LaunchError, PlanError
from rootgen.image.initramfs import INIT, Start, with_init
from rootgen.named import TYPE_CHECKING
from rootgen.rootfs.note import Note
from rootgen.sandbox.account import Accounts, find_account
from rootgen.sandbox.environment import DEFAULT_PATH
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from rootgen.plan.plan import Plan
    from rootgen.profile.model import ImageConfig
    from rootgen.sysroot.port import Found, Sysroot

_MANY = 1 << 20  # of bytes of passwd(5)
_HEAD = 4096
_DEEPEST = 4  # scripts whose interpreter is a script (execve(2))
_EXECUTABLE = 0o111


def initramfs_of(plan: Plan, root: Sysroot, image: ImageConfig) -> tuple[Plan, tuple[Note, ...]]:
    """Return ``plan``, which ``root`` is, as an initramfs, and what a person should know of it.

    A file ``/init`` of its own is used as it is. Else the first process
    starts the entry point and command that ``image`` says, or the best shell
    of the root. Raises PlanError where there is neither, or where what it
    names is not there.
    """
    if INIT in plan:
        return plan, ()
    words = (*image.entrypoint, *image.command) or _shell(root)
    environment = {"PATH": DEFAULT_PATH, "TERM": "linux", **dict(image.env)}
    found = _find(root, words[0], environment["PATH"], image.workdir or "/")
    try:
        account = find_account(image.user, Accounts(_read(root, "passwd"), _read(root, "group")))
    except LaunchError as error:
        hint = "add the user to the profile (users:), or name one by number (image: user)"
        raise PlanError(error.what, why=error.why, hint=hint) from error
    who = account.credentials
    start = Start(
        found.path,
        words,
        tuple({"HOME": account.home, **environment}.items()),
        image.workdir or "/",
        who.uid,
        who.gid,
        who.groups or (),
    )
    told = Note(INIT, f"starts {' '.join(words)}, and powers off when that has ended")
    return with_init(plan, start, _machine(root, found)), (told,)


def _shell(root: Sysroot) -> tuple[str, ...]:
    for words in SHELLS:
        if any(_program(root, f"{place}/{words[0]}") for place in DEFAULT_PATH.split(":")):
            return words
    raise PlanError(
        "there is nothing for /init to start",
        why=("the tree's profile names no entrypoint (image:), and the tree has no shell",),
        hint="make it with a shell, or with a file /init of its own",
    )


def _find(root: Sysroot, name: str, search: str, workdir: str) -> Found:
    """Return the program ``name`` of the tree; raise PlanError where it is none."""
    places = [workdir] if "/" in name else search.split(":")
    for place in places:
        found = _program(root, name if name.startswith("/") else f"{place}/{name}")
        if found is not None:
            return found
    raise PlanError(
        f"/init cannot start {name}: the tree has no such program",
        why=(f"looked for in {', '.join(places)}",),
    )


def _program(root: Sysroot, path: str) -> Found | None:
    found = root.lookup(path)
    if found is None or found.node.kind is not Kind.FILE or not found.node.mode & _EXECUTABLE:
        return None
    return found


def _machine(root: Sysroot, found: Found) -> int:
    """Return the e_machine of a program, or of the program that interprets the script it is."""
    for _ in range(_DEEPEST):
        with root.open(found.path) as file:
            head = file.pread(_HEAD, 0)
        if head.startswith(b"\x7fELF"):
            return int.from_bytes(head[18:20], "big" if head[5:6] == b"\x02" else "little")
        line = parse_shebang(head)
        interpreter = None if line is None else root.lookup(line.interpreter)
        if interpreter is None:
            break
        found = interpreter
    raise PlanError(f"/init cannot start {found.path}: neither an ELF program nor a script")


def _read(root: Sysroot, name: str) -> bytes | None:
    found = root.lookup(f"/etc/{name}")
    if found is None or found.node.kind is not Kind.FILE:
        return None
    with root.open(found.path) as file:
        return file.pread(_MANY, 0)
