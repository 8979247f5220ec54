"""``rootgen make``."""

from __future__ import annotations

import os
import sys

from rootgen.api.make import MakeRequest, MakeResult, foreign_machine
from rootgen.api.make import make as make_tree
from rootgen.cli.command import Argument, Command, Option, flag, invalid_value
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.layers import LAYERS, RECORDS, image_json
from rootgen.cli.output import output_palette, write_json, write_lines
from rootgen.cli.store import STORE, store_path
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
    records: bool,
    dry_run: bool,
    as_json: bool,
    force: bool,
    allow_missing: bool,
    base: str,
    tag: str,
    store: str,
    layers: int | None,
) -> None:
    """Write the smallest root file system that runs each PROGRAM.

    \b
      rootgen make bash ls --out ./rootfs
      rootgen make git --out ./rootfs            with what profile git knows of it
      rootgen make -f rescue --out ./rescue
      rootgen make ./server --add ./conf:/etc/server --out ./rootfs
      rootgen make git --base base:1 -t git:1    an increment over an image, as an image

    A PROGRAM is a name on the root's PATH, or a path. DIR is written beside
    its place and renamed into it: all or nothing. With SOURCE_DATE_EPOCH set,
    no file in it is newer than that.

    With --base, only what the base lacks is brought: what PROGRAMs need is
    the base's, where that satisfies them, symbol versions included. With -t,
    the result is an image in the store; --out writes the increment alone, to
    be committed over its base.
    """
    request = MakeRequest(
        programs=programs,
        profiles=profiles,
        out=out,
        sysroot=sysroot,
        add=tuple(_addition(written) for written in additions),
        bare=bare,
        records=records,
        dry_run=dry_run,
        force=force,
        allow_missing=allow_missing,
        epoch=source_date_epoch(os.environ),
        base=base,
        tag=tag,
        store=store_path(store) if base or tag else "",
        layers=layers or 0,
    )
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = make_tree(request, progress=progress)
    skipped = tuple(Remark(one.path, one.why) for one in result.skipped)
    notes = tuple(Remark(one.path, one.what) for one in result.notes)
    exchanged = tuple(Remark(one.path, one.why) for one in result.exchanged)
    if as_json:
        document = make_json(result.plan, result.digest, result.out, skipped, notes)
        if base or tag:
            document = {**document, **_over_json(result, exchanged)}
        write_json(document)
        return
    if dry_run:
        write_lines(plan_lines(result.plan))
    palette, foreign = output_palette(), foreign_machine(result.closure)
    where = result.out or ("" if result.image is None else result.image.name)
    lines = summary_lines(
        result.plan, where, skipped, notes, palette, foreign=foreign,
        replaced=exchanged, image=result.image is not None, base=bool(base),
    )  # fmt: skip
    write_lines(lines)


def _over_json(result: MakeResult, exchanged: tuple[Remark, ...]) -> dict[str, object]:
    document: dict[str, object] = {
        "base_digest": result.manifest.base or None,
        "replaced": [{"path": one.path, "why": one.what} for one in exchanged],
        "image": None,
    }
    if result.image is not None:
        document["image"] = image_json(result.image)
    return document


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
        Option(
            ("--base",), "base", metavar="BASE",
            help="Bring only what BASE lacks: a directory, tarball, squashfs or an image.",
        ),
        Option(
            ("-t", "--tag"), "tag", metavar="NAME:TAG",
            help="Make an image of it in the store: the base's layers, and one more.",
        ),
        LAYERS,
        STORE,
        flag("--bare", "Bring no shipped profile for programs known to one."),
        RECORDS,
        flag("--dry-run", "Write nothing; list what would be, and why."),
        flag("--json", "Print the result as JSON.", dest="as_json"),
        flag(
            "--force",
            "Replace DIR although it changed since it was made, or was not made by rootgen.",
        ),
        flag("--allow-missing", "Go on without libraries that are not found."),
    ),
)  # fmt: skip
