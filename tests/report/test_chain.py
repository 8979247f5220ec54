"""The lines and the document of `why`."""

from __future__ import annotations

import json

from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.report.chain import Step, Why, why_json, why_lines

ASKED = Reason(ReasonKind.REQUESTED, "", "bash")
NEEDED = Reason(ReasonKind.NEEDED, "/usr/bin/bash", "libtinfo.so.6, by RUNPATH")
BASH = Entry("/usr/bin/bash", EntryKind.FILE, 0o755, size=1000, reasons=(ASKED,))
TINFO = Entry("/lib/libtinfo.so.6.4", EntryKind.FILE, 0o644, size=2048, reasons=(NEEDED,))
LINK = Entry("/lib/libtinfo.so.6", EntryKind.SYMLINK, 0o777, target="libtinfo.so.6.4")
CHAIN = (Step(BASH.path, ASKED), Step(TINFO.path, NEEDED))


def test_lines() -> None:
    """Links first, then the file, each chain as a tree, and what would go."""
    assert list(why_lines(Why(LINK.path, (LINK,), TINFO, (CHAIN,), (LINK,)))) == [
        "/lib/libtinfo.so.6 -> libtinfo.so.6.4",
        "/lib/libtinfo.so.6.4 (file, 2.0 kB)",
        "  /usr/bin/bash  asked for as bash",
        "  └── /lib/libtinfo.so.6.4  needed by /usr/bin/bash (DT_NEEDED libtinfo.so.6, by RUNPATH)",
        "with it would go (1 path, 0 B):",
        "  /lib/libtinfo.so.6",
    ]


def test_bounded() -> None:
    """A thousand chains, reasons and paths are counted, not told."""
    many = tuple(Reason(ReasonKind.NEEDED, f"/bin/{number}", "libc") for number in range(1000))
    chains = [(Step(one.by, ASKED), Step("/libc", one)) for one in many]
    goes = [BASH] * 1000
    lines = list(why_lines(Why("/libc", (), TINFO._replace(reasons=many), chains, goes)))
    assert len(lines) < 40
    assert "  … and 990 more chains as short" in lines
    assert lines[-1] == "  … and 990 more"


def test_escaped() -> None:
    """What a hostile tree calls its files does not reach the terminal as it is."""
    evil = Entry("/\x1b[2J\udcff", EntryKind.FILE, 0o644, reasons=(ASKED,))
    text = "\n".join(why_lines(Why(evil.path, (), evil, ((Step(evil.path, ASKED),),), ())))
    assert "\x1b" not in text
    assert "\\x1b[2J\\xff" in text


def test_json() -> None:
    """The document says the same, whole."""
    document = json.loads(json.dumps(why_json(Why(LINK.path, (LINK,), TINFO, (CHAIN,), (LINK,)))))
    assert (document["rootgen"], document["command"]) == (1, "why")
    assert document["links"] == [{"path": LINK.path, "target": LINK.target}]
    assert [step["path"] for step in document["chains"][0]] == [BASH.path, TINFO.path]
    assert document["goes_with_it"] == [LINK.path]
