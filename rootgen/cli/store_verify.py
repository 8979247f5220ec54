"""``rootgen store verify``."""

from __future__ import annotations

from rootgen.api.images import verify_store
from rootgen.cli.command import Command, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.store import STORE, store_path
from rootgen.report.words import printable


def verify(store: str, *, as_json: bool) -> int:
    """Read every blob that an image of the store uses, and tell what is not as it should be.

    \b
      rootgen store verify
      rootgen store verify --store ./layout

    Sizes and digests are compared, and what each layer is when it is
    unpacked with the diff ID that the config says. Exits 1 if there is anything to tell.
    """
    path = store_path(store)
    found = verify_store(path)
    if as_json:
        damages = [one._asdict() for one in found]
        write_json({"rootgen": 1, "command": "store verify", "damages": damages})
    elif found:
        write_lines(printable(f"{one.image}: {one.why}") for one in found)
    else:
        write_lines([printable(f"{path}: nothing is damaged")])
    return int(bool(found))


COMMAND = Command(
    "verify",
    "Tell what is damaged.",
    verify,
    (STORE, flag("--json", "Print the result as JSON.", dest="as_json")),
)
