"""A Launch told: in three acts with the shell commands that would do the same, or as JSON.

One module per act: ``namespaces``, ``limits``, ``root``; then ``program``,
and ``kernel``, which no act divides.
``values`` is the same for JSON, ``shell`` quotes.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.kernel import kernel_lines
from rootgen.sandbox.explain.limits import limit_lines
from rootgen.sandbox.explain.namespaces import namespace_lines
from rootgen.sandbox.explain.program import program_lines
from rootgen.sandbox.explain.root import root_lines
from rootgen.sandbox.explain.shell import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.sandbox.launch import Launch

__all__ = ["explain_json", "explain_lines", "quote"]


def explain_json(launch: Launch) -> dict[str, object]:
    """Return the Launch as values for JSON: the same steps, in the same order."""
    from rootgen.sandbox.explain.values import launch_values  # it needs json, which people do not

    return launch_values(launch)


def explain_lines(launch: Launch) -> Iterator[str]:
    """Yield the Launch as a text for people: what is done, why, and the command for it."""
    yield "A container in three acts: namespaces, limits, change of root."
    yield ""
    yield "1  Namespaces: what the program sees of the machine is its own"
    yield from _indented(namespace_lines(launch))
    yield ""
    yield "2  Limits: how much of the machine it may take (cgroups, setrlimit)"
    yield from _indented(limit_lines(launch))
    yield ""
    yield "3  Change of root: the tree becomes all the files there are"
    yield from _indented(root_lines(launch))
    yield ""
    yield "Then, with what little it needs, the program"
    yield from _indented(program_lines(launch))
    yield ""
    yield "What all containers share: the kernel"
    yield from _indented(kernel_lines(launch))


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"   {line}" if line else "" for line in lines)
