"""Sysroots of other architectures, made of real packages, and their own loaders under qemu-user.

A sysroot is downloaded once and kept beneath the user's cache directory. Its
programs run in a chroot of a user namespace, through the interpreter that is
copied to ``/qemu``: nothing of the host's own loader or files takes part.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from rootgen.elf.reader import MAGIC
from rootgen.sysroot.directory import DirectorySysroot
from tests.elf.image import Recipe
from tests.truth.architecture import ARCHITECTURES, Architecture
from tests.truth.debian import download

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_QEMU = "/qemu"
_SECONDS = 60
# Programs, interpreters with their extension modules, and all that they depend on.
PACKAGES = "bash coreutils curl dash git libc-bin openssh-client python3-minimal sed".split()


def cache_directory() -> str:
    """Return where downloads are kept: of the user, whatever HOME the tests are given."""
    home = pwd.getpwuid(os.geteuid()).pw_dir
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    path = os.path.join(base, "rootgen-tests")
    os.makedirs(path, exist_ok=True)
    return path


@contextmanager
def made_once(name: str) -> Iterator[tuple[str, str]]:
    """Give the cached directory ``name``, and an empty one to fill, "" where it is there already.

    What was filled takes the name in one rename at the end of the block;
    another process that wants the same waits for it.
    """
    cache = cache_directory()
    final = os.path.join(cache, name)
    with open(f"{final}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(final):
            yield final, ""
            return
        with tempfile.TemporaryDirectory(dir=cache, ignore_cleanup_errors=True) as scratch:
            fresh = os.path.join(scratch, "fresh")
            os.mkdir(fresh, 0o755)
            yield final, fresh
            os.rename(fresh, final)


def sysroot(architecture: Architecture, packages: Sequence[str]) -> str:
    """Return a merged-/usr root with ``packages`` and all that they depend on, unpacked.

    A package of another architecture is ``NAME:ARCHITECTURE``.
    """
    names = [architecture.name]
    names += [one.rpartition(":")[2] for one in packages if ":" in one]
    chosen = " ".join((*packages, *architecture.suites))
    key = hashlib.sha256(f"3 {chosen}".encode()).hexdigest()[:12]
    with made_once(f"{architecture.name}-{key}") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                archives = download(
                    tuple(dict.fromkeys(names)), packages, scratch, architecture.suites
                )
                _unpack(archives, fresh)
            for name in names:
                one = ARCHITECTURES.get(name, architecture)
                shutil.copy(emulator(one), f"{fresh}{_QEMU}-{name}")
            os.symlink(f"qemu-{architecture.name}", fresh + _QEMU)
            [done] = run_all(fresh, [["/sbin/ldconfig"]])
            assert done.status == 0, done.errors
    return final


def emulator(architecture: Architecture) -> str:
    """Return the path of a qemu-user, linked statically, that runs programs of ``architecture``."""
    if not architecture.new_qemu:
        return f"/usr/bin/qemu-{architecture.qemu}-static"
    with made_once(f"qemu-{architecture.qemu}-1") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                [archive] = [
                    one
                    for one in download(("amd64",), ["qemu-user"], scratch, ("trixie", "stable"))
                    if os.path.basename(one).startswith("qemu-user_")
                ]
                _unpack([archive], f"{scratch}/all")
                shutil.copy(f"{scratch}/all/usr/bin/qemu-{architecture.qemu}", f"{fresh}/qemu")
    return f"{final}/qemu"


def recipe_of(architecture: Architecture) -> Recipe:
    """Return what every object of ``architecture`` says of itself."""
    return Recipe(
        elf_class=architecture.elf_class,
        byte_order=architecture.byte_order,
        machine=architecture.machine,
        flags=architecture.flags,
    )


def usual_root(architecture: Architecture) -> str:
    """Return the root of ``architecture`` that most tests use; of libraries alone for some."""
    if not architecture.cross:
        return sysroot(architecture, PACKAGES)
    with made_once(f"{architecture.name}-1") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
                packages = [f"{architecture.libc}-{architecture.cross}-cross"]
                # Not there for all; where it is, it brings more.
                if architecture.name != "mipsn32el":
                    packages.append(f"libstdc++6-{architecture.cross}-cross")
                archives = download(("amd64",), packages, scratch, architecture.suites)
                _unpack(archives, os.path.join(scratch, "cross"))
                target = f"/usr/lib/{architecture.triplet}"
                _lay(fresh)
                os.mkdir(fresh + target)
                base = os.path.join(scratch, "cross/usr", architecture.triplet)
                for name in ("lib64", "lib32", "lib"):
                    _copy_beside(f"{base}/{name}", fresh + target)
            loader = f"{target}/{os.path.basename(architecture.loader)}"
            os.symlink(loader, fresh + architecture.loader)
            shutil.copy(emulator(architecture), f"{fresh}{_QEMU}-{architecture.name}")
    return final


def loader_of(root: str, architecture: Architecture) -> str:
    """Return the loader's path from outside of ``root``: its name may be a link of the root's."""
    found = DirectorySysroot(root).lookup(architecture.loader)
    assert found is not None
    return os.path.realpath(root) + found.path


def without_cache(root: str, copy: str) -> str:
    """Make ``copy`` a root like ``root``, of the same inodes, that has no ld.so.cache."""
    subprocess.run(["cp", "-al", root, copy], check=True)
    os.unlink(f"{copy}/etc/ld.so.cache")
    return copy


def _unpack(archives: Sequence[str], root: str) -> None:
    _lay(root)
    for archive in archives:
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)


def _lay(root: str) -> None:
    """Make the directories and links of a merged /usr."""
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        os.makedirs(f"{root}/usr/{name}")
        os.symlink(f"usr/{name}", f"{root}/{name}")
    for name in ("proc", "dev", "tmp"):
        os.makedirs(f"{root}/{name}")


def _copy_beside(source: str, target: str) -> None:
    """Copy the libraries of ``source``, where it is a directory, to those in ``target``."""
    if os.path.islink(source) or not os.path.isdir(source):
        return
    for name in os.listdir(source):
        path, copy = os.path.join(source, name), os.path.join(target, name)
        if os.path.isfile(path) and not os.path.lexists(copy):
            beside = os.path.islink(path) and "/" not in os.readlink(path)
            shutil.copy(path, copy, follow_symlinks=not beside)


def elf_files(root: str) -> Iterator[str]:
    """Give every ELF file beneath ``root`` that we may read, links aside."""
    for directory, _, names in os.walk(root):
        for name in sorted(names):
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
                continue
            with open(path, "rb") as file:
                if file.read(4) == MAGIC:
                    yield path.removeprefix(root)


class Done(NamedTuple):
    """What one command came to."""

    status: int
    output: str
    errors: str


def run_all(
    root: str,
    commands: Sequence[Sequence[str]],
    *,
    directory: str = "/",
    qemu: str = _QEMU,
    environment: Mapping[str, str] | None = None,
) -> list[Done]:
    """Run ``commands``, programs of ``root`` with arguments for its qemu before them, in a chroot.

    ``root`` needs an empty ``/proc`` and ``/dev``, and the file ``qemu``, "" for none. All in one
    user namespace: a process for each is what takes the time.
    """
    given = {
        "commands": [[*filter(None, [qemu]), *command] for command in commands],
        "environment": dict(environment or {}),
    }
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-m", "tests.truth.foreign", root, directory],
        input=json.dumps(given),
        cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [Done(*one) for one in json.loads(done.stdout)]


def _main(root: str, directory: str) -> None:
    """Run the commands on standard input, being the first user of a namespace of our own."""
    given = json.load(sys.stdin)
    for path in ("/proc", "/dev"):
        subprocess.run(["mount", "--rbind", path, root + path], check=True)
    os.chroot(root)
    os.chdir(directory)
    results: list[Done] = []
    for command in given["commands"]:
        done = subprocess.run(
            command,
            env=given["environment"],
            input="",  # there may be no /dev/null
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_SECONDS,
        )
        results.append(Done(done.returncode, done.stdout, done.stderr))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
