"""--explain: the Launch told before anything is done."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.explain import explain_json, explain_lines, quote
from rootgen.sandbox.limits import Hierarchy, LimitFacts
from rootgen.sandbox.options import Bind, Options, Tmpfs
from tests.sandbox.case import ALONE, RANGED, ROOT
from tests.sandbox.tree import launch

if TYPE_CHECKING:
    from pathlib import Path

    from rootgen.sandbox.facts import Facts


def test_three_acts(tree: Path) -> None:
    """The acts stand in their order, each with the shell command that would do the same."""
    done = launch(tree, "touch", "/var/done", options=["--explain"])
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    places = [re.search(word, text, re.IGNORECASE) for word in ("namespaces", "limits", "root")]
    assert all(places)
    starts = [place.start() for place in places if place is not None]
    assert starts == sorted(starts)
    for command in ("unshare", "mount", "pivot_root", "/proc", "/dev/pts", "touch"):
        assert command in text


def test_nothing_is_done(tree: Path) -> None:
    """Explaining launches nothing."""
    launch(tree, "touch", "/var/done", options=["--explain"])
    assert not (tree / "var/done").exists()


def test_json(tree: Path) -> None:
    """The same as JSON, with every mount and the command."""
    done = launch(tree, "true", options=["--explain", "--json"])
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    text = json.dumps(told)
    for word in ("/proc", "/sys", "/dev/pts", "true", "devpts"):
        assert word in text


OPTIONS = Options(
    binds=(Bind("/srv/it's", "/mnt/a b", read_only=True),),
    tmpfs=(Tmpfs("/scratch"),),
    env=(("GREETING", "good day; rm -rf /"), ("BELL", "\x07\n")),
    user="app",
    workdir="/home/app",
    hostname="box",
    read_only=True,
    cap_add=("NET_RAW",),
    memory=1 << 20,
)
MEMORY = Hierarchy(2, frozenset(("memory",)), "/cg/us", writable=True, alone=True)


@pytest.mark.parametrize("facts", [ROOT, ALONE, RANGED])
@pytest.mark.parametrize("terminal", [False, True])
def test_every_command_is_one(facts: Facts, terminal: bool) -> None:
    """Each command that is told is one that a shell can read, however odd the names are."""
    user = "0" if facts is ALONE else "app"
    facts = facts._replace(
        terminal=terminal, limits=LimitFacts((MEMORY,), name="x"), directories=frozenset()
    )
    launch = compose_launch(("ec ho", "$(reboot)"), OPTIONS._replace(user=user), facts)
    lines = list(explain_lines(launch))
    assert all(line.isprintable() for line in lines)
    text = "\n".join(lines)
    commands = re.findall(r"\$ (.*(?:\\\n.*)*)", text)
    assert len(commands) > 30
    for command in commands:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
    for told in (
        "/scratch",
        "box",
        "+net_raw",
        "'ec ho' '$(reboot)'",
        "'GREETING=good day; rm -rf /'",
    ):
        assert told in text
    assert ("newuidmap" in text) == (facts.caller.helpers is not None)


@pytest.mark.parametrize(
    "word", ["", "a b", "it's", "$(x)", "a\nb", "\udcff\x1b", "\\'\n", "é", "~"]
)
def test_quoted(word: str) -> None:
    """A shell reads a quoted word as the word."""
    done = subprocess.run(
        ["bash", "-c", f"printf %s {quote(word)}"], capture_output=True, check=True
    )
    assert done.stdout == word.encode("utf-8", "surrogateescape")


def test_json_has_everything() -> None:
    """Every step and every field of the process is there, and it is JSON."""
    facts = RANGED._replace(limits=LimitFacts((MEMORY,), name="x"), terminal=True)
    launch = compose_launch(("true",), OPTIONS, facts)
    told = json.loads(json.dumps(explain_json(launch)))
    assert len(told["steps"]) == len(launch.steps)
    assert {step["kind"] for step in told["steps"]} == {"mount", "link", "protect", "terminal"}
    assert told["process"]["environment"] == dict(launch.environment)
    assert told["limits"][0]["files"] == [["memory.max", "1048576"]]
    assert told["id_map"]["uids"][0] == [0, 1234, 1]
