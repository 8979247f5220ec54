"""The table of commands, and the group that they belong to."""

from __future__ import annotations

import click

from rootgen import __version__
from rootgen.cli.group import LazyGroup, Named

COMMANDS = {
    "make": Named("rootgen.cli.make", "make", "Write the root file system that programs need."),
    "shell": Named("rootgen.cli.shell", "shell", "Open the best shell in a root file system."),
    "run": Named("rootgen.cli.run", "run", "Run one command in a root file system."),
    "deps": Named("rootgen.cli.deps", "deps", "Show what the dynamic loader would map."),
    "why": Named("rootgen.cli.why", "why", "Tell why a file is in a root file system."),
    "check": Named("rootgen.cli.check", "check", "Tell what changed, and what does not resolve."),
    "diff": Named("rootgen.cli.diff", "diff", "Compare two root file systems."),
    "profile": Named("rootgen.cli.profile", "profile", "List and check profiles."),
}
_HELP = """Names of programs in, the smallest root file system that runs them out.

\b
  rootgen make bash ls --out ./rootfs     write it
  rootgen shell ./rootfs                  be in it
  rootgen run ./rootfs -- ls /            run one command in it
  rootgen deps git                        what a program loads, found without running it
  rootgen why ./rootfs /usr/bin/bash      the reason for a file
"""


@click.pass_context
def _without_command(context: click.Context) -> int:
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        return 2
    return 0


rootgen = click.version_option(__version__, prog_name="rootgen", message="%(prog)s %(version)s")(
    LazyGroup(
        "rootgen",
        COMMANDS,
        help=_HELP,
        callback=_without_command,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
)
