"""Bundles run by the real runc and crun: the same status, and the same as ``run`` from inside."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rootgen.api.bundle import BundleRequest, pack_bundle
from rootgen.errors import TreeError
from rootgen.profile.model import ImageConfig
from tests.image.stacks import add_stack, busybox_layer, file, member
from tests.sandbox.runtime_spec import mistakes
from tests.sandbox.tree import ROOTGEN, build_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

_HYBRID = Path("/sys/fs/cgroup/unified")
# What a program sees of its place; what a runtime chooses for itself is left out.
_PROBE = r"""
id -u; id -g; pwd; umask; hostname; ulimit -c
echo "$0|$1|$GREETING|$HOME|$PATH|$container"
grep -E '^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:)' /proc/self/status
for name in mnt pid uts ipc net; do
    [ "$(readlink /proc/self/ns/$name)" = "$(cat /etc/outside-$name)" ] && echo "shares $name"
done
for path in /proc/kcore /proc/keys /proc/timer_list /sys/firmware; do
    [ -e $path ] && { cat $path 2>/dev/null | wc -c; ls $path 2>/dev/null | grep -v "^$path"; }
done
for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/x /mnt/x /x; do
    { echo x >$path; } 2>/dev/null && echo "writes $path"
done
stat -c '%n %a %F' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/shm /tmp
ls /sys/class/net
readlink /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx
df /scratch | grep -c tmpfs
mount -t tmpfs none /mnt 2>&1
unshare -U true 2>&1
"""
_OPTIONS = ["--env", "GREETING=good day", "--tmpfs", "/scratch", "--hostname", "box", "--read-only"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a tree that knows the namespaces of who made it."""
    made = build_tree(tmp_path / "tree")
    for name in ("df", "unshare"):
        (made / "bin" / name).symlink_to("busybox")
    # runc gives a tmpfs the mode of what it is mounted on, whatever mode is asked for.
    (made / "tmp").chmod(0o1777)
    for name in ("mnt", "pid", "uts", "ipc", "net"):
        (made / f"etc/outside-{name}").write_text(os.readlink(f"/proc/self/ns/{name}") + "\n")
    for name in ("mnt", "scratch"):
        (made / name).mkdir()
    return made


def _pack(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [ROOTGEN, "pack", "--to", "bundle", *arguments], capture_output=True, check=False
    )


def _runc(bundle: Path, state: Path) -> list[str]:
    return ["runc", "--root", str(state), "run", "--bundle", str(bundle), f"test-{os.getpid()}"]


def _crun(bundle: Path, state: Path) -> list[str]:
    return ["crun", "--root", str(state), "--cgroup-manager=disabled", "run",
            "--bundle", str(bundle), f"test-{os.getpid()}"]  # fmt: skip


def _without_hybrid(command: Sequence[str]) -> list[str]:
    """Return the command where crun sees no hybrid cgroups, which it refuses.

    Only root may do so in its own user namespace; an ordinary user is root of one.
    """
    if not _HYBRID.exists():
        return list(command)
    if os.geteuid() == 0:
        script = f'umount {_HYBRID}; exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", *command]
    script = f'mount -t tmpfs none {_HYBRID}; exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *command]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("runtime", ["runc", "crun"])
@pytest.mark.parametrize("network", ["none", "host"])
@pytest.mark.parametrize("linked", [False, True])
def test_same(tree: Path, tmp_path: Path, runtime: str, network: str, linked: bool) -> None:
    """The program sees under a runtime what it sees under ``run``, and ends alike."""
    options = [*_OPTIONS, "--net", network, "--bind", f"{tree}/etc:/mnt:ro"]
    words = ["sh", "-c", f"{_PROBE}\nexit 7", "zero", "a b $c"]
    bundle, state = tmp_path / "bundle", tmp_path / "state"
    pack = [
        ROOTGEN,
        "pack",
        "--to",
        "bundle",
        *options,
        *(["--link"] if linked else []),
        str(tree),
        str(bundle),
    ]
    ours = [ROOTGEN, "run", *options, str(tree), "--", *words]
    if runtime == "runc":
        packed, expected = _run([*pack, "--", *words]), _run(ours)
        done = _run(_runc(bundle, state))
    else:
        packed, expected = _run(_without_hybrid([*pack, "--", *words])), _run(_without_hybrid(ours))
        done = _run(_without_hybrid(_crun(bundle, state)))
    assert packed.returncode == 0, packed.stderr.decode()
    assert done.returncode == expected.returncode == 7, (done.stderr, expected.stderr)
    assert done.stdout == expected.stdout
    assert b"writes" not in done.stdout
    assert len(done.stdout.splitlines()) > 25
    assert mistakes(json.loads((bundle / "config.json").read_text())) == []


def test_signal_and_limits(tree: Path, tmp_path: Path) -> None:
    """A killed one's status comes out; limits are the runtime's to make.

    The program is process 1 there, which no signal of its own kills.
    """
    done = _pack("--memory", "64M", "--pids", "9", str(tree), str(tmp_path / "b"), "--", "sh", "-c",
                 "sh -c 'kill -TERM $$'; exit $?")  # fmt: skip
    assert done.returncode == 0, done.stderr
    config = json.loads((tmp_path / "b/config.json").read_text())
    assert config["linux"]["resources"]["pids"] == {"limit": 9}
    if os.geteuid() == 0:
        assert _run(_runc(tmp_path / "b", tmp_path / "state")).returncode == 128 + 15


