"""`rootgen make` beyond the main job: other roots, additions, times, scripts, caches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.elf.image import DT_NEEDED, Recipe, build
from tests.people.command import rootgen, succeed
from tests.truth.compiled import LOADER, Thing, link
from tests.truth.loader import AS_ROOT

if TYPE_CHECKING:
    from pathlib import Path


def chroot(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a root that was entered by chroot alone."""
    line = [*AS_ROOT, "chroot", str(root), *command]
    return subprocess.run(line, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def sysroot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root whose one program needs a library that only ld.so.conf.d leads to."""
    root = tmp_path_factory.mktemp("sysroot") / "root"
    succeed("make", "bash", "cat", "--out", str(root))
    things = [Thing("usr/bin/odd", ("libodd.so.7",), program=True), Thing("opt/odd/libodd.so.7")]
    link([things[0], things[1]._replace(soname="libodd.so.7")], root)
    (root / "etc/ld.so.conf").write_text("include ld.so.conf.d/*.conf\n")
    (root / "etc/ld.so.conf.d").mkdir()
    (root / "etc/ld.so.conf.d/odd.conf").write_text("/opt/odd\n")
    return root


@pytest.mark.parametrize("cached", [True, False])
def test_library_of_the_cache(sysroot: Path, tmp_path: Path, cached: bool) -> None:
    """What the source finds through its cache the tree's own loader finds under plain chroot.

    Also where ldconfig never ran in the source: the tree has a cache of our own.
    """
    root = tmp_path / "copy"
    shutil.copytree(sysroot, root, symlinks=True)
    if cached:
        subprocess.run([*AS_ROOT, "/sbin/ldconfig", "-r", str(root)], check=True)
    out = tmp_path / "out"
    succeed("make", "odd", "--sysroot", str(root), "--out", str(out))
    loader = "/lib64/ld-linux-x86-64.so.2"
    listed = chroot(out, loader, "--list", "/usr/bin/odd")
    assert "libodd.so.7 => /opt/odd/libodd.so.7" in listed.stdout, listed.stderr
    assert "tells the loader where /opt/odd/libodd.so.7 is" in succeed(
        "why", str(out), "/etc/ld.so.cache"
    )
    succeed("check", str(out))


def test_no_cache_without_need(tmp_path: Path) -> None:
    """A tree whose loader finds all it needs in the default directories has no cache."""
    out = tmp_path / "out"
    succeed("make", "bash", "--out", str(out))
    assert not (out / "etc/ld.so.cache").exists()


def test_sysroot_with_absolute_links(sysroot: Path, tmp_path: Path) -> None:
    """An absolute link of a sysroot leads within it, and is kept as it is."""
    root = tmp_path / "copy"
    shutil.copytree(sysroot, root, symlinks=True)
    (root / "usr/bin/pager").symlink_to("/etc/alternatives/pager")
    (root / "etc/alternatives").mkdir()
    (root / "etc/alternatives/pager").symlink_to("/bin/cat")
    out = tmp_path / "out"
    succeed("make", "pager", "--sysroot", str(root), "--out", str(out))
    assert os.readlink(out / "usr/bin/pager") == "/etc/alternatives/pager"
    assert os.readlink(out / "etc/alternatives/pager") == "/bin/cat"
    assert chroot(out, "/usr/bin/pager", "/etc/hosts").stdout.startswith("127.0.0.1")


def test_script_brings_its_interpreters(tmp_path: Path) -> None:
    """A script by env brings env and what env starts; one by a script brings that one's too."""
    (tmp_path / "inner").write_text('#!/usr/bin/env -S bash -e\necho inner "$@"\n')
    (tmp_path / "outer").write_text(f"#!{tmp_path}/inner\n")
    for name in ("inner", "outer"):
        (tmp_path / name).chmod(0o755)
    out = tmp_path / "out"
    succeed("make", str(tmp_path / "outer"), "--out", str(out))
    assert (out / "usr/bin/env").exists()
    # /tmp is a fresh one under `run`, so the scripts are looked at by chroot.
    assert chroot(out, f"{tmp_path}/outer").stdout == f"inner {tmp_path}/outer\n"


def test_additions(tmp_path: Path) -> None:
    """--add brings files and directories, programs among them with what they load."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/a.conf").write_text("a\n")
    shutil.copy("/usr/bin/id", tmp_path / "tool")
    out = tmp_path / "out"
    add = ["--add", f"{tmp_path}/conf:/etc/app", "--add", f"{tmp_path}/tool:/opt/tool"]
    succeed("make", "bash", *add, "--out", str(out))
    assert (out / "etc/app/a.conf").read_text() == "a\n"
    assert chroot(out, "/opt/tool", "-u").stdout == "0\n"
    done = rootgen("make", "bash", "--add", "./conf:relative", "--out", str(out / "x"))
    assert done.returncode == 2
    assert "DEST must be an absolute path" in done.stderr


def test_times(tmp_path: Path) -> None:
    """Files keep their times, but none is newer than SOURCE_DATE_EPOCH."""
    (tmp_path / "file").write_text("x")
    os.utime(tmp_path / "file", (10**9, 10**9))
    add = ["bash", "--add", f"{tmp_path}/file:/opt/file"]
    for epoch, expected in (("", 10**9), ("500", 500), (str(2 * 10**9), 10**9)):
        out = tmp_path / f"out{epoch}"
        done = rootgen("make", *add, "--out", str(out), env={"SOURCE_DATE_EPOCH": epoch})
        assert done.returncode == 0, done.stderr
        assert os.stat(out / "opt/file").st_mtime == expected
    done = rootgen("make", *add, "--out", str(out), env={"SOURCE_DATE_EPOCH": "soon"})
    assert done.returncode == 2
    assert "'soon', not a number of seconds" in done.stderr


def test_dry_run(tmp_path: Path) -> None:
    """--dry-run lists every path with its reason, and writes nothing."""
    out = tmp_path / "out"
    printed = succeed("make", "bash", "--out", str(out), "--dry-run")
    assert "/usr/bin/bash  # asked for as bash" in printed
    assert "dry run: 1 program" in printed
    assert not out.exists()


def test_json(tmp_path: Path) -> None:
    """--json is one document, the same digest whether written or not."""
    dry = json.loads(succeed("make", "bash", "--dry-run", "--json"))
    made = json.loads(succeed("make", "bash", "--out", str(tmp_path / "out"), "--json"))
    assert (dry["rootgen"], dry["command"], dry["out"]) == (1, "make", None)
    assert dry["digest"] == made["digest"]
    assert made["out"] == str(tmp_path / "out")
    entries = {entry["path"]: entry for entry in made["entries"]}
    assert entries["/usr/bin/bash"]["reasons"][0]["kind"] == "requested"
    assert dry["entries"] == made["entries"]


def test_missing_library(tmp_path: Path) -> None:
    """A library that is nowhere: who wants it, where was searched, and no output."""
    link(
        [
            Thing("prog", ("liba.so",), rpath="$ORIGIN/lib", program=True),
            Thing("lib/liba.so", ("libnone.so.9",)),
        ],
        tmp_path,
    )
    out = tmp_path / "out"
    done = rootgen("make", str(tmp_path / "prog"), "--out", str(out))
    assert done.returncode == 1
    assert "cannot find library libnone.so.9" in done.stderr
    assert f"{tmp_path}/prog → {tmp_path}/lib/liba.so wants it" in done.stderr
    assert f"searched {tmp_path}/lib, /etc/ld.so.cache, /lib/x86_64-linux-gnu" in done.stderr
    assert "--allow-missing" in done.stderr
    assert not out.exists()
    succeed("make", str(tmp_path / "prog"), "--out", str(out), "--allow-missing")
    assert rootgen("check", str(out)).returncode == 1


def test_setuid_is_told(tmp_path: Path) -> None:
    """A set-user-ID program is kept as it is and named in the summary."""
    printed = succeed("make", "mount", "--out", str(tmp_path / "out"))
    assert "privileged: /usr/bin/mount (set-user-ID of 0)" in printed


@pytest.mark.root
def test_metadata(tmp_path: Path) -> None:
    """As root: owners, capabilities, other attributes, hard links and holes are kept."""
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy("/usr/bin/id", source / "able")
    subprocess.run(["setcap", "cap_net_raw+ep", str(source / "able")], check=True)
    (source / "owned").write_text("x")
    os.chown(source / "owned", 12, 34)
    os.setxattr(source / "owned", "user.note", b"kept")
    with (source / "sparse").open("wb") as file:
        file.truncate(64 << 20)
        file.write(b"begin")
    os.link(source / "sparse", source / "twin")
    profile = tmp_path / "p.yaml"
    profile.write_text(f"rootgen: 1\nfiles: [{source}]\n")
    out = tmp_path / "out"
    succeed("make", "-f", str(profile), "--out", str(out))
    there = out / str(source).lstrip("/")
    status = os.stat(there / "owned")
    assert (status.st_uid, status.st_gid) == (12, 34)
    assert os.getxattr(there / "owned", "user.note") == b"kept"
    assert os.getxattr(there / "able", "security.capability")
    assert os.stat(there / "sparse").st_blocks * 512 < 1 << 20
    assert os.path.samefile(there / "sparse", there / "twin")
    succeed("check", str(out))


@pytest.mark.parametrize("has_file", [True, False])
def test_musl(tmp_path: Path, has_file: bool) -> None:
    """A musl program is found in its tree as in its source, with the path file where it counts."""
    loader = "/lib/ld-musl-x86_64.so.1"
    root = tmp_path / "root"
    where = "odd" if has_file else "usr/local/lib"
    link(
        [
            Thing("usr/bin/prog", ("liba.so", "libc.so"), program=True),
            Thing(f"{where}/liba.so"),
        ],
        root,
        loader,
    )
    (root / "lib").mkdir(exist_ok=True)
    shutil.copy(loader, root / loader.lstrip("/"))
    (root / "etc").mkdir()
    if has_file:
        (root / "etc/ld-musl-x86_64.path").write_text("/odd\n")
    out = tmp_path / "out"
    succeed("make", "prog", "--sysroot", str(root), "--out", str(out))
    listed = chroot(out, loader, "--list", "/usr/bin/prog").stdout
    assert f"liba.so => /{where}/liba.so" in listed
    assert (out / "etc/ld-musl-x86_64.path").exists() == has_file


def test_data_for_another_machine(tmp_path: Path) -> None:
    """Firmware among what is added, for a machine that nothing here is for, is data and is told."""
    image = build(Recipe(machine=22, byte_order="big", dynamic=((DT_NEEDED, b"libodd.so"),)))
    (tmp_path / "firmware.img").write_bytes(image.data)
    out = tmp_path / "out"
    add = ["--add", f"{tmp_path}/firmware.img:/opt/firmware.img"]
    printed = succeed("make", "bash", *add, "--out", str(out))
    assert (
        "skipped: /opt/firmware.img (not examined: /opt/firmware.img is for s390x, "
        "as no program asked for is)"
    ) in printed
    assert (out / "opt/firmware.img").read_bytes() == image.data
    succeed("check", str(out))


@pytest.mark.parametrize("cached", [True, False])
def test_every_variant(tmp_path: Path, cached: bool) -> None:
    """A tree has the libraries of every processor, and each loader takes in it what is best."""
    root = tmp_path / "root"
    where = "opt/odd" if cached else "usr/lib/x86_64-linux-gnu"
    level = f"{where}/glibc-hwcaps/x86-64-v2"
    link(
        [
            Thing("usr/bin/prog", ("liba.so.1",), program=True),
            Thing(f"{where}/liba.so.1", soname="liba.so.1"),
            Thing(f"{level}/liba.so.1", ("libb.so.1",), soname="liba.so.1"),
            Thing(f"{where}/libb.so.1", soname="libb.so.1"),
        ],
        root,
    )
    loader = root / LOADER.lstrip("/")
    loader.parent.mkdir()
    shutil.copy(LOADER, loader)
    (root / "etc").mkdir()
    (root / "etc/ld.so.conf").write_text("/opt/odd\n")
    if cached:
        subprocess.run([*AS_ROOT, "/sbin/ldconfig", "-r", str(root)], check=True)
    out = tmp_path / "out"
    succeed("make", "prog", "--sysroot", str(root), "--out", str(out))
    for tree in (root, out):
        best = chroot(tree, LOADER, "--list", "/usr/bin/prog").stdout
        assert f"liba.so.1 => /{level}/liba.so.1" in best
        assert f"libb.so.1 => /{where}/libb.so.1" in best
        masked = [LOADER, "--glibc-hwcaps-mask", "none", "--list", "/usr/bin/prog"]
        plain = chroot(tree, *masked).stdout
        assert f"liba.so.1 => /{where}/liba.so.1" in plain
    assert f"{level}/liba.so.1" in succeed("why", str(out), f"/{where}/libb.so.1")
