"""Every rule's fixture, put to the real loader, to rootgen and to its peers.

``python -m tests.truth.comparison`` prints ``docs/loader-comparison.md``. The
peers are those on PATH and in ``--peers DIR`` (where a virtual environment
has its ``auditwheel`` and ``elfdeps``); one that is not installed has no
column. Neither the suite nor CI needs any of them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.truth import test_loader_musl, test_loader_rules
from tests.truth.compiled import LOADER
from tests.truth.loader import trace
from tests.truth.peers import Answer, Peer, peers, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.truth.compiled import Thing

_HEADING = """\
# rootgen and its peers, rule by rule

Each row is a small tree of real ELF files that shows one rule of the dynamic loader: the fixtures
of `tests/truth/test_loader_rules.py` (glibc) and `tests/truth/test_loader_musl.py` (musl). The
loader that the program names was asked what it maps, and every tool was asked the same. **=** says
that a tool names the same files, and the same names that are not found; else the cell says what it
does not find, what it misses, and what it takes instead. Most of the tools print trees, so order
does not count in the rows. The loader itself and the vDSO are left out; `…/` is a directory of the
system.

`ldd` is right about glibc since it asks glibc's loader, by running it, or what the program names as
its interpreter: it can be asked on a machine of that kind only, and not about a file that is not to
be trusted. `elfdeps` makes the requirements of packages and opens no library; *names only* is that
it gives the DT_NEEDED names of the program itself.

This page is the output of `python -m tests.truth.comparison`: nothing of it is written by hand.
"""


class Row(NamedTuple):
    """One rule: the program's DT_NEEDED, what the real loader says, and each tool by its name."""

    rule: str
    needed: tuple[str, ...]
    truth: Answer
    answers: dict[str, Answer]


class Place(NamedTuple):
    """Where a fixture stands, and the loader of its program: what an answer is reduced by."""

    root: str
    loader: str

    def reduced(self, answer: Answer) -> Answer:
        """Return the real files, each once, without the program and the loader."""
        apart = {os.path.realpath(self.loader), os.path.join(self.root, "prog")}
        real = [os.path.realpath(os.path.join(self.root, path)) for path in answer.files]
        files = tuple(dict.fromkeys(path for path in real if path not in apart))
        names = tuple(sorted({name.replace(self.root, "@") for name in answer.missing}))
        return answer._replace(files=tuple(map(self._short, files)), missing=names)

    def _short(self, path: str) -> str:
        if path.startswith(self.root + "/"):
            return path.removeprefix(self.root + "/")
        return f"…/{os.path.basename(path)}"


def glibc_truth(program: str, directory: str) -> Answer:
    """Ask glibc's loader."""
    traced = trace(program, directory=directory)
    return Answer(traced.paths, traced.missing)


def musl_truth(program: str, directory: str) -> Answer:
    """Ask musl's loader."""
    listed = test_loader_musl.listed(program, Path(directory))
    return Answer(tuple(listed.paths), tuple(listed.missing))


def rows(
    rules: Mapping[str, Sequence[Thing]],
    build: Callable[[str, Path], None],
    truth: Callable[[str, str], Answer],
    loader: str,
    tools: Sequence[Peer],
) -> Iterator[Row]:
    """Build each fixture, and ask everyone."""
    for rule, things in rules.items():
        (needed,) = (thing.needed for thing in things if thing.program)
        with tempfile.TemporaryDirectory() as made:
            root = os.path.realpath(made)
            build(rule, Path(root))
            place, program = Place(root, loader), os.path.join(root, "prog")
            yield Row(
                rule,
                needed,
                place.reduced(truth(program, root)),
                {one.name: place.reduced(one.ask(program, root)) for one in tools},
            )


def cell(row: Row, answer: Answer) -> str:
    """Say how ``answer`` differs from the loader's: ``=`` where it does not."""
    truth = row.truth
    if answer.failure:
        return f"fails: {answer.failure}"
    if answer.names_only:
        all_of_them = set(answer.missing) == set(row.needed)
        return "names only" if all_of_them else f"names {_listed(answer.missing)}"
    unfound = set(answer.missing) - set(truth.missing)
    lost = set(truth.files) - set(answer.files)
    # What is not found is not said to be missed as well.
    lost = {path for path in lost if os.path.basename(path) not in map(os.path.basename, unfound)}
    taken = set(answer.files) - set(truth.files)
    silent = set(truth.missing) - set(answer.missing) - _basenames(taken)
    parts = (
        ("does not find", unfound),
        ("misses", lost),
        ("takes", taken),
        ("does not say that it lacks", silent),
    )
    said = [f"{verb} {_listed(sorted(names))}" for verb, names in parts if names]
    return "; ".join(said) or "="


def table(given: Sequence[Row], tools: Sequence[Peer]) -> Iterator[str]:
    """Return the lines of the table, and under it how often each tool is right."""
    names = [one.name for one in tools]
    yield f"| rule | the loader maps | {' | '.join(names)} |"
    yield f"| --- | --- |{' --- |' * len(names)}"
    equal = dict.fromkeys(names, 0)
    ordered = dict.fromkeys(names, 0)
    for row in given:
        cells = {name: cell(row, row.answers[name]) for name in names}
        for name in names:
            equal[name] += cells[name] == "="
            ordered[name] += cells[name] == "=" and row.answers[name].files == row.truth.files
        maps = _listed(row.truth.files)
        if row.truth.missing:
            lacks = f"not found: {_listed(row.truth.missing)}"
            maps = f"{maps}; {lacks}" if maps else lacks
        rule = row.rule.replace("_", " ")
        yield f"| {rule} | {maps or 'nothing'} | {' | '.join(cells.values())} |"
    total = len(given)
    yield f"| **equal** | **{total}** | {' | '.join(f'**{equal[name]}**' for name in names)} |"
    yield f"| in the loader's order | {total} | {' | '.join(str(ordered[one]) for one in names)} |"


def document(directories: Sequence[str]) -> Iterator[str]:
    """Return the lines of the page."""
    tools = peers(directories)
    yield _HEADING
    yield "Versions: " + "; ".join(versions(tools, test_loader_musl.LOADER)) + "."
    glibc, musl = test_loader_rules, test_loader_musl
    for title, rules, build, truth, loader in (
        ("glibc", glibc.RULES, glibc.build_rule, glibc_truth, LOADER),
        ("musl", musl.RULES, musl.build_rule, musl_truth, musl.LOADER),
    ):
        given = list(rows(rules, build, truth, loader, tools))
        yield f"\n## {title}\n"
        yield from table(given, tools)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description="the page docs/loader-comparison.md")
    parser.add_argument(
        "--peers", metavar="DIR", action="append", default=[], help="look for peers here first"
    )
    for line in document(parser.parse_args().peers):
        print(line)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _basenames(paths: Iterable[str]) -> set[str]:
    return {os.path.basename(path) for path in paths}


if __name__ == "__main__":
    main()
