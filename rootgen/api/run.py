"""``run`` and ``shell``: a tree and a command in, the program's exit status out."""

from __future__ import annotations

import os
import sys

from rootgen.errors import NotFoundError, PlanError, UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.environment import DEFAULT_PATH, callers_variables
from rootgen.sandbox.facts import read_facts
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.mounts import MANIFEST
from rootgen.sandbox.options import Options
from rootgen.sandbox.root_files import first_program, read_line_beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from rootgen.named import Progress, Tell
    from rootgen.profile.model import ImageConfig
    from rootgen.sandbox.facts import Facts, Process
    from rootgen.sandbox.launch import Launch

    Result = TypeVar("Result")
    Compose = Callable[[Sequence[str], Options, Facts], Launch]

# The best first: what people are used to, then what can do without a library.
SHELLS = (("bash",), ("zsh",), ("dash",), ("sh",), ("busybox", "sh"))
# A manifest's first line names every program that was asked for: all of /usr/bin take 60 kB.
_HEAD_LIMIT = 4 << 20
# What the first line of a manifest has where there are no defaults: then JSON need not be read,
# which saves a launch 15 ms. Who forges it gets no defaults.
NO_DEFAULTS = b'{"entrypoint":[],"command":[],"user":"","workdir":"","env":[]'


class ImageName(NamedTuple):
    """An image of the store at the path ``store``, or of the user's own where that is empty."""

    name: str
    store: str = ""


class RunRequest(NamedTuple):
    """What is to be run.

    ``root`` is a directory's path; a ``Root``, which is a stack of
    directories; or an ``ImageName``, which ``on_root`` makes one of.
    ``start`` is how the root is started where nothing else is asked for; None:
    as its manifest says. An empty command means the best shell that the root
    has; ``starting``: the program that it is started with.
    """

    root: str | Root | ImageName
    command: tuple[str, ...] = ()
    options: Options = Options()
    start: ImageConfig | None = None
    starting: bool = False


def root_or_image(written: str, store: str = "") -> str | ImageName:
    """Return what a person means by ROOTFS: a directory, or else the name of an image.

    What is a directory is that directory, whatever images there are; what
    begins with ``.`` or ``/`` can be no image's name. All else is looked for
    in the store.
    """
    if written.startswith((".", "/")) or os.path.isdir(written) or not written:
        return written
    return ImageName(written, os.path.abspath(store) if store else "")


def on_root(
    request: RunRequest,
    do: Callable[[RunRequest], Result],
    *,
    tell: Tell | None = None,
    progress: Progress | None = None,
    threaded: bool = False,
) -> Result:
    """Return what ``do`` does with the request, whose image has become a root that stays meanwhile.

    A request for a directory is as it was. ``threaded``: this process may have threads. Raises
    LaunchError, UsageError.
    """
    if not isinstance(request.root, ImageName):
        return do(request)
    from rootgen.api.stacked import stacked  # directories need nothing of images

    name, store = request.root
    with stacked(name, store, tell=tell, progress=progress, threaded=threaded) as stack:
        # What is written in an image is discarded.
        upper = Upper(size=request.options.ephemeral_size, like=stack.like)
        root = Root(stack.layers, upper, stack.image.name, stack.use)
        return do(request._replace(root=root, start=stack.image.config.start))


def compose_run(
    request: RunRequest,
    *,
    tell: Tell | None = None,
    environ: Mapping[str, str] = os.environ,
    terminal: bool = True,
    compose: Compose = compose_launch,
    process: Process | None = None,
    elsewhere: bool = False,
) -> Launch:
    """Return the Launch for a request; nothing is done.

    ``tell`` is called with what a person should know although it is no
    error; ``environ`` is the caller's environment; without ``terminal`` the
    program gets none, even where the caller is on one; ``compose`` makes the
    Launch of what was read, ``process`` is what ``read_process`` said,
    and ``elsewhere`` that another process performs it, on streams of its own.
    Raises LaunchError or UsageError.
    """
    root = root_of(request)
    start = request.start or manifest_start(root, tell)
    options = with_defaults(start, request.options)
    facts = read_facts(
        root,
        options,
        callers_variables(environ),
        process,
        terminal=terminal and not elsewhere,
        elsewhere=elsewhere,
    )
    if facts.submounts and tell is not None:
        more = f" and {len(facts.submounts) - 1} more" if len(facts.submounts) > 1 else ""
        tell(
            f"what is mounted on {facts.submounts[0]}{more} is not seen inside: overlayfs shows "
            "a directory without what is mounted in it"
        )
    command = request.command
    if not command and request.starting:
        command = started_with(start, root)
    command = command or best_shell(root, dict(options.env).get("PATH", ""))
    return compose(command, options, facts)


def root_of(request: RunRequest) -> Root:
    """Return the root that is to be launched."""
    if isinstance(request.root, ImageName):
        raise UsageError(f"{request.root.name} is the name of an image, not of a directory")
    root = Root((request.root,)) if isinstance(request.root, str) else request.root
    options = request.options
    if root.upper is not None or not (options.ephemeral or options.ephemeral_size):
        return root
    return root._replace(upper=Upper(size=options.ephemeral_size))


def manifest_start(root: Root, tell: Tell | None = None) -> ImageConfig | None:
    """Return how the tree's manifest says that it is started; None where it says nothing.

    The manifest is a claim that a program inside may have rewritten: it says
    how things are inside, and nothing of the host's side of a launch.
    """
    head = read_line_beneath(root, MANIFEST, _HEAD_LIMIT)
    if head is None or NO_DEFAULTS in head:
        return None
    from rootgen.plan.manifest_reader import parse_image

    try:
        return parse_image(head)
    except PlanError as error:
        if tell is not None:
            tell(f"{MANIFEST} of the tree sets no defaults: {error.what}")
        return None


def with_defaults(start: ImageConfig | None, options: Options) -> Options:
    """Return the options, with env, user and workdir of ``start`` where none is given."""
    if start is None:
        return options
    return options._replace(
        env=start.env + options.env,
        user=options.user or start.user,
        workdir=options.workdir or start.workdir,
    )


def started_with(start: ImageConfig | None, root: Root) -> tuple[str, ...]:
    """Return the program that a root is started with; raise UsageError where it says none."""
    words = () if start is None else start.entrypoint + start.command
    if not words:
        raise UsageError(
            f"what is to be run? {root.shown} does not say what it is started with",
            hint=f"rootgen run {root.shown} -- COMMAND, or rootgen shell {root.shown}",
        )
    return words


def best_shell(root: Root, path: str = "") -> tuple[str, ...]:
    """Return the command of the best shell in a tree; raise NotFoundError where it has none."""
    command = first_program(root, SHELLS, path or DEFAULT_PATH)
    if not command:
        names = ", ".join(words[0] for words in SHELLS)
        raise NotFoundError(
            f"{root.shown}: no shell in the tree",
            why=(f"none of {names} is on its PATH",),
            hint="make it with one (rootgen make bash …), or run what it has: rootgen run",
        )
    return command


def run(request: RunRequest, *, tell: Tell | None = None, progress: Progress | None = None) -> int:
    """Run a command in a tree or an image; return its exit status, 128 + n if signal n killed it.

    Raises LaunchError where it was not started; its ``exit_status`` is 125,
    126 (cannot be executed) or 127 (not found).
    """
    from rootgen.sandbox.perform import perform

    # What the caller printed stands before what the program prints.
    sys.stdout.flush()
    sys.stderr.flush()

    def do(ready: RunRequest) -> int:
        return perform(compose_run(ready, tell=tell))

    return on_root(request, do, tell=tell, progress=progress)
