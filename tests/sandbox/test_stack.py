"""A root that is a stack of directories: what is written is elsewhere, and the tree as before."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from rootgen.api.run import RunRequest
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.options import Options
from tests.sandbox.api import output_of, run_python, run_request

# What only root may try: whiteouts and opaque directories, as a layer of an image has them.
_WHITEOUT = 0o020000


def _digest(tree: Path) -> str:
    """Return a digest of all that a tree is: names, kinds, modes, owners, times, bytes, links."""
    digest = hashlib.sha256()
    for path in sorted((tree, *tree.rglob("*"))):
        facts = path.lstat()
        told = (str(path), facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns)
        digest.update(repr((*told, facts.st_nlink, facts.st_size)).encode())
        if path.is_symlink():
            digest.update(os.fsencode(os.readlink(path)))
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _ephemeral(tree: Path, script: str, **options: Any) -> RunRequest:
    return RunRequest(
        str(tree),
        ("sh", "-c", script),
        Options(ephemeral=True)._replace(**options),
    )


EVERYTHING = """
echo new >/var/new && echo more >>/etc/passwd && rm /etc/group && mv /bin/seq /bin/moved &&
chmod 700 /home && mkdir /srv && mkdir -p /a/b/c && rm -r /home/app && mkdir /home/app &&
echo x >/home/app/x && ln -s /etc /link && rm /bin/wc && ln /bin/busybox /bin/hard &&
ls /home/app && cat /var/new && test ! -e /etc/group && echo done
"""


def test_ephemeral(tree: Path) -> None:
    """Whatever a program does to its files, it sees it; and of the tree nothing changes."""
    (tree / "home/app/old").write_text("old")
    before = _digest(tree)
    assert output_of(_ephemeral(tree, EVERYTHING)) == "x\nnew\ndone"
    assert _digest(tree) == before


def test_nothing_is_made_in_the_tree(tree: Path) -> None:
    """Not even the mount points that it lacks."""
    for name in ("proc", "sys", "dev", "tmp"):
        (tree / name).rmdir()
    before = _digest(tree)
    assert output_of(_ephemeral(tree, "ls -d /proc/self /dev/null")) == "/dev/null\n/proc/self"
    assert _digest(tree) == before


def test_ephemeral_and_read_only(tree: Path) -> None:
    """Nothing can be written, and mount points were made all the same."""
    (tree / "proc").rmdir()
    before = _digest(tree)
    done = run_request(_ephemeral(tree, "touch /var/x; touch /tmp/x && echo y", read_only=True))
    assert b"Read-only file system" in done.stderr
    assert done.stdout == b"y\n"
    assert _digest(tree) == before


def test_of_bounded_size(tree: Path) -> None:
    """What is written takes memory: a bound on it holds."""
    script = "dd if=/dev/zero of=/var/x bs=1M count=9; wc -c </var/x"
    done = run_request(_ephemeral(tree, script, ephemeral_size=4 << 20))
    assert b"No space left on device" in done.stderr
    assert 2 << 20 < int(done.stdout) <= 4 << 20


def test_root_directory(tree: Path) -> None:
    """The top of it has the mode and the owner of the tree's."""
    tree.chmod(0o1751)
    shown = output_of(_ephemeral(tree, "stat -c '%a %u %g' /"))
    assert shown == "1751 0 0"


@pytest.mark.root
def test_owners(tree: Path) -> None:
    """Files belong to whom they belong to in the tree."""
    os.chown(tree / "home/app", 1000, 1000)
    os.chown(tree, 1000, 5)
    assert output_of(_ephemeral(tree, "stat -c '%u %g' / /home/app")) == "1000 5\n1000 1000"
    script = "cd /home/app && touch mine && stat -c %u mine"
    assert output_of(_ephemeral(tree, script, user="app")) == "1000"


def test_manifest_is_read_only(tree: Path) -> None:
    """The manifest cannot be rewritten here either."""
    (tree / "var/lib/rootgen").mkdir(parents=True)
    (tree / "var/lib/rootgen/manifest.json").write_text("{}")
    done = run_request(_ephemeral(tree, "echo x >/var/lib/rootgen/manifest.json"))
    assert b"Read-only file system" in done.stderr


@pytest.mark.parametrize("name", ["a:b", "a,b", "back\\slash", "new\nline", "sp ace", "\udcff"])
def test_odd_names(tmp_path: Path, tree: Path, name: str) -> None:
    """Names that mean something in the options of overlayfs are names like others."""
    odd = tmp_path / name
    tree.rename(odd)
    assert output_of(_ephemeral(odd, "echo x >/var/x; cat /var/x")) == "x"
    assert not (odd / "var/x").exists()


def test_mount_below(tree: Path) -> None:
    """The procfs, and no path of the host, is what mountinfo tells of the layers."""
    assert str(tree.parent) not in output_of(_ephemeral(tree, "cat /proc/self/mountinfo"))


def _stack(tmp_path: Path, tree: Path, count: int) -> tuple[str, ...]:
    """Make ``count`` layers over a tree, each with a file of its own and one that all have."""
    layers = [tree]
    for number in range(count):
        layer = tmp_path / f"layer-{number}"
        (layer / "srv").mkdir(parents=True)
        (layer / f"srv/own-{number}").touch()
        (layer / "srv/common").write_text(f"{number}")
        layers.append(layer)
    return tuple(map(str, layers))


