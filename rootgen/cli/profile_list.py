"""``rootgen profile list``."""

from __future__ import annotations

from rootgen.api.profile import list_profiles
from rootgen.cli.command import Command, flag
from rootgen.cli.output import write_json, write_lines


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


COMMAND = Command(
    "list",
    "List the shipped profiles.",
    list_,
    (flag("--json", "Print the result as JSON.", dest="as_json"),),
)
