"""``rootgen make``."""

from __future__ import annotations

import os
import sys

import click

from rootgen.api.make import MakeRequest
from rootgen.api.make import make as make_tree
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.errors import UsageError
from rootgen.report.make import Remark, make_json, plan_lines, summary_lines
from rootgen.report.progress import ProgressLine

_EPOCH_DIGITS = 11  # past the year 5000


@click.command(short_help="Write the root file system that programs need.")
@click.argument("programs", nargs=-1, metavar="[PROGRAM]...")
@click.option(
    "-f", "--profile", "profiles", multiple=True, metavar="PROFILE",
    help="A shipped profile (see `rootgen profile list`) or a YAML file; - reads standard input.",
)  # fmt: skip
@click.option("--out", default="", metavar="DIR", help="The directory to write.")
@click.option(
    "--sysroot", default="/", metavar="DIR",
    help="Read programs and libraries from this root instead of the host's.",
)  # fmt: skip
@click.option(
    "--add", "additions", multiple=True, metavar="SRC[:DEST]",
    help="Add a file or directory of the host, at DEST (default: where it is).",
)  # fmt: skip
@click.option("--bare", is_flag=True, help="Bring no shipped profile for programs known to one.")
@click.option("--dry-run", is_flag=True, help="Write nothing; list what would be, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--force", is_flag=True,
    help="Replace DIR although it changed since it was made, or was not made by rootgen.",
)  # fmt: skip
@click.option("--allow-missing", is_flag=True, help="Go on without libraries that are not found.")
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
        epoch=_epoch(os.environ.get("SOURCE_DATE_EPOCH", "")),
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
    write_lines(summary_lines(result.plan, result.out, skipped, notes, output_palette()))


def _epoch(written: str) -> int | None:
    """Return the time (seconds) that no file may be newer than; None where none is set.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    if not written:
        return None
    if not written.isascii() or not written.isdigit() or len(written) > _EPOCH_DIGITS:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is '{written[:40]}', not a number of seconds since 1970"
        )
    return int(written)


def _addition(written: str) -> tuple[str, str]:
    """Return the source and the target path of ``SRC[:DEST]``."""
    source, colon, target = written.rpartition(":")
    if colon and source and target.startswith("/"):
        return source, target
    if colon and not os.path.lexists(written):
        message = f"'{written}': DEST must be an absolute path: SRC:/DEST"
        raise click.BadParameter(message, param_hint="'--add'")
    return written, os.path.abspath(written)
