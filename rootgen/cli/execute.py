"""``rootgen exec``."""

from __future__ import annotations

from rootgen.api.running import execute
from rootgen.cli.command import Argument, Command, Option, OptionError
from rootgen.cli.launch import variables
from rootgen.errors import LaunchError


def exec_(
    name: str, words: tuple[str, ...], *, env: tuple[str, ...], user: str, workdir: str
) -> int:
    """Run COMMAND in the launch NAME, which is running.

    \b
      rootgen exec web -- ps
      rootgen exec web                           the best shell that it has
      rootgen exec --workdir /srv web -- ls
      rootgen exec --user app web -- id          as another user of the tree

    COMMAND has all that the launch has: its namespaces, root, limits, user,
    capabilities and environment. On a terminal it gets one of its own. The
    exit status is as of rootgen run.
    """
    if words and words[0].startswith("-") and words[0] != "--":
        raise OptionError(f"'{words[0]}' stands behind NAME: options stand before it")
    command = words[1:] if words[:1] == ("--",) else words
    return execute(name, command, env=variables(env), user=user, workdir=workdir)


COMMAND = Command(
    "exec",
    "Run a command in a launch that is running.",
    exec_,
    (
        Argument("name", "NAME"),
        Argument("words", "[-- COMMAND [ARG]...]", many=True, required=False),
        Option(
            ("-e", "--env"), "env", metavar="NAME[=VALUE]", multiple=True,
            help="Set a variable; without a value, the caller's.",
        ),
        Option(
            ("-u", "--user"), "user", metavar="NAME|UID[:GROUP|GID]",
            help="Be this user of the tree's own passwd.  [default: who the launch is]",
        ),
        Option(
            ("-w", "--workdir"), "workdir", metavar="DIR",
            help="Start in DIR.  [default: where the launch started]",
        ),
    ),
    interspersed=False,
    failure=LaunchError.exit_status,
)  # fmt: skip
