"""``run`` and ``shell``: a tree and a command in, the program's exit status out."""

from __future__ import annotations

import os
import sys

from rootgen.errors import NotFoundError, PlanError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.environment import DEFAULT_PATH
from rootgen.sandbox.facts import first_program, read_facts, read_line_beneath
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.mounts import MANIFEST
from rootgen.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.launch import Launch

    Tell = Callable[[str], None]
    Compose = Callable[[Sequence[str], Options, Facts], Launch]

# The best first: what people are used to, then what can do without a library.
_SHELLS = (("bash",), ("zsh",), ("dash",), ("sh",), ("busybox", "sh"))
# A manifest's first line names every program that was asked for: all of /usr/bin take 60 kB.
_HEAD_LIMIT = 4 << 20
# What the first line of a manifest has where there are no defaults: then JSON need not be read,
# which saves a launch 15 ms. Who forges it gets no defaults.
NO_DEFAULTS = b'"user":"","workdir":"","env":[]'


class RunRequest(NamedTuple):
    """What is to be run. An empty command means the best shell that the tree has.

    ``root`` is a directory's path, or a ``Root``: a stack of directories.
    """

    root: str | Root
    command: tuple[str, ...] = ()
    options: Options = Options()


def compose_run(
    request: RunRequest,
    *,
    tell: Tell | None = None,
    environ: Mapping[str, str] = os.environ,
    terminal: bool = True,
    compose: Compose = compose_launch,
) -> Launch:
    """Return the Launch for a request; nothing is done.

    ``tell`` is called with what a person should know although it is no
    error; ``environ`` is the caller's environment; without ``terminal`` the
    program gets none, even where the caller is on one; ``compose`` makes the
    Launch of what was read. Raises LaunchError or UsageError.
    """
    root = root_of(request)
    options = with_defaults(root, request.options, tell)
    facts = read_facts(root, options, environ)
    if not terminal:
        # Its streams are another process's, and may be anything.
        facts = facts._replace(terminal=False, callers_terminal=True)
    if facts.submounts and tell is not None:
        more = f" and {len(facts.submounts) - 1} more" if len(facts.submounts) > 1 else ""
        tell(
            f"what is mounted on {facts.submounts[0]}{more} is not seen inside: overlayfs shows "
            "a directory without what is mounted in it"
        )
    command = request.command or best_shell(root, dict(options.env).get("PATH", ""))
    return compose(command, options, facts)


def root_of(request: RunRequest) -> Root:
    """Return the root that is to be launched."""
    root = Root((request.root,)) if isinstance(request.root, str) else request.root
    options = request.options
    if not options.ephemeral and not options.ephemeral_size:
        return root
    return root._replace(upper=Upper(size=options.ephemeral_size))


def with_defaults(root: Root, options: Options, tell: Tell | None = None) -> Options:
    """Return the options, with env, user and workdir from the tree's manifest where none is given.

    The manifest is a claim that a program inside may have rewritten: it says
    how things are inside, and nothing of the host's side of a launch.
    """
    head = read_line_beneath(root, MANIFEST, _HEAD_LIMIT)
    if head is None or NO_DEFAULTS in head:
        return options
    from rootgen.plan.manifest_reader import parse_image

    try:
        image = parse_image(head)
    except PlanError as error:
        if tell is not None:
            tell(f"{MANIFEST} of the tree sets no defaults: {error.what}")
        return options
    return options._replace(
        env=image.env + options.env,
        user=options.user or image.user,
        workdir=options.workdir or image.workdir,
    )


def best_shell(root: Root, path: str = "") -> tuple[str, ...]:
    """Return the command of the best shell in a tree; raise NotFoundError where it has none."""
    command = first_program(root, _SHELLS, path or DEFAULT_PATH)
    if not command:
        names = ", ".join(words[0] for words in _SHELLS)
        raise NotFoundError(
            f"{root.top}: no shell in the tree",
            why=(f"none of {names} is on its PATH",),
            hint=f"make it with one (rootgen make bash … --out {root.top}), "
            "or run what it has: rootgen run",
        )
    return command


def run(request: RunRequest, *, tell: Tell | None = None) -> int:
    """Run a command in a tree; return its exit status, 128 + n where signal n killed it.

    Raises LaunchError where it was not started; its ``exit_status`` is 125,
    126 (cannot be executed) or 127 (not found).
    """
    from rootgen.sandbox.perform import perform

    # What the caller printed stands before what the program prints.
    sys.stdout.flush()
    sys.stderr.flush()
    return perform(compose_run(request, tell=tell))
