"""The lines and documents of `check` and `diff`."""

from __future__ import annotations

import json

from rootgen.layer.difference import Difference, difference
from rootgen.plan.entry import Entry, EntryKind
from rootgen.plan.plan import Plan
from rootgen.report.changes import (
    CheckReport,
    Lack,
    check_json,
    check_lines,
    difference_json,
    difference_lines,
)

OLD = Plan(
    [
        Entry("/a", EntryKind.FILE, 0o644, size=3, sha256="aa"),
        Entry("/b", EntryKind.SYMLINK, 0o777, target="x"),
        Entry("/c", EntryKind.FIFO, 0o600),
        Entry("/d", EntryKind.BLOCK, 0o600, device=(8, 1)),
    ]
)
NEW = Plan(
    [
        Entry("/a", EntryKind.FILE, 0o4755, 5, size=4, sha256="bb"),
        Entry("/b", EntryKind.SYMLINK, 0o777, target="\x1b"),
        Entry("/d", EntryKind.BLOCK, 0o600, device=(8, 2)),
        Entry("/e", EntryKind.DIRECTORY, 0o755),
    ]
)
CHANGE = difference(OLD, NEW)


def test_difference_lines() -> None:
    """Gone, new, different: with the values that say something."""
    assert list(difference_lines(CHANGE)) == [
        "- /c",
        "+ /e (directory)",
        "~ /a: mode 0644 → 4755, owner 0 → 5, size 3 → 4, content",
        "~ /b: target x → \\x1b",
        "~ /d: device number 8:1 → 8:2",
    ]


def test_difference_json() -> None:
    """The document has whole entries."""
    document = json.loads(json.dumps(difference_json(CHANGE)))
    assert [one["path"] for one in document["removed"]] == ["/c"]
    assert [one["path"] for one in document["added"]] == ["/e"]
    assert document["changed"][0]["fields"] == ["mode", "uid", "size", "sha256"]
    assert document["changed"][0]["after"]["mode"] == "4755"


def test_clean() -> None:
    """Nothing found is one line."""
    report = CheckReport("./rootfs", "sha256:00", 2, 30, Difference(), (), ())
    assert report.is_clean()
    assert list(check_lines(report)) == ["./rootfs: 30 entries unchanged, 2 programs complete"]
    assert check_json(report)["clean"] is True


def test_found() -> None:
    """Each kind of finding has a line, and the document names it."""
    lack = Lack("/bin/x", "liby.so", "not found")
    report = CheckReport("r", "sha256:00", 1, 2, Difference(), (("/s", "a socket"),), (lack,))
    assert not report.is_clean()
    assert list(check_lines(report)) == ["? /s: a socket", "! /bin/x: liby.so: not found"]
    document = check_json(report)
    assert document["missing"] == [{"program": "/bin/x", "name": "liby.so", "why": "not found"}]
    assert document["unheld"] == [{"path": "/s", "what": "a socket"}]
