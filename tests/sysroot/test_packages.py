"""The databases of dpkg, apk and rpm: packages, their files, who has one; and lying ones."""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import time
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import SysrootError
from rootgen.sysroot.apk import Apk, lines_with
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.dpkg import Dpkg, package_of, parse_stanza, relations
from rootgen.sysroot.owner import Owners, databases, owners_of, unread
from rootgen.sysroot.package import Allowance
from rootgen.sysroot.rpm import MANIFEST, Rpm, manifest_line
from rootgen.sysroot.rpm_header import parse_header

if TYPE_CHECKING:
    from pathlib import Path

BASH = b"""Package: bash
Status: install ok installed
Architecture: amd64
Source: bash-src (5.2-1)
Version: 5.2-1+b1
Depends: base-files (>= 2), debianutils | other [amd64]
Pre-Depends: libc6:any (>= 2.36)
Provides: sh-like (= 5)
Conffiles:
 /etc/bash.bashrc 89269e1298235f1b12b4c16e4065ad0d
 /etc/old 89269e1298235f1b12b4c16e4065ad0d obsolete
Description: a shell
 .
 with words
"""
GONE = b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
DEPENDENT = b"Package: a\nVersion: 1\nDepends: " + b"a," * 500_000 + b"\n\n"
MD5 = b"7210080490f9fd139c1b44fa0f730988"
MUSL = b"""P:musl
V:1.2.4-r2
A:x86_64
L:MIT
o:musl
D:!bad so:libc.so>=1 base~1
p:so:libc.musl-x86_64.so.1=1 cmd:ldd=1
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1R5/nkNwClpw4GTBzDg0zKJUZ9dE=
F:usr/bin
M:0:0:700
R:ldd

P:other
V:2
A:noarch
"""


def write(root: Path, files: dict[str, bytes]) -> DirectorySysroot:
    """Write ``files`` into ``root``; return it as a sysroot."""
    for name, data in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return DirectorySysroot(str(root))


def test_dpkg(tmp_path: Path) -> None:
    """A stanza's fields, lists and checksums; what is removed is no package."""
    root = write(tmp_path, {
        "var/lib/dpkg/status": BASH + b"\n" + GONE,
        "var/lib/dpkg/info/bash.list": b"/.\n/bin\n/bin/bash\n/etc/bash.bashrc\n",
        "var/lib/dpkg/info/bash.md5sums": MD5 + b"  bin/bash\n",
    })  # fmt: skip
    (dpkg,) = databases(root)
    assert set(dpkg.packages()) == {"bash:amd64"}
    bash = dpkg.packages()["bash:amd64"]
    assert bash[:4] == ("deb", "bash", "5.2-1+b1", "amd64")
    assert (bash.source, bash.source_version) == ("bash-src", "5.2-1")
    assert bash.depends == (("libc6",), ("base-files",), ("debianutils", "other"))
    assert bash.provides == ("sh-like",)
    assert {path: one.value[:4] for path, one in dpkg.digests("bash:amd64").items()} == {
        "/bin/bash": "7210", "/etc/bash.bashrc": "8926", "/etc/old": "8926",
    }  # fmt: skip
    # Both spellings of a merged-/usr; a directory is nobody's.
    owners = owners_of((dpkg,), ("/usr/bin/bash", "/etc/bash.bashrc", "/bin", "/usr/bin/other"))
    assert {path: (one.key, one.path) for path, one in owners.items()} == {
        "/usr/bin/bash": ("bash:amd64", "/bin/bash"),
        "/etc/bash.bashrc": ("bash:amd64", "/etc/bash.bashrc"),
    }  # fmt: skip
    assert Owners(root).package("/usr/bin/bash") == "bash"


def test_diverted(tmp_path: Path) -> None:
    """At a diverted path lies the diverting package's file, the others' elsewhere."""
    stanza = b"Package: %s\nVersion: 1\n"
    root = write(tmp_path, {
        "var/lib/dpkg/status": stanza % b"dash" + b"\n" + stanza % b"bash",
        "var/lib/dpkg/diversions": b"/bin/sh\n/bin/sh.distrib\ndash\n",
        "var/lib/dpkg/info/dash.list": b"/bin/sh\n",
        "var/lib/dpkg/info/bash.list": b"/bin/sh\n",
    })  # fmt: skip
    owners = owners_of(databases(root), ("/bin/sh", "/bin/sh.distrib", "/usr/bin/sh"))
    assert {path: one.package().name for path, one in owners.items()} == {
        "/bin/sh": "dash", "/bin/sh.distrib": "bash", "/usr/bin/sh": "dash",
    }  # fmt: skip


