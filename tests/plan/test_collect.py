"""Collecting: what is found becomes entries, whatever the order."""

from __future__ import annotations

import itertools

import pytest

from rootgen.errors import PlanError
from rootgen.plan.entry import Entry, EntryKind, FromSysroot, Reason, ReasonKind
from rootgen.sysroot.memory import draw
from rootgen.sysroot.port import Found, Kind, Node
from tests.plan.building import WANTED, collected, collection, directory, shown, text

DRAWING = """
bin -> usr/bin
opt -> var/opt
usr/
  bin/
    bash = x
    sh -> bash
  lib/
    one = x
    two == one
    three == one
var/
  opt/
    tool = x
"""


def test_a_find_brings_its_links_and_parents() -> None:
    """Every hop of a lookup is an entry, every directory above is one, each with a reason."""
    plan = collected(draw(DRAWING), "/bin/sh")
    assert shown(plan) == {
        "/bin": "symlink usr/bin",
        "/usr": "directory 755",
        "/usr/bin": "directory 755",
        "/usr/bin/bash": "file 755",
        "/usr/bin/sh": "symlink bash",
    }
    assert plan["/usr/bin/bash"].content == FromSysroot("/usr/bin/bash")
    assert plan["/bin"].reasons == (Reason(ReasonKind.LINK, "/usr/bin/bash"),)
    assert plan["/usr"].reasons == (Reason(ReasonKind.PARENT, "/usr/bin"),)
    assert all(entry.reasons for entry in plan.entries())


def test_hard_links_stand_after_their_target() -> None:
    """Of the paths of one inode the first in the order of the Plan is the file."""
    plan = collected(draw(DRAWING), "/usr/lib/two", "/usr/lib/three", "/usr/lib/one")
    assert shown(plan)["/usr/lib/one"] == "file 644"
    assert shown(plan)["/usr/lib/two"] == "hardlink /usr/lib/one"
    assert shown(plan)["/usr/lib/three"] == "hardlink /usr/lib/one"
    assert plan["/usr/lib/two"].content is None


def test_hard_links_across_directories() -> None:
    """`/a-b` comes before `/a/x` as text, and after it in a Plan."""
    root = draw("a/\n  x = data\na-b = data\n")
    twin = root.node("/a/x")
    assert twin is not None
    twin = twin._replace(nlink=2)
    for order in (["/a/x", "/a-b"], ["/a-b", "/a/x"]):
        into = collection(root)
        for path in order:
            into.add_node(path, twin, WANTED)
        plan = into.plan()
        assert shown(plan) == {"/a": "directory 755", "/a/x": "file 644", "/a-b": "hardlink /a/x"}


def test_one_link_of_three_is_a_file() -> None:
    """A hard link whose twins are not wanted is a file."""
    assert shown(collected(draw(DRAWING), "/usr/lib/two"))["/usr/lib/two"] == "file 644"


def _other(node: Node) -> Node:
    return node._replace(mode=0o4755, uid=5)


def test_a_rule_prevails_in_any_order() -> None:
    """A mode that a rule gives holds, whether a program or the rule brought the file first."""
    root = draw(DRAWING)
    found = root.lookup("/usr/bin/bash")
    assert found is not None
    plain = (found, WANTED)
    ruled = (found._replace(node=_other(found.node)), Reason(ReasonKind.PROFILE, "p", "files"))
    plans = []
    for order in itertools.permutations([plain, ruled, plain]):
        into = collection(root)
        for one, reason in order:
            into.add(one, reason)
        plans.append(into.plan())
    assert all(plan == plans[0] for plan in plans)
    assert (plans[0]["/usr/bin/bash"].mode, plans[0]["/usr/bin/bash"].uid) == (0o4755, 5)


def test_a_rule_for_one_hard_link_parts_it() -> None:
    """One inode has one mode: a link with another becomes a file of its own."""
    root = draw(DRAWING)
    into = collection(root)
    for path in ("/usr/lib/one", "/usr/lib/two", "/usr/lib/three"):
        found = root.lookup(path)
        assert found is not None
        node = _other(found.node) if path == "/usr/lib/one" else found.node
        into.add(found._replace(node=node), WANTED)
    plan = shown(into.plan())
    assert plan["/usr/lib/one"] == "file 4755"
    assert plan["/usr/lib/three"] == "file 644"
    assert plan["/usr/lib/two"] == "hardlink /usr/lib/three"


