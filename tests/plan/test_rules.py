"""File rules: what paths and patterns find, where texts and additions go."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from rootgen.errors import MissingError, PlanError, RootgenError, SysrootError
from rootgen.plan.entry import EntryKind, FromHost, Inline
from rootgen.plan.rules import Addition, found_by, own_entries, owners_of, real_target
from rootgen.profile.model import Place, UserRule
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.memory import draw
from tests.plan.building import NOTHING, rule

if TYPE_CHECKING:
    from pathlib import Path

    from rootgen.profile.model import FileRule

ROOT = draw("""
bin -> usr/bin
etc/
  inputrc = x
  hidden/
    .secret = x
    shown = x
  ssl/
    certs/
      a.pem = x
      b.pem -> /usr/share/b.pem
      c.pem -> nowhere
    private/
      key = x
usr/
  bin/
    git = x
    gitk = x
  share/
    b.pem = x
    doc/
      git/
        README = x
        tools/
          one = x
    link -> doc
""")


@pytest.mark.parametrize(
    ("pattern", "exclude", "found"),
    [
        ("/etc/inputrc", (), "/etc/inputrc"),
        ("/bin/git", (), "/usr/bin/git"),
        ("/usr/bin/git*", (), "/usr/bin/git /usr/bin/gitk"),
        ("/bin/git?", (), "/usr/bin/gitk"),
        ("/usr/bin/[f-h]it", (), "/usr/bin/git"),
        ("/usr/*/git", (), "/usr/bin/git"),
        ("/etc/hidden/*", (), "/etc/hidden/shown"),
        ("/etc/hidden/.s*", (), "/etc/hidden/.secret"),
        ("/etc/hidden", (), "/etc/hidden /etc/hidden/.secret /etc/hidden/shown"),
        ("/etc/hidden", (".*",), "/etc/hidden /etc/hidden/shown"),
        ("/etc/ssl", ("/etc/ssl/private",), ("/etc/ssl /etc/ssl/certs /etc/ssl/certs/a.pem "
         "/etc/ssl/certs/c.pem /usr/share/b.pem")),
        ("/etc/ssl", ("certs", "k?y"), "/etc/ssl /etc/ssl/private"),
        ("/usr/share/**/README", (), "/usr/share/doc/git/README"),
        ("/bin/**", (), "/usr/bin /usr/bin/git /usr/bin/gitk"),
        ("/usr/share/link", (), ("/usr/share/doc /usr/share/doc/git /usr/share/doc/git/README "
         "/usr/share/doc/git/tools /usr/share/doc/git/tools/one")),
        ("/usr/share/doc/*/tools/*", (), "/usr/share/doc/git/tools/one"),
        ("/usr/share/**/**/**/one", (), "/usr/share/doc/git/tools/one"),
    ],
)  # fmt: skip
def test_patterns(pattern: str, exclude: tuple[str, ...], found: str) -> None:
    """A directory brings all beneath, a link what it leads to; `not:` takes away."""
    finds = found_by(rule(pattern, exclude=exclude), ROOT)
    assert sorted(one.path for one in finds) == found.split()


def test_links_on_the_way_are_kept() -> None:
    """What a rule finds through links brings them, and a link that leads nowhere itself."""
    finds = {one.path: one for one in found_by(rule("/etc/ssl/certs"), ROOT)}
    assert [link.path for link in finds["/usr/share/b.pem"].links] == ["/etc/ssl/certs/b.pem"]
    assert finds["/etc/ssl/certs/c.pem"].node.target == "nowhere"


def test_many_stars_do_not_multiply() -> None:
    """`**` eight times over names each directory once, not once for every way to it."""
    root = draw("", {"/" + "/".join("abcdefghijklmnop") + "/file": b"x"})
    started = time.process_time()
    assert len(found_by(rule("/**" * 12 + "/file"), root)) == 1
    assert time.process_time() - started < 10


def test_stars_do_not_leave_the_root(tmp_path: Path) -> None:
    """A pattern that goes through an absolute link stays within the root."""
    (tmp_path / "root/real").mkdir(parents=True)
    (tmp_path / "outside/deep").mkdir(parents=True)
    (tmp_path / "outside/deep/file").write_bytes(b"x")
    (tmp_path / "root/way").symlink_to(tmp_path / "outside")
    (tmp_path / f"root/{tmp_path}").mkdir(parents=True)
    root = DirectorySysroot(str(tmp_path / "root"))
    for pattern in ("/way/**/file", "/way/*/file", "/way/**"):
        assert found_by(rule(pattern, optional=True), root) == []


@pytest.mark.parametrize("pattern", ["/nowhere", "/etc/*.conf", "/etc/ssl/**/nothing", "/bin/x/y"])
def test_nothing_found(pattern: str) -> None:
    """A rule that matches nothing is told with its place, unless it is optional."""
    with pytest.raises(MissingError) as caught:
        found_by(rule(pattern), ROOT)
    assert str(caught.value) == (
        f"p.yaml:3:5: {pattern} matches nothing in (memory)\n"
        "  wanted by profile p\n"
        "  hint: install what provides it, or mark the rule optional: true"
    )
    assert found_by(rule(pattern, optional=True), ROOT) == []


def test_what_may_not_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that may not be read is told with what wanted it, unless it is optional."""
    root = draw("etc/\n  ssl/\n    key = x\n")

    def refuse(_: object, path: str) -> list[str]:
        message = f"cannot list {path}: Permission denied"
        raise SysrootError(message)

    monkeypatch.setattr(type(root), "names", refuse)
    with pytest.raises(SysrootError) as caught:
        found_by(rule("/etc/ssl"), root)
    assert str(caught.value) == (
        "p.yaml:3:5: cannot list /etc/ssl: Permission denied\n"
        "  wanted by profile p\n"
        "  hint: run as a user who may read it, or mark the rule optional: true"
    )
    assert [one.path for one in found_by(rule("/etc/ssl", optional=True), root)] == ["/etc/ssl"]


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/", "/"),
        ("//", "/"),
        ("/x", "/x"),
        ("/bin/new", "/usr/bin/new"),
        ("/bin/new/deep", "/usr/bin/new/deep"),
        ("/bin", "/bin"),
        ("/usr//bin/./x", "/usr/bin/x"),
        ("/new/a/b", "/new/a/b"),
        ("/usr/share/link/x", "/usr/share/doc/x"),
        ("/etc/ssl/certs/c.pem/x", "/etc/ssl/certs/c.pem/x"),
    ],
)
def test_real_target(path: str, real: str) -> None:
    """A target goes where the links of its parents lead; its own name stays."""
    assert real_target(ROOT, path) == real


