"""``rootgen profile lint``."""

from __future__ import annotations

from rootgen.api.profile import lint_profiles
from rootgen.cli.command import Argument, Command
from rootgen.cli.output import write_lines, write_notes
from rootgen.report.words import printable


def lint(files: tuple[str, ...]) -> int:
    """Check each FILE, and all that it extends, for mistakes.

    \b
      rootgen profile lint ./server.yaml
      rootgen profile lint git rescue

    A FILE is a path, or the name of a shipped profile. Every mistake is told
    with its line and column on standard error; exits 1 if there are any.
    """
    wrong = False
    for one in lint_profiles(files):
        if one.error is None:
            write_lines([f"{printable(one.name)}: no mistakes"])
            continue
        wrong = True
        message = str(one.error).split("\n")
        write_notes(["\n".join(printable(line) for line in message)])
    return int(wrong)


COMMAND = Command(
    "lint",
    "Check profiles for mistakes.",
    lint,
    (Argument("files", "FILE...", many=True),),
)
