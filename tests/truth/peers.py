"""Tools that say what a program loads: how each is asked, and how its answer is read."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from rootgen import __version__
from tests.truth.loader import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SECONDS = 20
_ELFDEPS = ("-R", "--soname-only", "--no-filter-soname")


class Answer(NamedTuple):
    """Files in the order printed, names that the tool did not find, or why it failed."""

    files: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failure: str = ""
    names_only: bool = False


class Peer(NamedTuple):
    """A tool: ``command`` and then a program is what is run, ``read`` understands the output."""

    name: str
    command: tuple[str, ...]
    read: Callable[[str, str], Answer]
    version: str
    environment: dict[str, str]

    def ask(self, program: str, directory: str) -> Answer:
        """Return what the tool says of ``program``, asked in ``directory``."""
        try:
            done = subprocess.run(
                [*self.command, program],
                cwd=directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Answer(failure=f"no answer in {_SECONDS} seconds")
        try:
            return self.read(done.stdout, done.stderr)
        except (ValueError, KeyError):
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            return Answer(failure=" ".join(last).replace(directory, "@") or "no output")


class _Known(NamedTuple):
    """A tool that we can ask: its options, its output, and where its version is to be had."""

    name: str
    options: tuple[str, ...]
    read: Callable[[str, str], Answer]
    version: Callable[[str], str]


def peers(directories: Sequence[str] = ()) -> list[Peer]:
    """Return rootgen and each peer that the system or one of ``directories`` has."""
    known = (
        _Known("rootgen", ("deps", "--format", "json"), _read_rootgen, _own_version),
        _Known("ldd", (), _read_ldd, _said_version),
        _Known("libtree", ("-vvv", "-p"), _read_libtree, _said_version),
        _Known("lddtree", ("-l",), _read_lddtree, _package_version),
        _Known("auditwheel", ("lddtree",), _read_auditwheel, _python_version),
        _Known("elfdeps", _ELFDEPS, _read_elfdeps, _python_version),
    )
    # Not the caller's PATH: a version manager's python3 would run what Debian's is meant for.
    plain = os.pathsep.join([*directories, "/usr/bin", "/bin"])
    # The console script beside the interpreter.
    own = os.path.dirname(sys.executable)
    found = []
    for one in known:
        path = shutil.which(one.name, path=own if one.name == "rootgen" else plain)
        if path is not None:
            environment = {"PATH": plain, "LANG": "C.UTF-8"}
            command = (path, *one.options)
            found.append(Peer(one.name, command, one.read, one.version(path), environment))
    return found


def versions(tools: Sequence[Peer], musl: str) -> list[str]:
    """Return what was compared: loaders first, then each tool."""
    # The loader of musl says its version where it is run without a program.
    said = subprocess.run([musl], capture_output=True, text=True, check=False).stderr
    number = re.search(r"^Version (\S+)", said, re.MULTILINE)
    loaders = [f"glibc {platform.libc_ver()[1]}"]
    if number is not None:
        loaders.append(f"musl {number[1]}")
    return loaders + [f"{one.name} {one.version}" for one in tools]


def _read_rootgen(output: str, _errors: str) -> Answer:
    target = json.loads(output)["targets"][0]
    files = [one["path"] for one in target["objects"][1:]]
    return Answer(tuple(files), tuple(one["name"] for one in target["missing"]))


def _read_ldd(output: str, errors: str) -> Answer:
    if not output.strip():
        raise ValueError(errors)
    traced = parse(output)
    return Answer(traced.paths, traced.missing)


def _read_libtree(output: str, _errors: str) -> Answer:
    """Read the tree: a file with how it was found in brackets, or a name and what is wrong."""
    files, missing = [], []
    found = re.findall(r"^[│ ]*[├└]── (.+)$", output, re.MULTILINE)
    for line in found:
        path, bracket, _ = line.rpartition(" [")
        if bracket:
            files.append(path)
        else:
            missing.append(line.removesuffix(" not found").removesuffix(" is not absolute"))
    if not output.strip():
        raise ValueError(output)
    return Answer(tuple(files), tuple(missing))


def _read_lddtree(output: str, _errors: str) -> Answer:
    """Read the list: the program, the interpreter, then paths; a bare name was not found."""
    lines = output.splitlines()
    if not lines:
        raise ValueError(output)
    files = [line for line in lines[1:] if line.startswith("/")]
    return Answer(tuple(files), tuple(line for line in lines[1:] if not line.startswith("/")))


def _read_auditwheel(output: str, errors: str) -> Answer:
    text = errors + output
    libraries = json.loads(text[text.index("{") : text.rindex("}") + 1])["libraries"]
    files = [one["path"] for one in libraries.values() if one["path"] is not None]
    missing = [name for name, one in libraries.items() if one["path"] is None]
    return Answer(tuple(files), tuple(missing))


def _read_elfdeps(output: str, _errors: str) -> Answer:
    names = [line.partition("(")[0] for line in output.splitlines()]
    if not names:
        raise ValueError(output)
    return Answer(missing=tuple(names), names_only=True)


def _own_version(_path: str) -> str:
    return __version__


def _said_version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0].split()[-1]


def _package_version(path: str) -> str:
    """Return the version of the Debian package that has ``path``."""
    owner = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True, check=False)
    package = owner.stdout.partition(":")[0]
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"of {package} {done.stdout}" if done.returncode == 0 else "of an unknown version"


def _python_version(script: str) -> str:
    """Return the version of the distribution that the console script ``script`` belongs to."""
    code = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    python = os.path.join(os.path.dirname(script), "python3")
    command = [python, "-c", code, os.path.basename(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "of an unknown version"