def test_a_standard_directory_that_is_a_link() -> None:
    """Where /opt leads to /var/opt and a program is there, /opt stays a link, and is made whole."""
    root = draw(DRAWING)
    into = collection(root)
    found = root.lookup("/opt/tool")
    assert found is not None
    into.add(found, WANTED)
    into.set_entry(directory("/opt", 0o750)._replace(reasons=(WANTED,)))
    plan = into.plan()
    assert shown(plan) == {
        "/opt": "symlink var/opt",
        "/var": "directory 755",
        "/var/opt": "directory 750",
        "/var/opt/tool": "file 644",
    }
    assert Reason(ReasonKind.LINK, "/var/opt") in plan["/opt"].reasons


def test_our_own_mode_prevails() -> None:
    """An entry of the skeleton gives a directory its mode, whatever the root has."""
    root = draw(DRAWING)
    into = collection(root)
    found = root.lookup("/usr")
    assert found is not None
    into.add(found, WANTED)
    into.set_entry(directory("/usr", 0o700)._replace(uid=3))
    assert (into.plan()["/usr"].mode, into.plan()["/usr"].uid) == (0o700, 3)


def test_two_kinds_at_once() -> None:
    """A file where a directory is, or something beneath a file, is told with both."""
    root = draw(DRAWING)
    into = collection(root)
    found = root.lookup("/usr/bin/bash")
    assert found is not None
    into.add(found, WANTED)
    with pytest.raises(PlanError) as caught:
        into.add_entry(directory("/usr/bin/bash"))
    assert str(caught.value) == "/usr/bin/bash would be a file and a directory at once"
    into.add_entry(text("/usr/bin/bash/x")._replace(reasons=(WANTED,)))
    with pytest.raises(PlanError) as caught:
        into.plan()
    assert str(caught.value) == "/usr/bin/bash/x would be beneath /usr/bin/bash, which is a file"


def test_sockets_are_left_out() -> None:
    """A socket is no part of an image; that is said."""
    into = collection(draw(DRAWING))
    into.add_node("/run/s", Node(Kind.SOCKET, 0o755, 0, 0, 0, 0, (9, 9)), WANTED)
    assert len(into.plan()) == 0
    assert [(one.path, one.why) for one in into.skipped] == [
        ("/run/s", "a socket: its server makes it anew")
    ]


def test_times_are_clamped() -> None:
    """No time is later than the epoch given; directories have that of the epoch, or none."""
    root = draw(DRAWING)
    found = root.lookup("/usr/bin/bash")
    assert found is not None
    for epoch, mtime, wanted in [(None, 50, 50), (40, 50, 40), (60, 50, 50), (0, 50, 0)]:
        into = collection(root)
        into._epoch = epoch
        into.add(Found(found.path, found.node._replace(mtime=mtime)), WANTED)
        assert into.plan()["/usr/bin/bash"].mtime == wanted
        assert into.plan()["/usr/bin"].mtime == (epoch or 0)


def test_attributes_of_the_host_stay_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capabilities are the file's; labels, and what only root can see, are the host's."""
    root = draw(DRAWING)
    pairs = (
        ("security.capability", b"c"),
        ("security.selinux", b"s"),
        ("system.posix_acl_access", b"a"),
        ("trusted.overlay.opaque", b"y"),
        ("user.mime", b"u"),
    )
    monkeypatch.setattr(type(root), "xattrs", lambda _, path: pairs if "bash" in path else ())
    names = [name for name, _ in collected(root, "/usr/bin/bash")["/usr/bin/bash"].xattrs]
    assert names == ["security.capability", "system.posix_acl_access", "user.mime"]


def test_devices_keep_their_numbers() -> None:
    """A device has its numbers, a fifo is one; neither has bytes."""
    into = collection(draw(DRAWING))
    null = Node(Kind.CHARACTER, 0o666, 0, 0, 0, 0, (1, 1), device=(1, 3))
    into.add_node("/dev/null", null, WANTED)
    into.add_node("/run/fifo", Node(Kind.FIFO, 0o600, 0, 0, 0, 0, (1, 2)), WANTED)
    plan = into.plan()
    assert plan["/dev/null"] == Entry(
        "/dev/null", EntryKind.CHARACTER, 0o666, device=(1, 3), reasons=(WANTED,)
    )
    assert plan["/run/fifo"].kind is EntryKind.FIFO
