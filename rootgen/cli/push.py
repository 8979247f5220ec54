"""``rootgen push``."""

from __future__ import annotations

import os
import sys

from rootgen.api.push import PushRequest
from rootgen.api.push import push as push_image
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.registry import ACCESS_OPTIONS, access_of
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.named import TYPE_CHECKING
from rootgen.report.progress import ProgressLine
from rootgen.report.words import count_words, printable, size_words

if TYPE_CHECKING:
    from typing import Any


def push(image: str, to: str, store: str, *, as_json: bool, **access: Any) -> None:
    """Send IMAGE of the store to REGISTRY, as NAME:TAG there: what that has is not sent.

    \b
      rootgen push tools/git:1 registry.example/tools/git:1
      rootgen push tools/git:1 127.0.0.1:5000/git:1 --plain-http

    Layers go four at a time; one that is interrupted goes on where it was.
    The name leads to the new image once all of it is there; what `rootgen
    sbom --attach` made goes after it. Logins are those of `podman login`,
    `docker login` and `skopeo login`, with their helpers; private authorities
    those of /etc/containers/certs.d/HOST:PORT, SSL_CERT_FILE and --ca.
    """
    request = PushRequest(image, to, store_path(store), access_of(**access))
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = push_image(request, progress=progress)
    if as_json:
        document = result._asdict()
        document["bytes"] = document.pop("size")
        write_json({"rootgen": 1, "command": "push", **document})
        return
    parts = [f"{count_words(result.pushed, 'blob')} pushed ({size_words(result.size)})"]
    parts += [f"{result.mounted} mounted"] if result.mounted else []
    parts += [f"{result.skipped} there already"] if result.skipped else []
    parts += [f"{result.attached} attached"] if result.attached else []
    write_lines([printable(f"{result.name}: {', '.join(parts)}, {short_digest(result.digest)}")])


COMMAND = Command(
    "push",
    "Send an image to a registry.",
    push,
    (
        Argument("image", "IMAGE"),
        Argument("to", "REGISTRY/NAME:TAG"),
        *ACCESS_OPTIONS,
        STORE,
        flag("--json", "Print what was done as JSON.", dest="as_json"),
    ),
)
