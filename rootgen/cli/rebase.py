"""``rootgen rebase``."""

from __future__ import annotations

import os
import sys

from rootgen.api.rebase import RebaseRequest
from rootgen.api.rebase import rebase as rebase_image
from rootgen.cli.command import Argument, Command, Option, OptionError, flag
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.layers import image_json, layer_line
from rootgen.cli.output import write_json, write_lines, write_notes
from rootgen.cli.store import STORE, short_digest, store_path
from rootgen.named import TYPE_CHECKING
from rootgen.report.progress import ProgressLine
from rootgen.report.words import count_words, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.rebase import RebaseResult
    from rootgen.api.rebase_proof import Remark

_TOLD = 10


def rebase(
    name: str, onto: str, base: str, tag: str, store: str,
    *, dry_run: bool, explain: bool, as_json: bool,
) -> int:  # fmt: skip
    """Move the layers that the image NAME has over its base onto another base.

    \b
      rootgen rebase tools/git:1 --onto base:2
      rootgen rebase tools/git:1 --onto base:2 -t tools/git:2
      rootgen rebase tools/git:1 --onto base:2 --dry-run --explain

    The layers stay what they are, byte for byte; the manifest and the config
    are new, and the layer in which rootgen says what the whole is. First all
    is proven: every program and script of the increments, and of the new
    base what they replace files under, must find its libraries, symbol
    versions and interpreters as before. Where one would not, nothing is
    made, the reasons are told, and rebase exits 1.
    """
    if not onto:
        raise OptionError("onto which base? --onto IMAGE")
    epoch = source_date_epoch(os.environ)
    request = RebaseRequest(name, onto, store_path(store), base, tag, dry_run, epoch)
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = rebase_image(request, progress=progress)
    if as_json:
        write_json(_json(result))
    elif not result.proof.refusals:
        if not result.base:
            what = "the base that it began as is not in the store: it is started as it was"
            write_notes([f"{result.name}: {what}"])
        write_lines(_lines(result))
    if explain and not as_json:
        write_lines(_explained(result))
    refusal = result.refusal()
    if refusal is not None:
        raise refusal
    return 0


def _lines(result: RebaseResult) -> Iterator[str]:
    """Say what was made or could be, and what of it a person may want to know."""
    way = f"from {result.base or 'its base'} onto {result.onto}"
    image, proof = result.image, result.proof
    if image is None:
        yield f"{result.name}: can be rebased {way}"
    else:
        count = count_words(image.base_layers + len(image.layers), "layer")
        yield f"{image.name}: rebased {way}, {count}, {short_digest(image.digest)}"
    for one in result.layers if image is None else image.layers:
        yield layer_line(one, "kept")
    programs = count_words(len(proof.checked), "program")
    yield f"  proven: {programs} of the increments, {proof.base_programs} of the base"
    for remark in proof.remarks[:_TOLD]:
        yield f"  {_words(remark)}"
    if len(proof.remarks) > _TOLD:
        yield f"  … and {len(proof.remarks) - _TOLD} more (--json has all)"


def _explained(result: RebaseResult) -> Iterator[str]:
    """Name each program that was resolved, and what of the new base it starts with."""
    for one in result.proof.checked:
        yield f"{printable(one.path)} ({printable(one.layer)})"
        yield from (f"  {printable(path)} ({result.onto})" for path in one.of_base)


def _words(remark: Remark) -> str:
    return printable(f"{remark.path} {remark.what} ({remark.layer})")


def _json(result: RebaseResult) -> dict[str, object]:
    proof = result.proof
    return {
        "rootgen": 1,
        "command": "rebase",
        "name": result.name,
        "base": result.base or None,
        "onto": result.onto,
        "layers": [one._asdict() for one in result.layers],
        "checked": [one._asdict() for one in proof.checked],
        "base_programs": proof.base_programs,
        "refusals": [one._asdict() for one in proof.refusals],
        "remarks": [one._asdict() for one in proof.remarks],
        "image": None if result.image is None else image_json(result.image),
    }


COMMAND = Command(
    "rebase",
    "Move an image's increments onto a newer base.",
    rebase,
    (
        Argument("name", "NAME"),
        Option(("--onto",), "onto", metavar="IMAGE", help="The image of the store to lie over."),
        Option(
            ("--base",), "base", metavar="IMAGE",
            help="The image that NAME began as, where NAME does not say so itself.",
        ),
        Option(
            ("-t", "--tag"), "tag", metavar="NAME:TAG",
            help="What the result is called.  [default: NAME, which names it from then on]",
        ),
        STORE,
        flag("--dry-run", "Prove it, and make nothing."),
        flag("--explain", "List every program that was checked, and what it has of the base."),
        flag("--json", "Print the result as JSON.", dest="as_json"),
    ),
)  # fmt: skip