def test_removed_and_not_purged(tmp_path: Path) -> None:
    """What a removed package left listed is of the package that has it now."""
    root = write(tmp_path, {
        "var/lib/dpkg/status": GONE + b"\n" + BASH,
        "var/lib/dpkg/info/gone.list": b"/etc/bash.bashrc\n/etc/gone\n",
        "var/lib/dpkg/info/bash.list": b"/etc/bash.bashrc",
    })  # fmt: skip
    owners = owners_of(databases(root), ("/etc/bash.bashrc", "/etc/gone"))
    assert {path: one.key for path, one in owners.items()} == {"/etc/bash.bashrc": "bash:amd64"}


def test_one_package_twice(tmp_path: Path) -> None:
    """A root with both forms of dpkg's database has each package once."""
    root = write(tmp_path, {
        "var/lib/dpkg/status": BASH,
        "var/lib/dpkg/status.d/bash": BASH,
        "var/lib/dpkg/status.d/bash.md5sums": MD5 + b"  bin/bash\n",
        "var/lib/dpkg/info/bash:amd64.list": b"/bin/bash\n",
    })  # fmt: skip
    (dpkg,) = databases(root)
    assert [key for key, _ in dpkg.lists()] == ["bash:amd64", "bash:amd64"]
    assert list(dpkg.packages()) == ["bash:amd64"]


def test_apk(tmp_path: Path) -> None:
    """Alpine's one file, and its form with only some files."""
    root = write(tmp_path, {"lib/apk/db/installed": MUSL})
    (apk,) = databases(root)
    musl = apk.packages()["musl"]
    assert musl[:4] == ("apk", "musl", "1.2.4-r2", "x86_64")
    assert (musl.licence, musl.depends) == ("MIT", (("so:libc.so",), ("base",)))
    assert musl.provides == ("so:libc.musl-x86_64.so.1", "cmd:ldd")
    assert apk.digests("musl")["/lib/ld-musl-x86_64.so.1"].value.startswith("479fe790dc02969")
    owners = owners_of((apk,), ("/usr/bin/ldd", "/usr/lib/ld-musl-x86_64.so.1"))
    assert [one.key for one in owners.values()] == ["musl", "musl"]
    kept = lines_with(musl.record, frozenset(("/usr/bin/ldd",)))
    assert b"F:usr/bin\nM:0:0:700\nR:ldd" in kept
    assert b"L:MIT" in kept
    assert b"ld-musl" not in kept
    assert b"F:lib" not in kept


SPEC = """Name: demo
Version: 1.2
Release: 3
Epoch: 4
Summary: a demonstration
License: MIT
Vendor: Nobody
BuildArch: noarch
Requires: /bin/sh
%description
It demonstrates.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/licenses/demo
echo demo > %{buildroot}/usr/bin/demo
echo MIT > %{buildroot}/usr/share/licenses/demo/LICENSE
%files
/usr/bin/demo
%license /usr/share/licenses/demo/LICENSE
"""


def rpm_root(top: Path) -> DirectorySysroot:
    """Return a root in which the real rpm has recorded a package that rpmbuild made."""
    (top / "demo.spec").write_text(SPEC)
    build = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}/top", f"{top}/demo.spec"]
    subprocess.run(build, check=True, capture_output=True)
    place = top / "root/var/lib/rpm"
    package = str(top / "top/RPMS/noarch/demo-1.2-3.noarch.rpm")
    install = ["rpm", "--dbpath", str(place), "--nodeps", "--justdb", "-i", package]
    subprocess.run(install, check=True, capture_output=True)
    return write(top / "root", {"usr/bin/demo": b"demo\n"})


