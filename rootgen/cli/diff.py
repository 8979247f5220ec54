"""``rootgen diff``."""

from __future__ import annotations

import os
import sys

from rootgen.api.diff import diff as compare
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.report.changes import difference_json, difference_lines
from rootgen.report.progress import ProgressLine


def diff(before: str, after: str, *, times: bool, as_json: bool) -> int:
    """Tell what B has that A has not (+), what it lacks (-), and what differs (~).

    \b
      rootgen diff ./old ./new
      rootgen diff ./rootfs/var/lib/rootgen/manifest.json ./rootfs

    A and B are directories, or the files of manifests. Contents are
    compared, and modes, owners, links, devices and attributes. Exits 0 if
    the two are the same and 1 if they differ, as diff(1) does.
    """
    with ProgressLine(sys.stderr, os.environ) as progress:
        change = compare(before, after, times=times, progress=progress)
    if as_json:
        head = {"rootgen": 1, "command": "diff", "same": change.is_empty()}
        write_json({**head, **difference_json(change)})
    else:
        write_lines(difference_lines(change, output_palette()))
    return 0 if change.is_empty() else 1


COMMAND = Command(
    "diff",
    "Compare two root file systems.",
    diff,
    (
        Argument("before", "A"),
        Argument("after", "B"),
        flag("--times", "Compare modification times as well."),
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)