@pytest.mark.parametrize("count", [1, 2, 100, 400])
def test_layers(tmp_path: Path, tree: Path, count: int) -> None:
    """A hundred layers and more are one root, the last of them on top."""
    root = Root(_stack(tmp_path, tree, count), Upper())
    script = "ls /srv | wc -l; cat /srv/common; echo x >/srv/new"
    shown = output_of(RunRequest(root, ("sh", "-c", script)))
    assert shown.split() == [str(count + 1), str(count - 1)]
    assert not (tmp_path / f"layer-{count - 1}/srv/new").exists()


def test_layers_without_upper(tmp_path: Path, tree: Path) -> None:
    """A stack with nothing to write to is read-only."""
    root = Root(_stack(tmp_path, tree, 2))
    done = run_request(RunRequest(root, ("sh", "-c", "cat /srv/common; echo x >/srv/new")))
    assert done.stdout == b"1"
    assert b"Read-only file system" in done.stderr


def test_upper_on_disk(tmp_path: Path, tree: Path) -> None:
    """What is written is in the upper directory afterwards, and seen by the next launch."""
    upper = Upper(str(tmp_path / "upper"), str(tmp_path / "work"))
    for path in (upper.directory, upper.work):
        os.mkdir(path)
    before = _digest(tree)
    request = RunRequest(Root((str(tree),), upper))
    first = request._replace(
        command=("sh", "-c", "echo kept >/var/kept; rm /bin/wc; rm /etc/group")
    )
    output_of(first)
    assert _digest(tree) == before
    assert (tmp_path / "upper/var/kept").read_text() == "kept\n"
    second = request._replace(command=("sh", "-c", "cat /var/kept; ls /etc /bin/wc"))
    done = run_request(second)
    assert done.stdout == b"kept\n/etc:\npasswd\n"


def test_program_of_a_layer(tmp_path: Path, tree: Path) -> None:
    """The accounts, the shell and the manifest are those of the stack as it will be seen."""
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    (layer / "etc/passwd").write_text("boss:x:0:0:boss:/boss:/bin/sh\n")
    request = RunRequest(Root((str(tree), str(layer)), Upper()), options=Options(user="boss"))
    assert output_of(request._replace(command=("sh", "-c", "echo $HOME"))) == "/boss"


def test_tree_of_two_layers_through_links(tmp_path: Path, tree: Path) -> None:
    """A link of one layer leads to what another has."""
    layer = tmp_path / "layer"
    (layer / "opt").mkdir(parents=True)
    shutil.move(tree / "etc/passwd", layer / "opt/passwd")
    (tree / "etc/passwd").symlink_to("../../opt/./passwd")
    root = Root((str(tree), str(layer)), Upper())
    request = RunRequest(root, ("id", "-u"), Options(user="root"))
    assert output_of(request) == "0"


@pytest.mark.root
@pytest.mark.parametrize("removed", ["etc/passwd", "etc"])
def test_whiteout(tmp_path: Path, tree: Path, removed: str) -> None:
    """What a layer says is gone is gone for us who look it up before, too."""
    layer = tmp_path / "layer"
    (layer / removed).parent.mkdir(parents=True, exist_ok=True)
    os.mknod(layer / removed, _WHITEOUT, 0)
    root = Root((str(tree), str(layer)), Upper())
    done = run_request(RunRequest(root, ("true",), Options(user="app")))
    assert done.returncode == 125
    assert b"app" in done.stderr


@pytest.mark.root
def test_opaque(tmp_path: Path, tree: Path) -> None:
    """An opaque directory hides what is beneath."""
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    os.setxattr(layer / "etc", "trusted.overlay.opaque", b"y")
    root = Root((str(tree), str(layer)), Upper())
    done = run_request(RunRequest(root, ("true",), Options(user="app")))
    assert done.returncode == 125
    assert output_of(RunRequest(root, ("ls", "/etc"))) == ""


def test_where_it_is_refused(tree: Path) -> None:
    """A kernel that cannot do it: said, with what to do; nothing runs on the tree itself."""
    before = """
import errno
from rootgen.linux import mount
original = mount.mount
def refuse(source, target, fstype="", flags=0, data=""):
    if fstype == "overlay":
        raise OSError(errno.ENODEV, "No such device", target)
    original(source, target, fstype, flags, data)
mount.mount = refuse
from rootgen.sandbox import facts
facts.FUSE_OVERLAYFS = "not-installed"
"""
    done = run_request(_ephemeral(tree, "touch /var/ran"), before)
    assert done.returncode == 125
    assert b"install fuse-overlayfs" in done.stderr
    assert b"this kernel has no overlayfs" in done.stderr
    assert not (tree / "var/ran").exists()


def test_memory_is_given_back(tree: Path) -> None:
    """A hundred launches leave no mount and no tmpfs behind."""
    mounts = Path("/proc/self/mountinfo").read_text()
    body = f"""
for _ in range(100):
    assert run({_ephemeral(tree, "echo x >/var/x")!r}) == 0
"""
    done = run_python(body)
    assert done.returncode == 0, done.stderr.decode()
    assert Path("/proc/self/mountinfo").read_text() == mounts