@pytest.mark.parametrize("path", ["", "x", "./x", "/a/../b", "..", "/.."])
def test_no_target(path: str) -> None:
    """A target is absolute and has no `..`."""
    with pytest.raises(PlanError, match="is not an absolute path without"):
        real_target(ROOT, path)


def test_own_entries() -> None:
    """Texts, links and directories, each beneath the links of the root; a later one wins."""
    users = (UserRule("app", 1000, 1001, "p", Place("p.yaml", 1, 1)),)
    rules = [
        rule("/bin/tool", text="#!/bin/sh\n", mode=0o755, owner="app"),
        rule("/bin/way", link="tool"),
        rule("/srv/data", directory=True, mode=0o700, owner="5", group="app"),
        rule("/usr/bin/tool", text="new"),
        rule("/etc/inputrc"),
    ]
    entries = own_entries(rules, (), ROOT, NOTHING, users)
    assert sorted(entries) == ["/srv/data", "/usr/bin/tool", "/usr/bin/way"]
    tool, way, data = entries["/usr/bin/tool"], entries["/usr/bin/way"], entries["/srv/data"]
    assert (tool.content, tool.mode, tool.uid, tool.size) == (Inline(b"new"), 0o644, 0, 3)
    assert (way.kind, way.target) == (EntryKind.SYMLINK, "tool")
    assert (data.kind, data.mode, data.uid, data.gid) == (EntryKind.DIRECTORY, 0o700, 5, 1001)


