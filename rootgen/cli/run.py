"""``rootgen run``."""

from __future__ import annotations

import sys

from rootgen.cli.command import Argument, Command, Option, OptionError, invalid_value
from rootgen.cli.launch import LAUNCH_OPTIONS, launch, request_of, tell
from rootgen.errors import LaunchError, UsageError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def run(root: str, words: tuple[str, ...], **given: Any) -> int:
    """Run COMMAND in ROOTFS, contained: it sees the tree and nothing of the host.

    \b
      rootgen run ./rootfs -- ls /
      rootgen run --bind ~/src:/src --workdir /src ./rootfs -- make
      rootgen run --memory 256M --pids 64 ./rootfs -- ./job
      rootgen run --detach --name web ./rootfs -- ./server
      rootgen run tools/git:1 -- git --version   an image of the store
      rootgen run tools/git:1                    what it is started with
      rootgen run --commit site:2 site:1 -- ./update    what it writes as a layer
      rootgen run --explain ./rootfs -- true     what would be done, step by step

    ROOTFS is a directory; where there is none of that name, an image of the
    store. Without COMMAND it is run what its profile or its image says.
    Options stand before ROOTFS. The exit status is the program's own, 128+n
    where signal n killed it; 125 says that rootgen failed, 126 that COMMAND
    cannot be executed, 127 that ROOTFS does not have it. What the program
    writes is in the directory afterwards; of an image it is discarded, or
    with --commit one more layer, whatever the exit status is. With --detach
    the name of the launch is printed once COMMAND has started: see rootgen
    ps, exec, logs and stop.

    On a terminal COMMAND has one of its own. In the background (&) it runs
    on, and has what is typed once it is brought to the foreground. When the
    terminal hangs up COMMAND gets SIGHUP, is killed 1 s later, and the exit
    status is 129.
    """
    if words and words[0].startswith("-") and words[0] != "--":
        raise OptionError(f"'{words[0]}' stands behind ROOTFS: options stand before it")
    command = words[1:] if words[:1] == ("--",) else words
    detached, name = given.pop("detach"), given.pop("name")
    if name and not detached:
        raise OptionError("--name calls a launch that goes on; add --detach")
    if name:
        _check_name(name)
    if detached and given["commit"]:
        raise OptionError("--commit waits for the end, and --detach does not")
    if detached and not given["explain"]:
        return _detach(root, command, name, given)
    return launch(root, command, given, starting=True)


def _check_name(name: str) -> None:
    from rootgen.sandbox.remembered import check_name  # few launches have any

    try:
        check_name(name)
    except UsageError as error:
        raise invalid_value("--name", f"{error.what}: {error.hint}") from error


def _detach(root: str, command: tuple[str, ...], name: str, given: dict[str, Any]) -> int:
    from rootgen.api.running import detach
    from rootgen.cli.output import forget, write_lines

    started = detach(request_of(root, command, given, starting=True), name, tell=tell)
    try:
        write_lines([started])
        sys.stdout.flush()
    except OSError as error:
        forget(sys.stdout)
        raise LaunchError(
            f"the launch {started} has started, and its name could not be printed",
            why=(f"standard output: {error.strerror}",),
            hint=f"it goes on; rootgen stop {started} ends it",
        ) from error
    return 0


COMMAND = Command(
    "run",
    "Run one command in a root file system.",
    run,
    (
        Argument("root", "ROOTFS"),
        Argument("words", "[-- COMMAND [ARG]...]", many=True, required=False),
        Option(
            ("-d", "--detach"),
            "detach",
            kind="flag",
            help="Do not wait for COMMAND: print the launch's name once it has started.",
        ),
        Option(
            ("--name",),
            "name",
            metavar="NAME",
            help="With --detach: the name.  [default: COMMAND and some digits]",
        ),
        *LAUNCH_OPTIONS,
    ),
    interspersed=False,
    failure=LaunchError.exit_status,
)
