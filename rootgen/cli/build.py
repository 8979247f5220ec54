"""``rootgen build``."""

from __future__ import annotations

import os
import sys

from rootgen.api.build import BuildRequest, BuildResult, build_together
from rootgen.cli.command import Command, Option, OptionError, flag
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.layers import LAYERS, RECORDS, image_json, image_lines
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.image.compress import COMPRESSIONS
from rootgen.named import TYPE_CHECKING
from rootgen.report.progress import ProgressLine
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


def build(  # noqa: PLR0913 - one parameter for each option
    profiles: tuple[str, ...],
    tags: tuple[str, ...],
    base: str,
    sysroots: tuple[str, ...],
    compress: str,
    store: str,
    layers: int | None,
    *,
    bare: bool,
    records: bool,
    allow_missing: bool,
    as_json: bool,
) -> None:
    """Make an image of a profile, each of its layers one layer.

    \b
      rootgen build -f server.yaml -t server:1
      rootgen build -f tools.yaml --base base:1 -t tools:1
      rootgen build -f server.yaml --layers 10 -t server:1
      rootgen build -f a.yaml -t a:1 -f b.yaml -t b:1 --layers 10
      rootgen build -f server.yaml --sysroot / --sysroot ./arm64 -t server:1

    What the profile brings outside of its layers is the first; each brings
    what those beneath it lack. One that is the same as before is not packed
    again. The same inputs give the same image, whoever builds it; its time
    is SOURCE_DATE_EPOCH, or 1970.

    With --layers the image is divided anew: what changes together is in one
    layer, the largest by itself. With -t given again, the profiles are as
    many, and an image each: they are divided into layers that they share.

    With several roots an image is for as many platforms: an index, of which
    a machine takes its own. What each is for is seen from its programs.
    """
    requests = [
        BuildRequest(
            profiles=own,
            tag=tag,
            store=store_path(store),
            base=base,
            sysroot=sysroot,
            bare=bare,
            allow_missing=allow_missing,
            compress=compress,
            epoch=source_date_epoch(os.environ),
            records=records,
            layers=layers or 0,
        )
        for own, tag in _images(profiles, tags)
        for sysroot in sysroots or ("/",)
    ]
    with ProgressLine(sys.stderr, os.environ) as progress:
        results = build_together(requests, progress=progress)
    if as_json:
        images = [_image_json(one) for one in results]
        document = images[0] if len(images) == 1 else {"images": images}
        write_json({"rootgen": 1, "command": "build", **document})
        return
    for result in results:
        write_notes(printable(f"{one.path}: {one.why}") for one in result.skipped)
        write_notes(printable(f"replaces {one.path}: {one.why}") for one in result.exchanged)
        write_lines(image_lines(result.image))
        if result.index_digest:
            write_lines(
                [f"  for {result.platform}, of the index {short_digest(result.index_digest)}"]
            )


def _images(
    profiles: tuple[str, ...], tags: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Give each image: all profiles as one, or one for each."""
    if not tags:
        raise OptionError("what is the image called? -t NAME:TAG")
    if len(tags) == 1:
        yield profiles, tags[0]
    elif len(tags) != len(profiles):
        raise OptionError(f"{len(tags)} images of {len(profiles)} profiles: -f and -t for each")
    elif len(set(tags)) < len(tags):
        raise OptionError("two images of one name: -t and another for each")
    else:
        yield from (((profile,), tag) for profile, tag in zip(profiles, tags, strict=True))


def _image_json(result: BuildResult) -> dict[str, object]:
    return {
        **image_json(result.image),
        "platform": result.platform,
        "index": result.index_digest or None,
        "replaced": [{"path": one.path, "why": one.why} for one in result.exchanged],
        "skipped": [{"path": one.path, "what": one.why} for one in result.skipped],
    }


COMMAND = Command(
    "build",
    "Make an image of a profile, layer by layer.",
    build,
    (
        Option(
            ("-f", "--profile"), "profiles", metavar="PROFILE", multiple=True,
            help="A shipped profile or a YAML file; - reads standard input.",
        ),
        Option(
            ("-t", "--tag"), "tags", metavar="NAME:TAG", multiple=True,
            help="What the image is called.",
        ),
        Option(
            ("--base",), "base", metavar="BASE",
            help="Begin with BASE: an image of the store, a directory, a tarball or a squashfs.",
        ),
        Option(
            ("--sysroot",), "sysroots", metavar="DIR", multiple=True,
            help="Read programs and libraries from this root instead of the host's; for "
            "several platforms, from several.",
        ),
        Option(
            ("--compress",), "compress", metavar="HOW", kind="choice", choices=COMPRESSIONS,
            default="gzip", shown=True,
            help="Compress with every core; the bytes are the same on any number.",
        ),
        LAYERS,
        STORE,
        flag("--bare", "Bring no shipped profile for programs known to one."),
        RECORDS,
        flag("--allow-missing", "Go on without libraries that are not found."),
        flag("--json", "Print what was made as JSON.", dest="as_json"),
    ),
)  # fmt: skip
