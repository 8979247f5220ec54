"""How many examples a law is worth: those that write trees or start processes are slow."""

from __future__ import annotations

from hypothesis import settings


def at_most(count: int) -> settings:
    """Return the settings of this run with no more than ``count`` examples."""
    usual = settings().max_examples
    return settings(max_examples=min(count, usual))
