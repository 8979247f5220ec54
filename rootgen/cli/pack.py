"""``rootgen pack``."""

from __future__ import annotations

import os
import sys

from rootgen.api.pack import PackRequest
from rootgen.api.pack import pack as pack_tree
from rootgen.cli.command import Argument, Command, Option, flag
from rootgen.cli.output import write_errors, write_json, write_lines
from rootgen.errors import UsageError
from rootgen.report.make import Remark
from rootgen.report.pack import PackedFile, pack_json, pack_lines
from rootgen.report.progress import ProgressLine

# Those of api.pack.FORMATS and image.compress.COMPRESSIONS, whose imports a command line need not
# wait for.
_FORMATS = ("tar",)
_COMPRESSIONS = ("none", "gzip", "zstd")


def pack(
    rootfs: str, out: str, to: str | None, compress: str, *, force: bool, as_json: bool
) -> None:
    """Pack ROOTFS into the file OUT, the same bytes from every machine and user.

    \b
      rootgen pack ./rootfs --to tar rootfs.tar
      rootgen pack ./rootfs --to tar --compress zstd rootfs.tar.zst
      rootgen pack ./rootfs --to tar - | ssh host tar -x -C /srv/rootfs

    Owners and devices are those of the manifest, also where an ordinary
    user's tree cannot have them. OUT is written whole or not at all; - is
    standard output, and what was done is then told on standard error.
    """
    if to is None:
        raise UsageError(f"pack as what? --to {', '.join(_FORMATS)}")
    if as_json and out == "-":
        raise UsageError("--json and what is packed cannot both go to standard output")
    request = PackRequest(rootfs, to, out, compress, force)
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = pack_tree(request, progress=progress)
    packed = PackedFile(out, to, compress, *result[:4])
    notes = tuple(Remark(one.path, one.what) for one in result.notes)
    if as_json:
        write_json(pack_json(packed, notes))
    else:
        (write_errors if out == "-" else write_lines)(pack_lines(packed, notes))


COMMAND = Command(
    "pack",
    "Pack a root file system into one file.",
    pack,
    (
        Argument("rootfs", "ROOTFS"),
        Argument("out", "OUT"),
        Option(
            ("--to",), "to", kind="choice", choices=_FORMATS, default=None,
            help="What OUT is to be.",
        ),
        Option(
            ("--compress",), "compress", kind="choice", choices=_COMPRESSIONS, default="none",
            shown=True, help="Compress with every core; the bytes are the same on any number.",
        ),
        flag("--force", "Replace OUT if it is there."),
        flag("--json", "Print what was packed as JSON.", dest="as_json"),
    ),
)  # fmt: skip
