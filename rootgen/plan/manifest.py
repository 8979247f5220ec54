"""A tree's manifest: its Plan written down (``manifest_reader`` reads it back).

The form is JSON (RFC 8259) in ASCII, one entry a line, so that two manifests
can be compared with ``diff`` and read without holding more than a line::

    {"rootgen":1,"digest":"sha256:…","programs":[…],"image":{…},"entries":[
    {"path":"/","kind":"directory","mode":"0755","uid":0,"gid":0,"mtime":0,"reasons":[…]},
    …
    ]}

Nothing in it is of the host, the user or the clock, and it does not list
itself. Where the bytes of a file came from is not part of it either.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.profile.model import ImageConfig

MANIFEST_PATH = "/var/lib/rootgen/manifest.json"
VERSION = 1
IMAGE_KEYS = ("entrypoint", "command", "user", "workdir", "env", "labels")


class Manifest(NamedTuple):
    """What a tree says of itself.

    ``programs`` are the paths that programs were asked for by; the files of
    ``plan`` have their sha256 and no content; ``digest`` is the plan's. ``base`` is the
    digest of the Plan that this one is an increment over; "" where it is whole.
    """

    version: int
    programs: tuple[str, ...]
    image: ImageConfig
    plan: Plan
    digest: str
    base: str = ""


def manifest_of(
    programs: Sequence[str], plan: Plan, image: ImageConfig, base: str = ""
) -> Manifest:
    """Return the manifest of ``plan``, whose files must have their sha256.

    Raises PlanError for a file that has none.
    """
    bare = Plan(entry._replace(content=None) for entry in plan.entries())
    return Manifest(VERSION, tuple(programs), image, bare, plan_digest(bare), base)


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write ``manifest`` down; equal manifests give equal bytes."""
    image = ",".join(
        f"{_text(key)}:{_value(value)}"
        for key, value in zip(IMAGE_KEYS, manifest.image, strict=True)
    )
    entries = ",".join(f"\n{_entry(entry)}" for entry in manifest.plan.entries())
    base = f',"base":{_text(manifest.base)}' if manifest.base else ""
    text = (
        f'{{"rootgen":{manifest.version},"digest":{_text(manifest.digest)}'
        f',"programs":{_value(manifest.programs)},"image":{{{image}}}{base},"entries":[{entries}\n]}}\n'
    )
    return text.encode("ascii")


def _entry(entry: Entry) -> str:
    match entry.kind:
        case EntryKind.FILE:
            own = f',"size":{entry.size},"sha256":{_text(entry.sha256)}'
        case EntryKind.SYMLINK | EntryKind.HARDLINK:
            own = f',"target":{_text(entry.target)}'
        case EntryKind.CHARACTER | EntryKind.BLOCK:
            own = f',"device":{_value(entry.device)}'
        case _:
            own = ""
    if entry.xattrs:
        own += f',"xattrs":{_value([(name, value.hex()) for name, value in entry.xattrs])}'
    reasons = ",".join(
        f'{{"kind":{_text(one.kind.value)},"by":{_text(one.by)},"detail":{_text(one.detail)}}}'
        for one in entry.reasons
    )
    return (
        f'{{"path":{_text(entry.path)},"kind":{_text(entry.kind.value)},"mode":"{entry.mode:04o}"'
        f',"uid":{entry.uid},"gid":{entry.gid},"mtime":{entry.mtime}{own},"reasons":[{reasons}]}}'
    )


def _value(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple | list):
        return f"[{','.join(map(_value, value))}]"
    return str(value)


def _text(text: str) -> str:
    # Nearly every name is plain, and importing json costs 2 ms of each make.
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    from json import dumps

    return dumps(text)
