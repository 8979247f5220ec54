"""``rootgen index``."""

from __future__ import annotations

from rootgen.api.index import IndexRequest
from rootgen.api.index import index as make_index
from rootgen.cli.command import Argument, Command, flag
from rootgen.cli.output import write_json, write_lines
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.report.words import printable


def index(name: str, images: tuple[str, ...], store: str, *, as_json: bool) -> None:
    """Make NAME of several, of which each machine takes its own IMAGE.

    \b
      rootgen index tools/git:1 tools/git:1-amd64 tools/git:1-arm64
      rootgen push tools/git:1 registry.example/tools/git:1

    What an image is for is what its programs are for: those of another
    architecture are made with --sysroot. The images stay what they are.
    """
    result = make_index(IndexRequest(name, images, store_path(store)))
    if as_json:
        listed = [{"platform": platform, "digest": digest} for platform, digest in result.images]
        document = {"name": result.name, "digest": result.digest, "images": listed}
        write_json({"rootgen": 1, "command": "index", **document})
        return
    platforms = ", ".join(platform for platform, _ in result.images)
    write_lines([printable(f"{result.name}: {platforms}, {short_digest(result.digest)}")])


COMMAND = Command(
    "index",
    "Make one image of several, for several machines.",
    index,
    (
        Argument("name", "NAME"),
        Argument("images", "IMAGE...", many=True),
        STORE,
        flag("--json", "Print what was made as JSON.", dest="as_json"),
    ),
)
