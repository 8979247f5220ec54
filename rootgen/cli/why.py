"""``rootgen why``."""

from __future__ import annotations

from rootgen.api.why import why as find_why
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.report.chain import why_json, why_lines


def why(rootfs: str, path: str, *, as_json: bool) -> None:
    """Tell the chain from a program to PATH, and what would go with it.

    \b
      rootgen why ./rootfs /usr/lib/x86_64-linux-gnu/libtinfo.so.6
      rootgen why ./rootfs /bin/bash
      rootgen why ./rootfs libc.so.6

    PATH is a path inside ROOTFS, whose links are followed there, or a name
    that only one path of it has. The answer is read from the manifest that
    rootgen wrote into ROOTFS.
    """
    found = find_why(rootfs, path)
    if as_json:
        write_json(why_json(found))
    else:
        write_lines(why_lines(found, output_palette()))


COMMAND = Command(
    "why",
    "Tell why a file is in a root file system.",
    why,
    (
        Argument("rootfs", "ROOTFS"),
        Argument("path", "PATH"),
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)
