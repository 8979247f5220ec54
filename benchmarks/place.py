"""What both benchmarks share: options, the console script, a directory, the judgement."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.measure import as_json, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.measure import Outcome

# The installed script beside the interpreter: what a user runs, with its cached bytecode.
ROOTGEN = os.path.join(os.path.dirname(sys.executable), "rootgen")


class Target(NamedTuple):
    """What is to be reached: the figure, and the most that it may be."""

    what: str
    figure: float
    limit: float
    unit: str


def options(what: str) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--runs", type=int, default=30, help="rounds that count (default: 30)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


@contextlib.contextmanager
def workplace() -> Iterator[str]:
    """Give a directory on a real file system: where trees are made in earnest.

    jailkit refuses a place that others could write above.
    """
    above = "/var/lib" if os.access("/var/lib", os.W_OK) else "/var/tmp"
    with tempfile.TemporaryDirectory(prefix="rootgen-benchmark.", dir=above) as path:
        os.chmod(path, 0o755)
        yield path


def removing(path: str) -> Callable[[], None]:
    """Return what removes ``path``, whatever it is and whether or not it is there."""

    def remove() -> None:
        shutil.rmtree(path, ignore_errors=True)

    return remove


def tell(
    outcomes: Sequence[Outcome], reference: Outcome, targets: Sequence[Target], *, as_data: bool
) -> int:
    """Print what was measured, and return 1 where a target is missed."""
    missed = [target for target in targets if target.figure > target.limit]
    if as_data:
        document = {
            "rootgen": 1,
            "cases": as_json(outcomes),
            "targets": [
                {**target._asdict(), "reached": target not in missed} for target in targets
            ],
        }
        print(json.dumps(document, indent=2))
        return 1 if missed else 0
    for line in table(outcomes, reference):
        print(line)
    print()
    for target in targets:
        verdict = "MISSED" if target in missed else "reached"
        print(
            f"{verdict:8} {target.what}: {target.figure:.1f} {target.unit}, "
            f"at most {target.limit:.1f}"
        )
    return 1 if missed else 0