def test_additions(tmp_path: Path) -> None:
    """A directory of the host goes in whole, sockets left out, links as they are, root's own."""
    (tmp_path / "app/sub").mkdir(parents=True)
    (tmp_path / "app/sub/file").write_bytes(b"hello")
    (tmp_path / "app/way").symlink_to("/etc/passwd")
    here = os.open(tmp_path / "app", os.O_PATH)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/socket")
    os.close(here)
    host = DirectorySysroot("/")
    addition = Addition(f"{tmp_path}/app", "/bin/app")
    entries = own_entries((), (addition,), ROOT, host, ())
    assert {path: entry.kind.value for path, entry in entries.items()} == {
        "/usr/bin/app": "directory",
        "/usr/bin/app/sub": "directory",
        "/usr/bin/app/sub/file": "file",
        "/usr/bin/app/way": "symlink",
    }
    file = entries["/usr/bin/app/sub/file"]
    assert file.content == FromHost(os.path.realpath(tmp_path / "app/sub/file"))
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
    with pytest.raises(PlanError, match=r"app/socket is a socket: its server makes it anew$"):
        own_entries((), (Addition(f"{tmp_path}/app/socket", "/s"),), ROOT, host, ())


def test_what_an_addition_keeps(tmp_path: Path) -> None:
    """Names of one file stay one file, also over two additions; attributes of its own stay."""
    tmp_path = tmp_path.resolve()
    (tmp_path / "app").mkdir()
    (tmp_path / "app/b").write_bytes(b"hello")
    (tmp_path / "app/a").hardlink_to(tmp_path / "app/b")
    (tmp_path / "other").hardlink_to(tmp_path / "app/b")
    os.setxattr(tmp_path / "other", "user.note", b"mine")
    host = DirectorySysroot("/")
    additions = (Addition(f"{tmp_path}/app", "/srv"), Addition(f"{tmp_path}/other", "/bin/c"))
    entries = own_entries((), additions, ROOT, host, ())
    assert {path: (entry.kind.value, entry.target) for path, entry in entries.items()} == {
        "/srv": ("directory", ""),
        "/srv/a": ("file", ""),
        "/srv/b": ("hardlink", "/srv/a"),
        "/usr/bin/c": ("hardlink", "/srv/a"),
    }
    assert entries["/srv/a"].xattrs == (("user.note", b"mine"),)
    # A rule that gives one of them another mode parts it from the others.
    apart = rule("/d", source=f"{tmp_path}/other", mode=0o600)
    assert own_entries([apart], additions, ROOT, host, ())["/d"].kind is EntryKind.FILE


def test_an_optional_file_that_is_not_there(tmp_path: Path) -> None:
    """`from:` of what does not exist is nothing where it is optional, else an error."""
    missing = rule("/a", source=f"{tmp_path}/gone", optional=True)
    host = DirectorySysroot("/")
    assert own_entries([missing], (), ROOT, host, ()) == {}
    with pytest.raises(MissingError, match=f"{tmp_path}/gone does not exist"):
        own_entries([missing._replace(optional=False)], (), ROOT, host, ())


@pytest.mark.parametrize(
    ("one", "owner"),
    [
        (rule("/a"), (None, None)),
        (rule("/a", owner="app"), (7, 8)),
        (rule("/a", owner="5"), (5, 5)),
        (rule("/a", owner="root", group="app"), (0, 8)),
        (rule("/a", group="3"), (None, 3)),
    ],
)
def test_owners(one: FileRule, owner: tuple[int | None, int | None]) -> None:
    """A name is a user of the profile, or root; the group follows the owner."""
    assert owners_of(one, (UserRule("app", 7, 8, "p", Place("p.yaml", 1, 1)),)) == owner


def test_an_owner_that_is_nobody() -> None:
    """A name that no user has is told with the rule's place."""
    with pytest.raises(RootgenError) as caught:
        owners_of(rule("/a", owner="nginx"), ())
    assert str(caught.value) == (
        "p.yaml:3:5: owner 'nginx' of /a is no user of the profile\n"
        "  hint: name it under users:, or give a number"
    )


def test_every_link_to_one_file() -> None:
    """Links of a directory that lead to the same file are all found, not the first alone."""
    root = draw(
        """
        core/
          git = x
          git-add -> git
          git-am -> git
          deep -> git-am
        """
    )
    links = {link.path for one in found_by(rule("/core"), root) for link in one.links}
    assert links == {"/core/git-add", "/core/git-am", "/core/deep"}
