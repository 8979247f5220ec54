"""The Plan as a value: its order, its digest, the skeleton that every one has."""

from __future__ import annotations

import pytest

from rootgen.errors import PlanError
from rootgen.plan import skeleton
from rootgen.plan.digest import plan_digest
from rootgen.plan.entry import Entry, EntryKind, Reason, ReasonKind
from rootgen.plan.plan import Plan
from rootgen.profile.model import Place, UserRule
from rootgen.sysroot.memory import draw
from tests.plan.building import collection, directory, shown, text

FILE = text("/a/file")._replace(sha256="00" * 32)
ALL = [directory("/"), directory("/a"), FILE]


def test_a_directory_stands_before_what_is_in_it() -> None:
    """The order is by components: not that of the text, where `-` comes before `/`."""
    paths = ["/a-b", "/a/x", "/", "/a", "/a/x-y", "/a/x/z"]
    assert list(Plan([directory(path) for path in paths])) == [
        "/",
        "/a",
        "/a/x",
        "/a/x/z",
        "/a/x-y",
        "/a-b",
    ]


def test_plans_are_values() -> None:
    """Equal entries make equal plans, with one hash; two entries for one path are refused."""
    assert Plan(ALL) == Plan(reversed(ALL))
    assert hash(Plan(ALL)) == hash(Plan(reversed(ALL)))
    assert Plan(ALL) != Plan(ALL[:2])
    assert [entry.path for entry in Plan(ALL).files()] == ["/a/file"]
    with pytest.raises(PlanError) as caught:
        Plan([*ALL, text("/a/file")])
    assert str(caught.value) == "two entries for /a/file"


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (FILE._replace(mtime=5), True),
        (FILE._replace(reasons=(Reason(ReasonKind.ADDED, "x"),)), True),
        (FILE._replace(content=None), True),
        (FILE._replace(mode=0o600), False),
        (FILE._replace(uid=1), False),
        (FILE._replace(gid=1), False),
        (FILE._replace(sha256="01" * 32), False),
        (FILE._replace(path="/a/other"), False),
        (FILE._replace(xattrs=(("user.a", b""),)), False),
        (FILE._replace(xattrs=(("user.a", b"1"),)), False),
        (Entry("/a/file", EntryKind.SYMLINK, 0o644, target="x"), False),
        (Entry("/a/file", EntryKind.SYMLINK, 0o644, target="y"), False),
        (Entry("/a/file", EntryKind.FIFO, 0o644), False),
        (Entry("/a/file", EntryKind.CHARACTER, 0o644, device=(1, 3)), False),
        (Entry("/a/file", EntryKind.CHARACTER, 0o644, device=(1, 5)), False),
        (Entry("/a/file", EntryKind.BLOCK, 0o644, device=(1, 3)), False),
        (Entry("/a/file", EntryKind.HARDLINK, 0o644, target="x"), False),
    ],
)
def test_what_the_digest_depends_on(changed: Entry, *, same: bool) -> None:
    """Paths, kinds, modes, owners, contents, targets, attributes; not times, not reasons."""
    before, after = plan_digest(Plan(ALL)), plan_digest(Plan([*ALL[:2], changed]))
    assert before.startswith("sha256:")
    assert (before == after) == same


def test_the_digest_tells_fields_apart() -> None:
    """Text that moves from one field to the next changes it: fields have lengths."""
    digests = {
        plan_digest(Plan([FILE._replace(xattrs=(("user.a", b"\x01"), ("user.b", b"")))])),
        plan_digest(Plan([FILE._replace(xattrs=(("user.a", b""), ("user.b", b"\x01")))])),
        plan_digest(Plan([FILE._replace(xattrs=(("user.a", b"\x01user.b"),))])),
    }
    names = {plan_digest(Plan([directory(path)])) for path in ("/\udcff", "/\ufffd", "/?")}
    assert len(digests) == len(names) == 3


def test_no_digest_of_what_was_not_read() -> None:
    """A file whose bytes have no digest has no place in one."""
    with pytest.raises(PlanError) as caught:
        plan_digest(Plan([text("/x")]))
    assert str(caught.value) == "/x has no digest yet"


@pytest.mark.parametrize(
    ("drawing", "links"),
    [
        ("bin/\nlib/\n", {}),
        (
            "bin -> usr/bin\nsbin -> usr/sbin\nlib -> usr/lib\nusr/\n bin/\n sbin/\n lib/\n",
            {"/bin": "/usr/bin", "/sbin": "/usr/sbin", "/lib": "/usr/lib"},
        ),
        (
            "bin -> usr/bin\nsbin -> usr/sbin\nusr/\n bin/\n sbin -> bin\n",
            {"/bin": "/usr/bin", "/sbin": "/usr/bin"},
        ),
    ],
)
def test_the_skeleton_follows_the_root(drawing: str, links: dict[str, str]) -> None:
    """Where /bin and /sbin are links, each hop is a link in the Plan and leads to a directory."""
    root = draw(drawing)
    into = collection(root)
    for entry in skeleton.directories(root):
        into.set_entry(entry)
    plan = into.plan()
    for name in ("/bin", "/sbin", "/lib", "/lib64"):
        at = name
        while plan[at].kind is EntryKind.SYMLINK:
            found = root.lookup(at)
            assert found is not None
            assert plan[at].target == found.links[0].target
            at = found.links[1].path if len(found.links) > 1 else found.path
        assert (at, plan[at].kind) == (links.get(name, name), EntryKind.DIRECTORY)
    assert shown(plan)["/tmp"] == "directory 1777"
    assert shown(plan)["/root"] == "directory 700"
    assert {entry.uid for entry in plan.entries()} == {0}


def test_accounts() -> None:
    """Root and nobody are in every tree; users of a profile stand between, each with a group."""
    place = Place("p.yaml", 1, 1)
    users = (
        UserRule("app", 1000, 1000, "p", place, "/home/app", "/bin/bash", "An app"),
        UserRule("www", 33, 0, "p", place),
    )
    files = {entry.path: entry for entry in skeleton.files(users, "/bin/sh")}
    assert sorted(files) == ["/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd"]
    lines = {path: getattr(files[path].content, "data").decode() for path in files}  # noqa: B009
    assert lines["/etc/passwd"] == (
        "root:x:0:0:root:/root:/bin/sh\n"
        "app:x:1000:1000:An app:/home/app:/bin/bash\n"
        "www:x:33:0::/:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    assert lines["/etc/group"] == "root:x:0:\ntty:x:5:\nnogroup:x:65534:\napp:x:1000:\n"
    homes = list(skeleton.homes(users))
    assert [(one.path, one.uid, one.gid) for one in homes] == [("/home/app", 1000, 1000)]
