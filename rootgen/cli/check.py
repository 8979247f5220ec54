"""``rootgen check``."""

from __future__ import annotations

import os
import sys

from rootgen.api.check import check as check_tree
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.report.changes import check_json, check_lines
from rootgen.report.progress import ProgressLine


def check(rootfs: str, *, as_json: bool) -> int:
    """Tell what changed in ROOTFS since it was made, and what its programs do not find.

    \b
      rootgen check ./rootfs
      rootgen check ./rootfs --json

    Every file is hashed and compared with the manifest that rootgen wrote
    into ROOTFS: - is gone, + was added, ~ differs. Then each program is
    resolved inside ROOTFS by its loader's rules: ! is not found. Exits 1 if
    there is anything to tell.
    """
    with ProgressLine(sys.stderr, os.environ) as progress:
        report = check_tree(rootfs, progress=progress)
    if as_json:
        write_json(check_json(report))
    else:
        write_lines(check_lines(report, output_palette()))
    return 0 if report.is_clean() else 1


COMMAND = Command(
    "check",
    "Tell what changed, and what does not resolve.",
    check,
    (
        Argument("rootfs", "ROOTFS"),
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)