def test_rpm(tmp_path: Path) -> None:
    """What the real rpm wrote is read: name, files, digests, licence files."""
    root = rpm_root(tmp_path)
    before = sorted(os.listdir(tmp_path / "root/var/lib/rpm"))
    (rpm,) = databases(root)
    (key, demo), *others = rpm.packages().items()
    assert (key, others) == ("demo-1.2-3.noarch", [])
    assert demo[:5] == ("rpm", "demo", "1.2-3", "noarch", 4)
    assert (demo.licence, demo.supplier) == ("MIT", "Nobody")
    assert demo.source == "demo-1.2-3.src.rpm"
    assert ("/bin/sh",) in demo.depends
    assert rpm.licence_files(key) == ("/usr/share/licenses/demo/LICENSE",)
    assert rpm.digests(key)["/usr/bin/demo"] == ("sha256", sha256(b"demo\n").hexdigest())
    assert owners_of((rpm,), ("/usr/bin/demo",))["/usr/bin/demo"].key == key
    assert sorted(os.listdir(tmp_path / "root/var/lib/rpm")) == before  # nothing was written
    # The form of minimal images says the same of the package.
    line = manifest_line(demo)
    assert len(line.split("\t")) == 10
    (again,) = Rpm(write(tmp_path / "m", {MANIFEST: line.encode() + b"\n"})).packages().values()
    assert again[:6] == demo[:6]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"var/lib/dpkg/status": b"Package: ../../x\nVersion: 1\n"}, "'../../x' is no name"),
        ({"var/lib/dpkg/status": b"Package: a b\nVersion: 1\n"}, "'a b' is no name"),
        ({"var/lib/dpkg/status": b"Package: \xff\nVersion: 1\n"}, "is no name"),
        ({"var/lib/dpkg/status": b"Package: a\nVersion: 1\x1b[2J\n"}, "is no version"),
        ({"var/lib/dpkg/status": b"Package: " + b"a" * 999 + b"\nVersion: 1\n"}, "is no name"),
        ({"lib/apk/db/installed": b"P:a/b\nV:1\n"}, "'a/b' is no name"),
        ({"lib/apk/db/installed": b"V:1\n"}, "'' is no name"),
        ({"var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + b"\xff" * 200}, "cannot read it"),
        ({"var/lib/rpm/rpmdb.sqlite": b""}, "not a database"),
        ({MANIFEST: b"only\ttwo\n"}, "a line of 2 fields"),
        ({"var/lib/rpm/rpmdb.sqlite": b"", "var/lib/rpm/rpmdb.sqlite-wal": b"x"}, "write-ahead"),
        # What is short to say and long to keep, or to join again and again.
        ({"lib/apk/db/installed": b"P:a\nV:1\nF:" + b"d" * 5000 + b"\nR:x\n"}, "path of 5003"),
        ({"lib/apk/db/installed": b"P:a\nV:1\nD:" + b"a " * 2_100_000}, "more than a database"),
        ({"var/lib/dpkg/status": b"Package: a\n" + b" x\n" * 400_000}, "entry of more than"),
        (
            {
                "var/lib/dpkg/status": (
                    b"Package: a\nVersion: 1\nDepends: " + b"a," * 500_000 + b"\n\n"
                )
                * 5
            },
            "more than a database",
        ),
    ],
)
def test_lies(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    """A database that lies is an error that says where and what; messages go without it."""
    root = write(tmp_path, files)
    (found,) = databases(root)
    with pytest.raises(SysrootError, match=said) as caught:
        found.packages()
    assert next(iter(files)).rpartition("/")[2] in str(caught.value)
    assert caught.value.what.isprintable()
    assert Owners(root).package("/usr/bin/bash") is None


def _sqlite(root: Path, *statements: str, blob: bytes = b"") -> Rpm:
    place = root / "var/lib/rpm"
    place.mkdir(parents=True)
    with sqlite3.connect(place / "rpmdb.sqlite") as connection:
        for one in statements:
            connection.execute(one)
        if blob:
            connection.execute("INSERT INTO Packages VALUES (1, ?)", (blob,))
    connection.close()
    return Rpm(DirectorySysroot(str(root)))


TABLE = "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)"
ENDLESS = (
    "CREATE VIEW Packages AS WITH RECURSIVE n(hnum, blob) AS "
    "(SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM n) SELECT * FROM n"
)


def test_an_endless_view_is_no_table(tmp_path: Path) -> None:
    """What computes without end instead of being data is refused."""
    with pytest.raises(SysrootError, match="no table Packages"):
        _sqlite(tmp_path, ENDLESS).packages()


def test_a_virtual_table_is_no_table(tmp_path: Path) -> None:
    """What a module of sqlite makes up is refused: the module is never called."""
    with pytest.raises(SysrootError, match="no table Packages"):
        _sqlite(tmp_path, "CREATE VIRTUAL TABLE Packages USING fts4(hnum, blob)").packages()


def test_a_directory_of_many_files(tmp_path: Path) -> None:
    """One long directory name, a million files in it: refused before they are joined."""
    directory, count = b"/" + b"d" * 4000 + b"/", 300_000
    names = b"".join(b"%d\0" % number for number in range(count))
    data = b"a\x001\x001\0" + directory + b"\0" + names
    data += b"\0" * (-len(data) % 4)
    indexes = len(data)
    data += b"\0\0\0\0" * count
    start = 6 + len(directory) + 1
    tags = ((1000, 6, 0, 1), (1001, 6, 2, 1), (1002, 6, 4, 1), (1118, 8, 6, 1),
            (1117, 8, start, count), (1116, 4, indexes, count))  # fmt: skip
    blob = struct.pack(">II", len(tags), len(data))
    blob += b"".join(struct.pack(">IIII", *tag) for tag in tags) + data
    with pytest.raises(SysrootError, match="more than a database"):
        _sqlite(tmp_path, TABLE, blob=blob).packages()


def test_a_long_list_costs_what_it_is_long(tmp_path: Path) -> None:
    """Every line of a list asked for at once: linear, not the square of it."""
    paths = [f"/usr/share/many/{number:07}/file" for number in range(100_000)]
    root = write(tmp_path, {
        "var/lib/dpkg/status": BASH,
        "var/lib/dpkg/info/bash.list": "\n".join(paths).encode(),
    })  # fmt: skip
    start = time.process_time()
    assert len(owners_of(databases(root), paths)) == len(paths)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "blob",
    [
        b"\0",
        struct.pack(">II", 0xFFFF0000, 4),
        struct.pack(">IIIIII", 1, 4, 1000, 6, 0, 1) + b"name",  # without its end
        struct.pack(">IIIIII", 1, 4, 1117, 8, 0, 1 << 31) + b"a\0b\0",
        struct.pack(">IIIIII", 1, 4, 1003, 4, 2, 1) + b"four",
    ],
)
def test_a_lying_header(tmp_path: Path, blob: bytes) -> None:
    """Counts and offsets that lead out of a header cost nothing and are told."""
    with pytest.raises(SysrootError, match=r"a header is malformed|is no name"):
        _sqlite(tmp_path, TABLE, blob=blob).packages()


def test_what_is_not_read_is_said(tmp_path: Path) -> None:
    """An older rpm's database is not silently none."""
    root = write(tmp_path, {"var/lib/rpm/Packages": b"\0"})
    assert databases(root) == ()
    assert unread(root) == (
        "/var/lib/rpm/Packages: rpm's database as Berkeley DB is not read, only sqlite"
    )


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    """Readers of any bytes answer or say what is wrong, and nothing else."""
    allowance = Allowance("x")
    for read in (
        lambda: parse_header(data).texts(1117),
        lambda: package_of(parse_stanza(data), data, allowance, "status"),
        lambda: relations(data.decode("latin-1"), allowance),
        lambda: lines_with(data, frozenset()),
    ):
        with suppress(SysrootError):
            read()


def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    """A file's name is bytes, in lists as in directories."""
    root = write(tmp_path, {
        "var/lib/dpkg/status": BASH,
        "var/lib/dpkg/info/bash.list": b"/usr/caf\xe9\n",
    })  # fmt: skip
    assert owners_of((Dpkg(root),), ("/usr/caf\udce9",))["/usr/caf\udce9"].key == "bash:amd64"
    assert not Apk(root).is_there()
