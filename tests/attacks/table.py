"""``python -m tests.attacks.table``: every attack on every launcher here, into docs/security.md.

As root, with bubblewrap, systemd-container, runc, crun and podman installed.
What came out is kept in ``peers.json``, beside this file; ``--write`` writes
the table anew from that, without an attack.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.attacks.catalogue import ATTACKS, ELSEWHERE
from tests.attacks.launchers import NoSuchOptionError
from tests.attacks.outcome import Outcome, Verdict
from tests.attacks.peers import PEERS, version
from tests.attacks.scene import Scene

if TYPE_CHECKING:
    from tests.attacks.catalogue import Attack
    from tests.attacks.peers import Runtime

PAGE = Path(__file__).parents[2] / "docs/security.md"
RECORD = Path(__file__).with_name("peers.json")
BEGIN, END = "<!-- the table: python -m tests.attacks.table -->\n", "<!-- its end -->\n"
_THROUGH = f"**{Verdict.SUCCEEDED.value}**"


class Record(NamedTuple):
    """What was seen: a version for each peer, and a verdict for each attack and peer."""

    versions: dict[str, str]
    verdicts: dict[str, dict[str, str]]


def main(arguments: list[str]) -> None:
    """Try everything, and write it down."""
    if "--write" not in arguments:
        assert os.geteuid() == 0, "the other launchers are run as root"
        record = try_all([name for name in arguments if not name.startswith("-")])
        RECORD.write_text(json.dumps(record._asdict(), indent=1, sort_keys=True) + "\n")
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(read_record()) + END + rest.partition(END)[2])


def read_record() -> Record:
    """Return what was seen last."""
    return Record(**json.loads(RECORD.read_text()))


def try_all(names: list[str]) -> Record:
    """Try the attacks of these names, or all, on every peer; keep what is known of the others."""
    record = read_record() if RECORD.exists() else Record({}, {})
    for peer in PEERS:
        record.versions[peer.name] = version(peer)
        for attack in ATTACKS:
            if names and attack.name not in names:
                continue
            outcome = try_one(attack, peer)  # type: ignore[arg-type]
            print(
                f"{peer.name:8} {attack.name:22} {outcome.verdict.name:10} {outcome.detail[:150]!r}"
            )
            record.verdicts.setdefault(attack.name, {})[peer.name] = outcome.verdict.value
    known = {attack.name for attack in ATTACKS}
    return record._replace(verdicts={k: v for k, v in record.verdicts.items() if k in known})


def try_one(attack: Attack, peer: Runtime) -> Outcome:
    """Try one attack on one peer."""
    with Scene() as scene:
        try:
            return attack.perform(scene, peer)
        except NoSuchOptionError:
            return Outcome(Verdict.NO_SUCH_OPTION)
        finally:
            peer.clean()


def table(record: Record) -> str:
    """Return the table as Markdown, a row for each attack."""
    names = [peer.name for peer in PEERS]
    heads = [f"{name} {record.versions[name]}" for name in names]
    lines = [
        f"| attack | {' | '.join(heads)} | rootgen | test |",
        "|---" * (len(names) + 3) + "|",
    ]
    for attack in ATTACKS:
        seen = record.verdicts[attack.name]
        cells = [_cell(seen[name]) for name in names]
        test = f"`test_rootgen[{attack.name}]`"
        lines.append(
            f"| {attack.title} | {' | '.join(cells)} | {_cell(attack.rootgen.value)} | {test} |"
        )
    for other in ELSEWHERE:
        cells = ["-"] * len(names)
        lines.append(f"| {other.title} | {' | '.join(cells)} | held | `{other.test}` |")
    return "\n".join(lines) + "\n"


def _cell(word: str) -> str:
    return _THROUGH if word == Verdict.SUCCEEDED.value else word


if __name__ == "__main__":
    main(sys.argv[1:])
