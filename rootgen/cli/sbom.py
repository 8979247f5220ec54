"""``rootgen sbom``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from rootgen.api.sbom import FORMATS, SbomRequest
from rootgen.api.sbom import sbom as sbom_of
from rootgen.cli.command import Argument, Command, Option, OptionError, flag
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.image.output import STDOUT, OutputFile
from rootgen.report.progress import ProgressLine
from rootgen.report.words import count_words, printable


def sbom(
    root: str,
    form: str,
    out: str,
    sysroot: str,
    store: str,
    *,
    attach: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Tell what ROOTFS, a tree, or an IMAGE of the store consists of.

    \b
      rootgen sbom ./rootfs > rootfs.spdx.json
      rootgen sbom ./rootfs --format cyclonedx --out bom.json
      rootgen sbom tools/git:1 --attach
      rootgen sbom tools/git:1 --format slsa --attach

    Every file with its digests, its package and its reason; every package
    with its version, package URL, licence files, and the others it depends
    on. Packages are those that the tree itself records (`make --records`);
    without a record, those of --sysroot whose files are the same. The time in
    it is SOURCE_DATE_EPOCH, or 1970: the same tree gives the same document.

    With --attach it becomes an artifact about the image, in the store.
    """
    if not attach and not out:
        out = STDOUT
    if as_json and out == STDOUT:
        raise OptionError("--json and the document cannot both go to standard output: see --out")
    epoch = source_date_epoch(os.environ) or 0
    request = SbomRequest(root, form, store_path(store), sysroot, epoch, attach)
    with ExitStack() as stack:
        # Whether it can be written there is seen before anything is read.
        output = stack.enter_context(OutputFile(out, force=force)) if _is_file(out) else None
        with ProgressLine(sys.stderr, os.environ) as progress:
            result = sbom_of(request, progress=progress)
        if output is not None:
            output.write(result.data)
            output.commit()
    write_notes(printable(note) for note in result.notes)
    if out == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(result.data)
        return
    if as_json:
        counts = result._asdict()
        del counts["data"]
        write_json({"rootgen": 1, "command": "sbom", "format": form, "out": out or None, **counts})
        return
    parts = [count_words(result.packages, "package"), count_words(result.files, "file")]
    where = [printable(out)] if out else []
    where += [f"attached as {short_digest(result.artifact)}"] if result.artifact else []
    write_lines([f"{printable(root)}: {', '.join(parts)}; {', '.join(where)}"])


def _is_file(out: str) -> bool:
    return out not in {"", STDOUT}


COMMAND = Command(
    "sbom",
    "Tell what a root file system consists of.",
    sbom,
    (
        Argument("root", "ROOTFS|IMAGE"),
        Option(
            ("--format",), "form", kind="choice", choices=FORMATS, default="spdx", shown=True,
            help="SPDX 2.3, CycloneDX 1.6, or SLSA provenance as an in-toto statement.",
        ),
        Option(("--out",), "out", metavar="FILE", help="Write it there, not to standard output."),
        Option(
            ("--sysroot",), "sysroot", metavar="DIR", default="/", shown=True,
            help="Whose packages are asked where there is no record of them; nobody's if empty.",
        ),
        STORE,
        flag("--attach", "Attach it to the image, in the store."),
        flag("--force", "Replace FILE if it is there."),
        flag("--json", "Print how much was found as JSON.", dest="as_json"),
    ),
)  # fmt: skip