def test_terminal(tree: Path, tmp_path: Path) -> None:
    """With --tty the runtime is told so; without, never, whoever packs."""
    for options, terminal in (([], False), (["--tty"], True)):
        done = _pack("--force", *options, str(tree), str(tmp_path / "b"))
        assert done.returncode == 0, done.stderr
        config = json.loads((tmp_path / "b/config.json").read_text())
        assert config["process"]["terminal"] is terminal
        assert config["process"]["args"] == ["bash"]  # the best shell


def test_same_bytes(tree: Path, tmp_path: Path) -> None:
    """Packing twice gives the same bytes."""
    for name in ("a", "b"):
        assert _pack(str(tree), str(tmp_path / name), "--", "true").returncode == 0
    a, b = (tmp_path / name / "config.json" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()


def test_copy(tree: Path, tmp_path: Path) -> None:
    """The tree is copied whole, its manifest too; the bundle is nobody else's to write."""
    (tree / "var/lib/rootgen").mkdir(parents=True)
    made = tmp_path / "made"
    done = subprocess.run([ROOTGEN, "make", "true", "--out", str(made)], check=False)
    assert done.returncode == 0
    os.link(made / "usr/bin/true" if (made / "usr/bin/true").exists() else made / "bin/true",
            made / "etc/again")  # fmt: skip
    pack_bundle(BundleRequest(str(made), str(tmp_path / "b"), ("true",)))
    for path in sorted(made.rglob("*")):
        copied = tmp_path / "b/rootfs" / path.relative_to(made)
        before, after = path.lstat(), copied.lstat()
        assert (before.st_mode, before.st_uid, before.st_nlink) == (
            after.st_mode, after.st_uid, after.st_nlink,
        )  # fmt: skip
        if path.is_file() and not path.is_symlink():
            assert path.read_bytes() == copied.read_bytes()
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o755


def test_whole_or_not_at_all(tree: Path, tmp_path: Path) -> None:
    """What is there is not replaced unasked; what fails leaves nothing beside it."""
    out = tmp_path / "b"
    out.mkdir()
    (out / "mine").write_text("x")
    request = BundleRequest(str(tree), str(out), ("true",))
    with pytest.raises(TreeError, match="is there already"):
        pack_bundle(request)
    assert (out / "mine").read_text() == "x"
    done = _pack(str(tree), str(out), "--net", "pasta", "--", "true")
    assert done.returncode == 2
    pack_bundle(request._replace(force=True))
    assert sorted(os.listdir(out)) == ["config.json", "rootfs"]
    assert sorted(os.listdir(tmp_path)) == ["b", "tree"]


def test_told(tree: Path, tmp_path: Path) -> None:
    """Mistakes are told as ``run`` tells them, and nothing is written."""
    done = _pack(str(tree), str(tmp_path / "b"), "--user", "nobody-here", "--", "true")
    assert done.returncode == 125
    assert b"nobody-here" in done.stderr
    assert _pack(str(tmp_path / "absent"), str(tmp_path / "b")).returncode == 125
    assert _pack(str(tree)).returncode == 2
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--to", "tar", "TREE", "out", "--", "true"], "COMMAND means nothing with --to tar"),
        (["--to", "tar", "--memory", "1M", "TREE", "out"], "--memory means nothing with --to tar"),
        (["--to", "tar", "--link", "TREE", "out"], "--link means nothing with --to tar"),
        (["--to", "bundle", "--compress", "zstd", "TREE", "out"], "--compress means nothing"),
        (["--to", "bundle", "--json", "TREE", "out"], "--json means nothing"),
        (["--to", "bundle", "TREE", "-"], "- means nothing"),
    ],
)
def test_usage(tree: Path, tmp_path: Path, words: list[str], told: str) -> None:
    """What one form has and another has not is wrong usage, and named."""
    line = [str(tree) if word == "TREE" else word for word in words]
    done = subprocess.run([ROOTGEN, "pack", *line], capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr.decode()
    assert os.listdir(tmp_path) == ["tree"]


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_image(tmp_path: Path, runtime: str) -> None:
    """An image by its name: what its layers make is copied, and what it is started with is run."""
    store, bundle = str(tmp_path / "store"), tmp_path / "bundle"
    upper = [member("etc"), file("etc/.wh.old"), file("etc/motd", b"hello\n", mode=0o644)]
    start = ImageConfig(
        ("sh", "-c"),
        ("cat /etc/motd; pwd; echo $X; ls /etc | grep old",),
        "",
        "/etc",
        (("X", "y"),),
    )
    add_stack(store, "probe:1", [busybox_layer(), upper], start)
    pack = [ROOTGEN, "pack", "--to", "bundle", "probe:1", "--store", store, str(bundle)]
    command = _runc(bundle, tmp_path / "state")
    if runtime == "crun":
        pack = _without_hybrid(pack)
        command = _without_hybrid(_crun(bundle, tmp_path / "state"))
    packed, done = _run(pack), _run(command)
    assert packed.returncode == 0, packed.stderr
    assert done.stdout == b"hello\n/etc\ny\n", done.stderr
    linked = _pack("probe:1", "--store", store, "--link", str(tmp_path / "linked"))
    assert b"there is no directory to lead to with --link" in linked.stderr
    replaced = _pack("probe:1", "--store", store, "--force", str(tmp_path / "store"))
    assert replaced.returncode == 1
    assert (tmp_path / "store/oci-layout").exists()
