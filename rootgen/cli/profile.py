"""``rootgen profile``."""

from __future__ import annotations

import click

from rootgen.api.profile import lint_profiles, list_profiles
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.report.words import printable


@click.group(short_help="List and check profiles.")
def profile() -> None:
    """List the profiles that come with rootgen; check your own.

    \b
      rootgen profile list
      rootgen profile lint ./server.yaml
    """


@profile.command("list", short_help="List the shipped profiles.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def list_(*, as_json: bool) -> None:
    """List the profiles that come with rootgen, and what each is for.

    \b
      rootgen profile list
      rootgen make -f rescue --out ./rescue
    """
    listed = list_profiles()
    if as_json:
        profiles = [{"name": one.name, "description": one.description} for one in listed]
        write_json({"rootgen": 1, "command": "profile list", "profiles": profiles})
        return
    width = max((len(one.name) for one in listed), default=0)
    write_lines(f"{one.name:<{width}}  {one.description}".rstrip() for one in listed)


@profile.command("lint", short_help="Check profiles for mistakes.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
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
