"""``rootgen commit``."""

from __future__ import annotations

import os
import sys

from rootgen.api.commit import CommitRequest
from rootgen.api.commit import commit as commit_tree
from rootgen.cli.command import Argument, Command, Option, OptionError, flag
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.image.compress import COMPRESSIONS
from rootgen.report.progress import ProgressLine
from rootgen.report.words import count_words, printable, size_words


def commit(rootfs: str, tag: str, base: str, compress: str, store: str, *, as_json: bool) -> None:
    """Make an image of the tree ROOTFS, or a layer of what it has over the image it began as.

    \b
      rootgen commit ./rootfs -t base:1
      rootgen commit ./rootfs -t tools/git:1 --base base:1

    Owners and devices are those of the manifest, also where an ordinary
    user's tree cannot have them. The image is in the store, where every OCI
    tool finds it; its time is SOURCE_DATE_EPOCH, or 1970. The same tree
    gives the same image, whoever commits it.
    """
    if not tag:
        raise OptionError("what is the image called? -t NAME:TAG")
    epoch = source_date_epoch(os.environ) or 0
    request = CommitRequest(rootfs, tag, store_path(store), base, compress, epoch)
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = commit_tree(request, progress=progress)
    write_notes(printable(f"{one.path}: {one.what}") for one in result.notes)
    if as_json:
        document = result._replace(notes=())._asdict()
        notes = [{"path": one.path, "what": one.what} for one in result.notes]
        write_json({"rootgen": 1, "command": "commit", **document, "notes": notes})
        return
    removed = f", {result.removed} removed" if result.removed else ""
    parts = (
        f"{count_words(result.added, 'entry', 'entries')}{removed}",
        f"a layer of {size_words(result.size)}",
        f"{count_words(result.layers, 'layer')} in all",
        short_digest(result.digest),
    )
    write_lines([f"{result.name}: {', '.join(parts)}"])


COMMAND = Command(
    "commit",
    "Make an image of a root file system.",
    commit,
    (
        Argument("rootfs", "ROOTFS"),
        Option(("-t", "--tag"), "tag", metavar="NAME:TAG", help="What the image is called."),
        Option(
            ("--base",), "base", metavar="IMAGE",
            help="The image of the store that ROOTFS began as: only what differs is in the layer.",
        ),
        Option(
            ("--compress",), "compress", metavar="HOW", kind="choice", choices=COMPRESSIONS,
            default="gzip", shown=True,
            help="Compress with every core; the bytes are the same on any number.",
        ),
        STORE,
        flag("--json", "Print what was made as JSON.", dest="as_json"),
    ),
)  # fmt: skip
