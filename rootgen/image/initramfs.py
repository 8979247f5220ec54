"""What makes a tree an initramfs: a first process, and the places that it mounts on.

The first process is a static program of a few hundred bytes (``init/``), as
a tree need not have a shell, nor ``mount``. It mounts proc, sysfs, devtmpfs
and the like, makes the console the controlling terminal, starts one program
and waits; when that has ended it powers off.
"""

from __future__ import annotations

import os
from struct import pack

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.entry import Entry, EntryKind, Inline, Reason, ReasonKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

INIT = "/init"

_EM_X86_64 = 62
_CODE = {_EM_X86_64: "x86_64"}
_BASE = 0x400000
_HEADERS = 64 + 56
# MS_NOSUID, MS_NODEV, MS_NOEXEC (mount(2))
_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_MOUNTS = (
    ("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, ""),
    ("sysfs", "/sys", "sysfs", _NOSUID | _NODEV | _NOEXEC, ""),
    ("devtmpfs", "/dev", "devtmpfs", _NOSUID | _NOEXEC, "mode=0755"),
    ("devpts", "/dev/pts", "devpts", _NOSUID | _NOEXEC, "mode=0620,gid=5,ptmxmode=0666"),
    ("tmpfs", "/dev/shm", "tmpfs", _NOSUID | _NODEV, "mode=1777"),  # noqa: S108 - inside
    ("tmpfs", "/run", "tmpfs", _NOSUID | _NODEV, "mode=0755"),
)
_REASON = (Reason(ReasonKind.SKELETON),)
# The kernel opens /dev/console for the first process before that has mounted anything.
_NODES = (("/dev/console", (5, 1), 0o600), ("/dev/null", (1, 3), 0o666))


class Start(NamedTuple):
    """The program that is started: its path, its words, and who and where it is."""

    path: str
    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()


def with_init(plan: Plan, start: Start, machine: int) -> Plan:
    """Return ``plan`` as an initramfs whose first process starts ``start``.

    ``machine`` is the program's e_machine (elf.h). Raises PlanError for one
    that there is no first process for.
    """
    name = _CODE.get(machine)
    if name is None:
        raise PlanError(
            f"there is no /init of ours for machine {machine} (elf.h, e_machine)",
            hint="give the tree a file /init of its own: it is used as it is",
        )
    data = _program(_code(name), machine, start)
    init = Entry(INIT, EntryKind.FILE, 0o755, size=len(data), content=Inline(data), reasons=_REASON)
    entries = {**_places(plan), INIT: init}
    return Plan(entries.values())


def _places(plan: Plan) -> dict[str, Entry]:
    """Return the entries of ``plan`` with those places that it lacks."""
    entries = dict(plan.items())
    for path in ("/proc", "/sys", "/dev", "/run"):
        entries.setdefault(path, Entry(path, EntryKind.DIRECTORY, 0o755, reasons=_REASON))
    if entries["/dev"].kind is EntryKind.DIRECTORY:
        for path, device, mode in _NODES:
            node = Entry(path, EntryKind.CHARACTER, mode, device=device, reasons=_REASON)
            entries.setdefault(path, node)
    return entries


def _code(name: str) -> bytes:
    place = os.path.join(os.path.dirname(__file__), "init", f"{name}.hex")
    with open(place, encoding="ascii") as file:
        return bytes.fromhex(file.read())


def _program(code: bytes, machine: int, start: Start) -> bytes:
    """Return the ELF file: headers, ``code``, and the parameters where the code looks for them."""
    data = _Data(_BASE + _HEADERS + len(code), 11)
    table = [data.words(_mount_numbers(data))]
    failure = f"init: cannot start {start.path}\n"
    table += [
        data.text(start.path),
        data.words([*map(data.text, start.words), 0]),
        data.words([*(data.text(f"{name}={value}") for name, value in start.environment), 0]),
        data.text(start.workdir),
        start.uid,
        start.gid,
        len(start.groups),
        data.raw(pack(f"<{len(start.groups)}I", *start.groups)),
        data.text(failure),
        len(failure.encode(errors="surrogateescape")),
    ]
    body = code + pack(f"<{len(table)}Q", *table) + data.bytes()
    size = _HEADERS + len(body)
    # elf(5): one loadable segment, which is the file; entered where the headers end.
    header = pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01", 2, machine, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 64, 0, 0,
    )  # fmt: skip
    segment = pack("<IIQQQQQQ", 1, 7, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + body


def _mount_numbers(data: _Data) -> list[int]:
    numbers: list[int] = []
    for source, target, kind, flags, options in _MOUNTS:
        numbers += [data.text(source), data.text(target), data.text(kind), flags]
        numbers.append(data.text(options))
    return [*numbers, 0, 0]


class _Data:
    """Bytes behind a table of ``count`` numbers at ``address``; each piece is told where it is."""

    def __init__(self, address: int, count: int) -> None:
        self._address = address + 8 * count
        self._bytes = bytearray()

    def raw(self, data: bytes) -> int:
        """Add bytes, at a multiple of eight; return their address."""
        self._bytes += bytes(-len(self._bytes) % 8)
        address = self._address + len(self._bytes)
        self._bytes += data
        return address

    def text(self, text: str) -> int:
        """Add a text that ends in a zero."""
        return self.raw(text.encode(errors="surrogateescape") + b"\0")

    def words(self, numbers: Sequence[int]) -> int:
        """Add 64-bit numbers."""
        return self.raw(pack(f"<{len(numbers)}Q", *numbers))

    def bytes(self) -> bytes:
        """Return all of it."""
        return bytes(self._bytes)
