"""``rootgen make bash ls`` beside the shell recipe, jailkit and dracut-install.

Usage: ``python -m benchmarks.make [--runs N] [--json]``. Floors are measured
with it: bare Python, and a program of five lines that uses click.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from benchmarks.measure import Case, Outcome, difference, measure
from benchmarks.place import ROOTGEN, Target, options, removing, tell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable

# What people type, or have in a script: a directory, each program, each line of ldd.
_RECIPE = """\
set -e
mkdir -p "$1"
for name in bash ls; do
    program=$(command -v $name)
    cp --parents "$program" "$1"
    for library in $(ldd "$program" | grep -o '/[^ ]*'); do
        cp --parents "$library" "$1"
    done
done
"""
_HELLO = """\
import click

@click.command()
def hello():
    click.echo("hello, world")

hello()
"""
_OWN_WORK_MS = 12.0
_PEAK_MB = 150.0


def cases(place: str) -> dict[str, Case]:
    """Return what is timed; each makes the tree anew where there is none."""
    recipe, hello = os.path.join(place, "recipe.sh"), os.path.join(place, "hello.py")
    _write(recipe, _RECIPE)
    _write(hello, _HELLO)
    bash, ls = _program("bash"), _program("ls")
    out = {
        name: os.path.join(place, name) for name in ("rootgen", "recipe", "jk_cp", "dracut-install")
    }

    dracut = "/usr/lib/dracut/dracut-install"
    made = (
        Case(
            "rootgen make",
            (ROOTGEN, "make", "bash", "ls", "--out", out["rootgen"]),
            removing(out["rootgen"]),
        ),
        Case("shell recipe", ("sh", recipe, out["recipe"]), removing(out["recipe"])),
        Case("jk_cp", ("jk_cp", "-j", out["jk_cp"], bash, ls), _emptying(out["jk_cp"])),
        Case(
            "dracut-install",
            (dracut, "-D", out["dracut-install"], "-l", "-a", bash, ls),
            _emptying(out["dracut-install"]),
        ),
        Case("rootgen --version", (ROOTGEN, "--version")),
        Case("click hello world", (sys.executable, hello)),
        Case("bare Python", (sys.executable, "-c", "pass")),
    )
    return {case.name: case for case in made}


def everything(place: str) -> Case:
    """Return ``make`` of every program of /usr/bin."""
    out = os.path.join(place, "everything")
    programs = sorted(_executables("/usr/bin"))
    command = (ROOTGEN, "make", "--bare", "--allow-missing", *programs, "--out", out)
    return Case(f"rootgen make, all {len(programs)} of /usr/bin", command, removing(out))


def targets(outcomes: dict[str, Outcome], whole: Outcome) -> list[Target]:
    """Return what is to be reached, with what was."""
    reached: list[Target] = []
    make, click, python = (
        outcomes[name] for name in ("rootgen make", "click hello world", "bare Python")
    )
    if not (make.problem or click.problem):
        recipe = outcomes["shell recipe"]
        if not recipe.problem:
            allowed = recipe.median + difference(click, python)
            what = "make bash ls, with the recipe plus click's import allowed"
            reached.append(Target(what, make.median, allowed, "ms"))
        reached.append(
            Target(
                "own work: make bash ls less click hello world, round by round",
                difference(make, click),
                _OWN_WORK_MS,
                "ms",
            )
        )
    if not whole.problem:
        reached.append(Target("peak memory of make on /usr/bin", whole.peak, _PEAK_MB, "MB"))
    return reached


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen make beside its peers")
    with workplace() as place:
        outcomes = {one.name: one for one in measure(list(cases(place).values()), chosen.runs)}
        (whole,) = measure([everything(place)], max(1, min(3, chosen.runs)))
    told = [*outcomes.values(), whole]
    reached = targets(outcomes, whole)
    return tell(told, outcomes["rootgen make"], reached, as_data=chosen.json)


def _emptying(path: str) -> Callable[[], None]:
    def empty() -> None:
        removing(path)()
        os.mkdir(path)

    return empty


def _executables(directory: str) -> list[str]:
    found = []
    for entry in os.scandir(directory):
        if not (entry.is_file() and os.access(entry.path, os.R_OK | os.X_OK)):
            continue
        with open(entry.path, "rb") as file:
            head = file.read(4)
        if head == b"\x7fELF" or head[:2] == b"#!":
            found.append(entry.path)
    return found


def _program(name: str) -> str:
    return shutil.which(name) or name


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main())
