"""``rootgen rm``."""

from __future__ import annotations

from rootgen.api.images import remove_images
from rootgen.cli.command import Argument, Command
from rootgen.cli.output import write_lines
from rootgen.cli.store import STORE, store_path


def rm(names: tuple[str, ...], store: str) -> None:
    """Let the store forget the images NAME; all of them, or none.

    \b
      rootgen rm tools/git:1.0
      rootgen gc                 then frees what no other image uses

    NAME is NAME:TAG; without a tag, latest.
    """
    write_lines(f"{name}: forgotten" for name in remove_images(store_path(store), names))


COMMAND = Command(
    "rm",
    "Let the store forget images.",
    rm,
    (Argument("names", "NAME...", many=True), STORE),
)
