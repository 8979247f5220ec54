"""What a difference says of each kind of change."""

from __future__ import annotations

import pytest

from rootgen.layer.difference import NOT_OF_THE_DIGEST, change_words, difference
from rootgen.plan.entry import Entry, EntryKind, FromHost, Reason, ReasonKind
from rootgen.plan.plan import Plan

TOP = Entry("/", EntryKind.DIRECTORY, 0o755)
FILE = Entry("/f", EntryKind.FILE, 0o644, 0, 0, 5, 3, None, sha256="aa")
WHY = (Reason(ReasonKind.ADDED, "x"),)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (FILE, []),
        (FILE._replace(mtime=9, reasons=WHY, content=FromHost("/x")), []),
        (FILE._replace(mode=0o600), ["/f: mode changed"]),
        (FILE._replace(uid=1, gid=2), ["/f: owner, group changed"]),
        (FILE._replace(sha256="bb"), ["/f: content changed"]),
        (FILE._replace(size=4, sha256="bb"), ["/f: size, content changed"]),
        (FILE._replace(xattrs=(("user.a", b""),)), ["/f: attributes changed"]),
        (FILE._replace(path="/g"), ["/f is gone", "/g was added"]),
        (
            Entry("/f", EntryKind.SYMLINK, 0o777, mtime=5, target="x"),
            ["/f: kind, mode, size, target, content changed"],
        ),
        (
            Entry("/f", EntryKind.BLOCK, 0o644, mtime=5, device=(8, 1)),
            ["/f: kind, size, device number, content changed"],
        ),
    ],
)
def test_words(after: Entry, words: list[str]) -> None:
    """Only what the digest is of counts, unless times are asked for."""
    change = difference(Plan([TOP, FILE]), Plan([TOP, after]), ignoring=NOT_OF_THE_DIGEST)
    assert list(change_words(change)) == words
    assert change.is_empty() == (not words)


def test_times() -> None:
    """Times count where they are not ignored."""
    change = difference(Plan([FILE]), Plan([FILE._replace(mtime=6)]))
    assert [one.fields for one in change.changed] == [("mtime",)]
