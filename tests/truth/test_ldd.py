"""``deps --format ldd`` against the real ldd: byte for byte, addresses masked."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.cli.entry import run
from tests.truth.compiled import Thing, build_tree, link
from tests.truth.test_loader_system import programs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MUSL = "/lib/ld-musl-x86_64.so.1"
# One in so many of the programs is compared in the short run.
_STEP = 12


def masked(text: str) -> str:
    """Return ``text`` with addresses alike; their width still counts."""
    return re.sub(r"\(0x([0-9a-f]+)\)", lambda found: f"(0x{'0' * len(found[1])})", text)


def real(*arguments: str) -> tuple[int, str]:
    """Return what ldd says, both streams in one, as it writes them."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        ["ldd", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        timeout=300,
        check=False,
    )
    return done.returncode, masked(done.stdout.decode("utf-8", "surrogateescape"))


def ours(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the same of rootgen."""
    status = run(["deps", "--format", "ldd", *arguments])
    captured = capfd.readouterr()
    return status, masked(captured.out + captured.err)


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(/\S+):\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _compare(
    paths: list[str],
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    """Compare the answers of two calls for all of ``paths``."""
    status, output = ours(capfd, *paths)
    real_status, real_output = real(*paths)
    mine, theirs = _sections(output), _sections(real_output)
    differing = [
        f"{path}:\nours\n{mine.get(path)}ldd's\n{theirs.get(path)}"
        for path in paths
        if mine.get(path) != theirs.get(path)
    ]
    figure = f"{len(paths)} programs, `deps --format ldd` compared with ldd byte for byte"
    record_property("figure", f"{figure}: {len(differing)} differences")
    assert not differing, "\n".join(differing)
    assert (status, list(mine)) == (real_status, list(theirs))


def _dynamic_programs() -> list[str]:
    # What is static is answered on standard error, apart from the headings.
    return [path for path in programs() if real(path)[0] == 0]


def test_a_sample(
    capfd: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    """A part of the programs of this machine."""
    some = list(programs())[::_STEP]
    _compare([path for path in some if real(path)[0] == 0], capfd, record_property)


@pytest.mark.long
def test_every_program(
    capfd: pytest.CaptureFixture[str], record_property: Callable[[str, object], None]
) -> None:
    """All of them."""
    _compare(_dynamic_programs(), capfd, record_property)


TREES: dict[str, list[Thing]] = {
    "found_and_missing": [
        Thing("prog", ("liba.so", "libgone.so", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libgone.so", "libaway.so")),
        Thing("lib/libb.so", ("libgone.so",)),
    ],
    "the_loader_in_its_place": [
        Thing("prog", ("liba.so", "libc.so.6", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("ld-linux-x86-64.so.2",)),
        Thing("lib/libb.so"),
    ],
    "known_by_another_name": [
        Thing("prog", ("liba.so", "libtwin.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libtwin.so",), soname="liba.so.1"),
        Thing("lib/libtwin.so -> liba.so"),
    ],
    "nothing_needed": [Thing("prog", program=True)],
    "only_a_missing_one": [Thing("prog", ("libgone.so",), program=True)],
    "names_with_tokens": [
        Thing("prog", ("$ORIGIN/lib/liba.so", "$ORIGIN/gone.so"), program=True),
        Thing("lib/liba.so"),
    ],
    "filters_of_nothing": [
        Thing("prog", ("liba.so", "libb.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libc1.so",), flags=("--auxiliary=libgone.so",)),
        Thing("lib/libb.so", ("libaway.so",)),
        Thing("lib/libc1.so", flags=("--filter=libf.so", "--auxiliary=libg.so")),
    ],
    "filters": [
        Thing("prog", ("liba.so",), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libb.so",), flags=("--filter=libf.so", "--auxiliary=libx.so")),
        Thing("lib/libb.so"),
        Thing("lib/libf.so"),
        Thing("lib/libx.so"),
    ],
}


@pytest.mark.parametrize("interpreter", ["/lib64/ld-linux-x86-64.so.2", "/nowhere/ld.so"])
@pytest.mark.parametrize("rule", TREES)
def test_tree(
    rule: str, interpreter: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Small trees, with the usual interpreter and with one that ldd replaces by its own."""
    build_tree(TREES[rule], tmp_path, interpreter)
    program = str(tmp_path / "prog")
    assert ours(capfd, program) == real(program)


def _files(directory: Path) -> None:
    source = directory / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    for name, flags in {"static": ["-static"], "pie": ["-static-pie"], "main.o": ["-c"]}.items():
        subprocess.run(["gcc", *flags, "-o", directory / name, source], check=True)
    (directory / "script").write_text("#!/bin/sh\n")
    (directory / "text").write_text("text\n")
    (directory / "empty").write_text("")


@pytest.mark.parametrize("name", ["static", "pie", "main.o", "script", "text", "empty"])
def test_what_is_no_program(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Static programs, objects, scripts and texts, with the exit status."""
    _files(tmp_path)
    assert ours(capfd, str(tmp_path / name)) == real(str(tmp_path / name))


def test_libraries(capfd: pytest.CaptureFixture[str]) -> None:
    """Shared libraries and the loader itself."""
    for path in ("/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"):
        assert ours(capfd, path) == real(path)


def test_several(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each of several is headed, what cannot be answered too; the status tells of it."""
    _files(tmp_path)
    files = ["/bin/ls", "/nowhere", str(tmp_path / "static"), "/usr", "/bin/cat"]
    status = run(["deps", "--format", "ldd", *files])
    captured = capfd.readouterr()
    done = subprocess.run(["ldd", *files], capture_output=True, text=True)
    assert (status, masked(captured.out)) == (done.returncode, masked(done.stdout))
    said = captured.err.splitlines()
    assert said == [
        "rootgen: no such program: /nowhere",
        "\tnot a dynamic executable",
        "rootgen: /usr is a directory, not a program",
    ]


def test_cut_off(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A library that is no ELF file ends the loader: its status, and nothing listed."""
    build_tree(TREES["found_and_missing"], tmp_path, "/lib64/ld-linux-x86-64.so.2")
    (tmp_path / "lib/libb.so").write_text("text")
    program = str(tmp_path / "prog")
    status, said = ours(capfd, program)
    real_status, really = real(program)
    start = f"{program}: error while loading shared libraries: {tmp_path}/lib/libb.so: "
    assert (status, said.startswith(start)) == (real_status, really.startswith(start))


def test_musl(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of musl's programs what musl's loader says as ldd, missing ones on standard error."""
    things = [
        Thing("prog", ("liba.so", "libc.so", "libgone.so"), rpath="$ORIGIN/lib", program=True),
        Thing("lib/liba.so", ("libc.so", "libb.so")),
        Thing("lib/libb.so"),
    ]
    link(things, tmp_path, MUSL)
    program = str(tmp_path / "prog")
    status = run(["deps", "--format", "ldd", program])
    captured = capfd.readouterr()
    done = subprocess.run([MUSL, "--list", program], capture_output=True, text=True)
    pattern = r"\(0x[0-9a-f]+\)"
    assert re.sub(pattern, "", captured.out) == re.sub(pattern, "", done.stdout)
    assert (status, captured.err) == (done.returncode, done.stderr)
