"""Hostile manifests: each row is one thing that a contained program may write, and what we say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rootgen.errors import PlanError
from rootgen.plan import manifest_reader
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.manifest import manifest_bytes, manifest_of
from rootgen.plan.manifest_reader import parse_image, parse_manifest
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, Any]

WHY = (Reason(ReasonKind.REQUESTED, "", "x"),)
PLAN = Plan(
    [
        Entry("/", EntryKind.DIRECTORY, 0o755, reasons=WHY),
        Entry("/a", EntryKind.FILE, 0o4755, 5, 6, 7, 3, sha256="ab" * 32, reasons=WHY),
        Entry("/b", EntryKind.HARDLINK, 0o4755, 5, 6, 7, target="/a", reasons=WHY),
        Entry("/c", EntryKind.SYMLINK, 0o777, target="a", reasons=WHY),
        Entry("/d", EntryKind.CHARACTER, 0o666, device=(1, 3), reasons=WHY),
        Entry("/e", EntryKind.DIRECTORY, 0o755, xattrs=(("user.x", b"\1"),), reasons=WHY),
        Entry("/e/f", EntryKind.FIFO, 0o644, reasons=WHY),
    ]
)
IMAGE = ImageConfig(("bash",), (), "app", "/srv", (("A", "b"),), ())
GOOD = manifest_bytes(manifest_of(("/usr/bin/bash",), PLAN, IMAGE))


def written(document: Document) -> bytes:
    """Write a document down in the form of a manifest."""
    entries = document.pop("entries")
    head = json.dumps(document, separators=(",", ":"))[:-1] + ',"entries":['
    lines = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    return (head + "\n" + ",\n".join(lines) + "\n]}\n").encode()


def altered(path: str, /, **fields: object) -> Callable[[Document], None]:
    """Return what sets members of the entry at ``path``; None takes them away."""

    def alter(document: Document) -> None:
        entry = next(one for one in document["entries"] if one["path"] == path)
        entry.update(fields)
        for name in [name for name, value in fields.items() if value is None]:
            del entry[name]

    return alter


def headed(**fields: object) -> Callable[[Document], None]:
    """Return what sets members of the first line; None takes them away."""

    def alter(document: Document) -> None:
        document.update(fields)
        for name in [name for name, value in fields.items() if value is None]:
            del document[name]

    return alter


def swapped(document: Document) -> None:
    """Change the order of two entries."""
    entries = document["entries"]
    entries[1], entries[3] = entries[3], entries[1]


def repeated(document: Document) -> None:
    """List an entry twice."""
    document["entries"].insert(2, document["entries"][1])


def rootless(document: Document) -> None:
    """Leave out the top."""
    del document["entries"][0]


ROWS: list[tuple[str, Callable[[Document], None], str]] = [
    ("version", headed(rootgen=2), "is of version 2"),
    ("version text", headed(rootgen="1"), "'rootgen' is not a number"),
    ("version true", headed(rootgen=True), "'rootgen' is not a number"),
    ("no digest", headed(digest=None), "no 'digest'"),
    ("other digest", headed(digest="sha256:" + "0" * 64), "digest is not that of its entries"),
    ("unknown key", headed(more=1), "unknown 'more'"),
    ("program", headed(programs=["bash"]), "programs are absolute"),
    ("programs", headed(programs="/bin/sh"), "'programs' is not a list"),
    ("program null", headed(programs=[None]), "'programs' is not a text"),
    ("image", headed(image=[]), "'image' is not an object"),
    ("image key", headed(image={}), "no 'command'"),
    ("dots", altered("/c", path="/c/../x"), "not absolute and normalised"),
    ("dot", altered("/c", path="/./c"), "not absolute and normalised"),
    ("relative", altered("/c", path="c"), "not absolute and normalised"),
    ("slashes", altered("/c", path="//c"), "not absolute and normalised"),
    ("trailing slash", altered("/c", path="/c/"), "not absolute and normalised"),
    ("null byte", altered("/c", path="/c\0"), "'path' is not a text"),
    ("number", altered("/c", path=1), "'path' is not a text"),
    ("lone surrogate", altered("/c", path="/c\ud800"), "surrogates that stand for no bytes"),
    ("two spellings", altered("/c", path="/c\udcc3\udca9"), "surrogates that stand for no bytes"),
    ("long name", altered("/c", path="/c" + "x" * 255), "longer than a path can be"),
    ("long path", altered("/c", path="/c" + "/x" * 2100), "longer than a path can be"),
    ("order", swapped, "not in order"),
    ("twice", repeated, "there twice"),
    ("no top", rootless, "in no directory"),
    ("top a file", altered("/", kind="fifo"), "/ is not a directory"),
    ("beneath a link", altered("/e/f", path="/c/f"), "not in order"),
    ("beneath nothing", altered("/e/f", path="/z/f"), "in no directory"),
    ("beneath a fifo", altered("/e", kind="fifo", xattrs=None), "in no directory"),
    ("itself", altered("/e/f", path="/var/lib/rootgen/manifest.json"), "lists itself"),
    ("kind", altered("/c", kind="socket"), "'kind' is none"),
    ("kind list", altered("/c", kind=[]), "'kind' is not a text"),
    ("mode high", altered("/a", mode="10755"), "not four octal digits"),
    ("mode digits", altered("/a", mode="0789"), "not four octal digits"),
    ("mode sign", altered("/a", mode="+755"), "not four octal digits"),
    ("mode number", altered("/a", mode=493), "'mode' is not a text"),
    ("owner", altered("/a", uid=-1), "'uid' is not a number"),
    ("owner -1", altered("/a", gid=2**32 - 1), "'gid' is not a number"),
    ("owner float", altered("/a", uid=5.0), "'uid' is not a number"),
    ("owner true", altered("/a", uid=True), "'uid' is not a number"),
    ("size", altered("/a", size=-1), "'size' is not a number"),
    ("huge", altered("/a", size=10**30), "'size' is not a number"),
    ("time", altered("/a", mtime="now"), "'mtime' is not a number"),
    ("no sha256", altered("/a", sha256=None), "no 'sha256'"),
    ("sha256 short", altered("/a", sha256="ab"), "not 64 hexadecimal digits"),
    ("sha256 upper", altered("/a", sha256="AB" * 32), "not 64 hexadecimal digits"),
    ("target of a file", altered("/a", target="x"), "unknown 'target'"),
    ("link to nothing", altered("/b", target="/x"), "no such file here"),
    ("link to a directory", altered("/b", target="/e"), "no such file here"),
    ("link to itself", altered("/b", target="/b"), "no such file here"),
    ("link out", altered("/b", target="/../a"), "not absolute and normalised"),
    ("link of other mode", altered("/b", mode="0755"), "no such file here"),
    ("empty link", altered("/c", target=""), "no text of a symbolic link"),
    ("long link", altered("/c", target="x" * 5000), "no text of a symbolic link"),
    ("device", altered("/d", device=[1]), "not two numbers"),
    ("device text", altered("/d", device="1:3"), "'device' is not a list"),
    ("attribute", altered("/e", xattrs=[["user.x", "zz"]]), "not hexadecimal"),
    ("attribute order", altered("/e", xattrs=[["b", ""], ["a", ""]]), "not in order"),
    ("no attributes", altered("/e", xattrs=[]), "'xattrs' has names"),
    ("attribute pair", altered("/e", xattrs=[["a"]]), "not a list of pairs"),
    ("reason", altered("/a", reasons=[{"kind": "whim", "by": "", "detail": ""}]), "unknown kind"),
    ("reason key", altered("/a", reasons=[{"kind": "added"}]), "no 'by'"),
    ("reason text", altered("/a", reasons=["because"]), "not an object"),
    ("content", altered("/a", content="/etc/shadow"), "unknown 'content'"),
]


def test_good() -> None:
    """What the rows start from is read, and its image alone as well."""
    found = parse_manifest(GOOD)
    assert found.plan == PLAN
    assert found.image == parse_image(GOOD.split(b"\n")[0]) == IMAGE
    assert found.programs == ("/usr/bin/bash",)
    assert written(json.loads(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("alter", "message"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_hostile(alter: Callable[[Document], None], message: str) -> None:
    """Each is refused, in words that say where and why."""
    document = json.loads(GOOD)
    alter(document)
    with pytest.raises(PlanError) as caught:
        parse_manifest(written(document))
    assert message in str(caught.value)


LINES = GOOD.split(b"\n")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "first line"),
        (b"{}", "cut off"),
        (b"\n", "first line"),
        (b"[" * 100_000 + b'"entries":[\n', "not JSON"),
        (LINES[0] + b"\n", "ends too early"),
        (LINES[0] + b"\n" + LINES[1] + b"\n", "ends too early"),
        (LINES[0] + b"\n" + LINES[1][:-1] + b"\n]}\n]}\n", "goes on after its end"),
        (LINES[0] + b"\n" + LINES[1] + b"\n" + LINES[2] + b"\n]}\n", "an entry is lacking"),
        (GOOD.rstrip(b"\n"), "cut off"),
        (GOOD + b"x", "cut off"),
        (GOOD.replace(b",\n", b"\n", 1), "an entry is lacking|neither an entry nor the end"),
        (LINES[0] + b"\n" + b"[" * 100_000 + b",\n]}\n", "not JSON"),
        (LINES[0] + b"\n" + b"9" * 100_000 + b",\n]}\n", "not JSON|not an object"),
        (LINES[0] + b"\n" + b'{"a":1,"a":1},\n]}\n', "a key is there twice"),
        (LINES[0] + b"\n" + b"\xff,\n]}\n", "not JSON"),
        (LINES[0] + b"\n" + b"NaN,\n]}\n", "not an object"),
        (LINES[0] + b"\nx" * 3, "neither an entry|not JSON"),
    ],
)
def test_form(data: bytes, message: str) -> None:
    """What is not even of our form."""
    with pytest.raises(PlanError, match=message):
        parse_manifest(data)


def test_long_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line without end is refused before it is parsed, and so is a file."""
    monkeypatch.setattr(manifest_reader, "_MAXIMUM_LINE", 1000)
    with pytest.raises(PlanError, match="line 2 is cut off, or too long"):
        parse_manifest(LINES[0] + b"\n" + b"[" * 2000 + b"\n")
    monkeypatch.setattr(manifest_reader, "_MAXIMUM_SIZE", 1000)
    with pytest.raises(PlanError, match="too large"):
        parse_manifest(b" " * 1001)
