"""``rootgen make``."""

from __future__ import annotations

import os
import sys

from rootgen.api.make import MakeRequest, foreign_machine
from rootgen.api.make import make as make_tree
from rootgen.cli.command import Argument, Command, Option, flag, invalid_value
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.report.make import Remark, make_json, plan_lines, summary_lines
from rootgen.report.progress import ProgressLine


def make(  # noqa: PLR0913 - one parameter for each option
    programs: tuple[str, ...],
    profiles: tuple[str, ...],
    out: str,
    sysroot: str,
    additions: tuple[str, ...],
    *,
    bare: bool,
    dry_run: bool,
    as_json: bool,
    force: bool,
    allow_missing: bool,
) -> None:
    """Write the smallest root file system that runs each PROGRAM.

    \b
      rootgen make bash ls --out ./rootfs
      rootgen make git --out ./rootfs            with what profile git knows of it
      rootgen make -f rescue --out ./rescue
      rootgen make ./server --add ./conf:/etc/server --out ./rootfs

    A PROGRAM is a name on the root's PATH, or a path. DIR is written beside
    its place and renamed into it: all or nothing. With SOURCE_DATE_EPOCH set,
    no file in it is newer than that.
    """
    request = MakeRequest(
        programs=programs,
        profiles=profiles,
        out=out,
        sysroot=sysroot,
        add=tuple(_addition(written) for written in additions),
        bare=bare,
        dry_run=dry_run,
        force=force,
        allow_missing=allow_missing,
        epoch=source_date_epoch(os.environ),
    )
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = make_tree(request, progress=progress)
    skipped = tuple(Remark(one.path, one.why) for one in result.skipped)
    notes = tuple(Remark(one.path, one.what) for one in result.notes)
    if as_json:
        write_json(make_json(result.plan, result.digest, result.out, skipped, notes))
        return
    if dry_run:
        write_lines(plan_lines(result.plan))
    palette, foreign = output_palette(), foreign_machine(result.closure)
    write_lines(summary_lines(result.plan, result.out, skipped, notes, palette, foreign=foreign))


def _addition(written: str) -> tuple[str, str]:
    """Return the source and the target path of ``SRC[:DEST]``."""
    source, colon, target = written.rpartition(":")
    if colon and source and target.startswith("/"):
        return source, target
    if colon and not os.path.lexists(written):
        message = f"'{written}': DEST must be an absolute path: SRC:/DEST"
        raise invalid_value("--add", message)
    return written, os.path.abspath(written)


COMMAND = Command(
    "make",
    "Write the root file system that programs need.",
    make,
    (
        Argument("programs", "[PROGRAM]...", many=True, required=False),
        Option(
            ("-f", "--profile"), "profiles", metavar="PROFILE", multiple=True,
            help="A shipped profile (see `rootgen profile list`) or a YAML file; - reads "
            "standard input.",
        ),
        Option(("--out",), "out", metavar="DIR", help="The directory to write."),
        Option(
            ("--sysroot",), "sysroot", metavar="DIR", default="/",
            help="Read programs and libraries from this root instead of the host's.",
        ),
        Option(
            ("--add",), "additions", metavar="SRC[:DEST]", multiple=True,
            help="Add a file or directory of the host, at DEST (default: where it is).",
        ),
        flag("--bare", "Bring no shipped profile for programs known to one."),
        flag("--dry-run", "Write nothing; list what would be, and why."),
        flag("--json", "Print the result as JSON.", dest="as_json"),
        flag(
            "--force",
            "Replace DIR although it changed since it was made, or was not made by rootgen.",
        ),
        flag("--allow-missing", "Go on without libraries that are not found."),
    ),
)  # fmt: skip
