"""How an attack ended."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """What became of an attack; the value is the word of the table."""

    SUCCEEDED = "gets through"
    HELD = "held"  # it ran, and gained nothing
    REFUSED = "refused"  # the launch was refused
    NO_SUCH_OPTION = "not offered"  # there is nothing that could be attacked


class Outcome(NamedTuple):
    """A verdict, and what was seen, for people."""

    verdict: Verdict
    detail: str = ""


class Done(NamedTuple):
    """A launch that is over: what it printed, and its status (None: it had to be killed)."""

    output: str
    errors: str
    status: int | None


def judge(done: Done, evidence: str = "") -> Outcome:
    """Return what an attack program's own words say; ``evidence`` must be among what it gained."""
    gained = [line for line in done.output.splitlines() if line.startswith("SUCCEEDED")]
    if gained and evidence in gained[-1]:
        return Outcome(Verdict.SUCCEEDED, gained[-1])
    if "started" in done.errors or gained or "failed: " in done.output:
        return Outcome(Verdict.HELD, done.output.strip())
    return Outcome(Verdict.REFUSED, done.errors.strip() or f"status {done.status}")


def by_effect(done: Done, effect: str) -> Outcome:
    """Return what the host shows: ``effect`` says what happened to it; empty if nothing did."""
    if effect:
        return Outcome(Verdict.SUCCEEDED, effect)
    if "started" in done.errors or done.status == 0:
        return Outcome(Verdict.HELD, done.output.strip())
    return Outcome(Verdict.REFUSED, done.errors.strip() or f"status {done.status}")
