"""``run`` and ``shell``: a tree and a command in, the program's exit status out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rootgen.errors import NotFoundError
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.environment import DEFAULT_PATH
from rootgen.sandbox.facts import first_program, read_facts
from rootgen.sandbox.options import Options

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch

# The best first: what people are used to, then what can do without a library.
_SHELLS = (("bash",), ("zsh",), ("dash",), ("sh",), ("busybox", "sh"))


class RunRequest(NamedTuple):
    """What is to be run. An empty command means the best shell that the tree has."""

    root: str
    command: tuple[str, ...] = ()
    options: Options = Options()


def compose_run(request: RunRequest) -> Launch:
    """Return the Launch for a request; nothing is done. Raises LaunchError or UsageError."""
    options = request.options
    facts = read_facts(request.root, options, os.environ)
    command = request.command or best_shell(request.root, dict(options.env).get("PATH", ""))
    return compose_launch(command, options, facts)


def best_shell(root: str, path: str = "") -> tuple[str, ...]:
    """Return the command of the best shell in a tree; raise NotFoundError where it has none."""
    command = first_program(root, _SHELLS, path or DEFAULT_PATH)
    if not command:
        names = ", ".join(words[0] for words in _SHELLS)
        raise NotFoundError(
            f"{root}: no shell in the tree",
            why=(f"none of {names} is on its PATH",),
            hint=f"make it with one (rootgen make bash … --out {root}), "
            "or run what it has: rootgen run",
        )
    return command


def run(request: RunRequest) -> int:
    """Run a command in a tree; return its exit status, 128 + n where signal n killed it.

    Raises LaunchError where it was not started; its ``exit_status`` is 125,
    126 (cannot be executed) or 127 (not found).
    """
    from rootgen.sandbox.perform import perform

    return perform(compose_run(request))
