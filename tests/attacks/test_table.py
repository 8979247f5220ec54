"""The table of docs/security.md says what was seen, and each of its rows has a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.attacks import table
from tests.attacks.catalogue import ATTACKS, ELSEWHERE, Elsewhere
from tests.attacks.outcome import Verdict
from tests.attacks.peers import PEERS
from tests.attacks.test_attacks import test_rootgen as rootgen_test

_TOP = Path(__file__).parents[2]


def _rows() -> list[list[str]]:
    shown = table.PAGE.read_text().partition(table.BEGIN)[2].partition(table.END)[0]
    lines = shown.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_is_what_was_seen() -> None:
    """It is what the record and the catalogue make: ``python -m tests.attacks.table --write``."""
    shown = table.PAGE.read_text().partition(table.BEGIN)[2].partition(table.END)[0]
    assert shown == table.table(table.read_record())


def test_record_is_whole() -> None:
    """Every attack was tried on every other launcher, and nothing else is recorded."""
    record = table.read_record()
    assert set(record.verdicts) == {attack.name for attack in ATTACKS}
    for name, seen in record.verdicts.items():
        assert set(seen) == {peer.name for peer in PEERS}, name


def test_rows_have_tests() -> None:
    """Each row names a test that is run with that very attack, or one that is there elsewhere."""
    mark = next(one for one in rootgen_test.pytestmark if one.name == "parametrize")  # type: ignore[attr-defined]
    tested = {f"`test_rootgen[{parameter.id}]`": parameter.values[0] for parameter in mark.args[1]}
    elsewhere = {f"`{other.test}`" for other in ELSEWHERE}
    rows = _rows()
    assert len(rows) == len(tested) + len(elsewhere)
    for row in rows:
        told, test = row[-2:]
        if test in elsewhere:
            continue
        attack = tested[test]
        assert row[0] == attack.title
        assert told == attack.rootgen.value


def test_nothing_gets_through() -> None:
    """An attack that rootgen does not withstand is no row to be silent about."""
    assert [attack.name for attack in ATTACKS if attack.rootgen is Verdict.SUCCEEDED] == []


@pytest.mark.parametrize("other", ELSEWHERE, ids=lambda other: other.test.rpartition(":")[2])
def test_elsewhere(other: Elsewhere) -> None:
    """The tests that stand elsewhere are there."""
    file, _, name = other.test.partition("::")
    functions = ast.parse((_TOP / file).read_text()).body
    assert name in {one.name for one in functions if isinstance(one, ast.FunctionDef)}
