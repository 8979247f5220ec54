"""Every ELF file of a large system: our list against the real loader's, in order.

Beside what Debian puts into the default directories it has what looks for its
libraries elsewhere: interpreters with modules, suites with their own libraries
(RUNPATH, $ORIGIN), a virtual machine, wheels that bring what they need.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import pytest

from rootgen.elf.facts import ET_DYN, ET_EXEC
from rootgen.errors import ElfError
from rootgen.ldso.cpu import read_cpu
from rootgen.ldso.system import System
from rootgen.sysroot.directory import host
from tests.truth.compiled import LOADER
from tests.truth.foreign import elf_files, made_once
from tests.truth.loader import is_privileged, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rootgen.ldso.load import Load

    Figures = Callable[[str, object], None]

pytestmark = pytest.mark.long

PACKAGES = (
    *("git", "ffmpeg", "postgresql", "default-jre-headless", "libreoffice-core", "chromium"),
    *("python3-numpy", "python3-scipy", "nodejs", "php-cli", "ruby", "gdb", "r-base-core"),
)
WHEELS = "numpy==2.2.6 scipy==1.16.3 pillow==11.3.0"
_PIP = (
    "--quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 "
    "--implementation cp --abi cp311 --platform manylinux2014_x86_64"
)
_CHUNKS = 4
# Beneath these, what packages of the machine installed; other roots that tests made are not.
_TOPS = ("/usr", "/opt")


class Compared(NamedTuple):
    """What came of some files: programs, libraries, their objects, and those that differ."""

    programs: int
    libraries: int
    objects: int
    differences: tuple[str, ...]

    def __str__(self) -> str:
        """Return the figure."""
        return (
            f"{self.programs} programs and {self.libraries} libraries with {self.objects} objects "
            f"compared with the real loader: {len(self.differences)} differences"
        )


@pytest.fixture(scope="session")
def packages() -> tuple[str, ...]:
    """Return what is there of ``PACKAGES``: as root, having installed what the release has."""
    if os.geteuid() == 0:
        _install()
    return tuple(name for name in PACKAGES if _installed(name))


def _install() -> None:
    with open("/var/tmp/rootgen-tests-large.lock", "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        wanted = [name for name in PACKAGES if not _installed(name)]
        if wanted:
            _apt_get("update")
            # Not every release has all of them.
            known = [name for name in wanted if _apt_get("--simulate", "install", name)]
            assert _apt_get("--yes", "install", *known), known


def _installed(package: str) -> bool:
    command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout == "installed"


def _apt_get(*arguments: str) -> bool:
    # Runlevel 1: what is installed is not started.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    done = subprocess.run(
        ["apt-get", "-qq", "--no-install-recommends", "--no-upgrade", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=1200,
        check=False,
    )
    return done.returncode == 0


def comparable(system: System, path: str) -> Load | None:
    """Return our answer for ``path``, or None for what is not for the loader of this machine."""
    try:
        load = system.load(path)
    except ElfError:
        return None  # an object file, or one that only looks like ELF
    facts = load.objects[0].facts
    kind = (facts.machine, facts.elf_class, facts.type in {ET_DYN, ET_EXEC})
    # A program of another libc would run, not answer.
    if kind != (62, 64, True) or not facts.dynamic or facts.interpreter not in {None, LOADER}:
        return None
    return load if facts.interpreter is not None or len(load.objects) > 1 else None


def difference(load: Load) -> str:
    """Return how our answer differs from the loader's, "" where it does not."""
    path, interpreter = load.objects[0].path, load.objects[0].facts.interpreter
    direct = interpreter is not None and os.access(path, os.X_OK) and not is_privileged(path)
    truth = trace(path, interpreter="" if direct else LOADER)
    ours = [mapped.path for mapped in load.objects[1:]]
    theirs = list(truth.paths)
    if LOADER not in theirs and LOADER in ours:
        # Where no object names the loader, the trace does not show it.
        theirs.append(LOADER)
    missing = sorted(one.name for one in load.missing)
    if ours == theirs and missing == sorted(truth.missing):
        return ""
    return f"{path}: ours {ours} {missing}, the loader's {theirs} {truth}"


def compare(paths: Iterator[str]) -> Compared:
    """Compare each file of ``paths`` that the loader of this machine is for."""
    system = System(host(), cpu=read_cpu(host()), working_directory="/")
    loads = [load for path in paths if (load := comparable(system, path)) is not None]
    programs = sum(load.objects[0].facts.interpreter is not None for load in loads)
    with ThreadPoolExecutor(2) as pool:
        differences = tuple(filter(None, pool.map(difference, loads)))
    objects = sum(len(load.objects) - 1 for load in loads)
    return Compared(programs, len(loads) - programs, objects, differences)


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_large_system(chunk: int, packages: tuple[str, ...], record_property: Figures) -> None:
    """Every program and library beneath /usr and /opt."""
    paths = (top + path for top in _TOPS for path in elf_files(top))
    mine = (path for path in paths if zlib.crc32(os.fsencode(path)) % _CHUNKS == chunk)
    compared = compare(mine)
    of = f"large system, {len(packages)} packages ({chunk + 1} of {_CHUNKS})"
    record_property("figure", f"{of}: {compared}")
    assert not compared.differences, "\n".join(compared.differences)
    assert compared.programs > 100
    assert compared.libraries > 100


def test_wheels(record_property: Figures) -> None:
    """Wheels of PyPI that bundle their libraries, unpacked as pip does."""
    key = f"{zlib.crc32(f'{_PIP} {WHEELS}'.encode()):08x}"
    with made_once(f"wheels-{key}") as (final, fresh):
        if fresh:
            command = [sys.executable, "-m", "pip", "download", *_PIP.split(), *WHEELS.split()]
            subprocess.run([*command, "--dest", fresh], check=True, timeout=600)
            for name in os.listdir(fresh):
                with zipfile.ZipFile(f"{fresh}/{name}") as wheel:
                    wheel.extractall(fresh)
    compared = compare(final + path for path in elf_files(final))
    record_property("figure", f"wheels {WHEELS}: {compared}")
    assert not compared.differences, "\n".join(compared.differences)
    assert compared.libraries > 50
