"""The page of peers is made by a program that runs, whichever peers there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.truth import comparison
from tests.truth import test_loader_rules as glibc
from tests.truth.comparison import Row, cell, document, glibc_truth, rows, table
from tests.truth.compiled import LOADER
from tests.truth.peers import Answer, peers

if TYPE_CHECKING:
    import pytest


def test_own_row() -> None:
    """A fixture put to the real loader and to our own command line gives equal answers."""
    (own,) = [one for one in peers() if one.name == "rootgen"]
    rules = {"breadth_first": glibc.RULES["breadth_first"]}
    made = list(rows(rules, glibc.build_rule, glibc_truth, LOADER, [own]))
    lines = list(table(made, [own]))
    maps = "`lib/liba.so`, `lib/libb.so`, `lib/libc1.so`, `lib/libd.so`, `lib/libe.so`"
    assert lines[2] == f"| breadth first | {maps} | = |"
    assert lines[3:] == ["| **equal** | **1** | **1** |", "| in the loader's order | 1 | 1 |"]


def test_differences() -> None:
    """A cell says what is not found, what is missed, and what is taken instead."""
    row = Row("some_rule", ("a.so",), Answer(("x/a.so", "x/b.so"), ("c.so", "d.so")), {})
    wrong = Answer(("y/a.so", "z/c.so"), ("b.so",))
    assert cell(row, row.truth) == "="
    assert cell(row, wrong) == (
        "does not find `b.so`; misses `x/a.so`; takes `y/a.so`, `z/c.so`; "
        "does not say that it lacks `d.so`"
    )
    assert cell(row, Answer(failure="a traceback")) == "fails: a traceback"
    assert cell(row, Answer(missing=("a.so",), names_only=True)) == "names only"
    assert cell(row, Answer(missing=("b.so",), names_only=True)) == "names `b.so`"


def test_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page in the documentation has every rule, and ours are the loader's answers in all."""
    monkeypatch.setattr(
        comparison, "peers", lambda _: [one for one in peers() if one.name == "rootgen"]
    )
    page = Path(__file__).parents[2] / "docs/loader-comparison.md"
    row = re.compile(r"^\| ([a-z][a-z ]+) \| .+? \| (\S+) \|", re.MULTILINE)
    known = row.findall(page.read_text(encoding="utf-8"))
    made = row.findall("\n".join(document(())))
    assert len(made) > 30
    assert [rule for rule, _ in made] == [rule for rule, _ in known]
    assert {answer for rule, answer in made if rule not in {"rule", "in the loader"}} == {"="}
