"""``rootgen pull``."""

from __future__ import annotations

import os
import sys

from rootgen.api.pull import PullRequest
from rootgen.api.pull import pull as pull_image
from rootgen.cli.command import Argument, Command, Option, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.registry import ACCESS_OPTIONS, access_of
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.named import TYPE_CHECKING
from rootgen.report.progress import ProgressLine
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from typing import Any


def pull(
    image: str,
    tag: str,
    platform: str,
    store: str,
    *,
    every: bool,
    attached: bool,
    as_json: bool,
    **access: Any,
) -> None:
    """Bring the image NAME:TAG of REGISTRY into the store.

    \b
      rootgen pull registry.example/tools/git:1
      rootgen pull docker.io/library/debian:12 -t debian:12
      rootgen pull docker.io/library/debian@sha256:0123... --platform linux/arm64

    Of an image for several machines the one for this machine comes. Each
    digest and size is verified on the way; the name is given when all of it
    is here. What came whole before a pull failed is not brought again.
    Logins and authorities are those that `rootgen push` knows.
    """
    request = PullRequest(
        image, store_path(store), tag, platform, every, access_of(**access), attached
    )
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = pull_image(request, progress=progress)
    if as_json:
        document = result._asdict()
        document["bytes"] = document.pop("size")
        write_json({"rootgen": 1, "command": "pull", **document})
        return
    parts = [f"{count_words(result.pulled, 'blob')} pulled ({size_words(result.size)})"]
    parts += [f"{result.skipped} here already"] if result.skipped else []
    parts += [f"{result.attached} attached"] if attached else []
    write_lines([printable(f"{result.name}: {', '.join(parts)}, {short_digest(result.digest)}")])


COMMAND = Command(
    "pull",
    "Bring an image of a registry into the store.",
    pull,
    (
        Argument("image", "REGISTRY/NAME:TAG"),
        Option(
            ("-t", "--tag"), "tag", metavar="NAME:TAG",
            help="What the image is called here.  [default: as there]",
        ),
        Option(
            ("--platform",), "platform", metavar="OS/ARCH[/VARIANT]",
            help="Of an image for several machines the one for this.  [default: this machine's]",
        ),
        flag("--all", "Of an image for several machines all of them.", dest="every"),
        flag("--attached", "Bring what is about the image as well: bills of materials."),
        *ACCESS_OPTIONS,
        STORE,
        flag("--json", "Print what was done as JSON.", dest="as_json"),
    ),
)  # fmt: skip
