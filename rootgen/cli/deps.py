"""``rootgen deps``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rootgen.api.deps import deps as resolve
from rootgen.cli.output import output_palette, write_json, write_lines, write_notes
from rootgen.report.deps import deps_json, list_lines, missing_lines, tree_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.api.deps import DepsResult


@click.command(short_help="Show what the dynamic loader would map.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--sysroot", default="/", metavar="DIR", help="Resolve within this root.")
@click.option(
    "--format", "form", type=click.Choice(["tree", "list", "json"]), default="tree",
    show_default=True,
    help="tree: who needs what, and how it was found. list: one path a line, in load order.",
)  # fmt: skip
@click.option(
    "--library-path", default="", metavar="DIR:DIR",
    help="Search as if LD_LIBRARY_PATH were this; the caller's own is not looked at.",
)  # fmt: skip
def deps(files: tuple[str, ...], sysroot: str, form: str, library_path: str) -> int:
    """Show what the dynamic loader would map for each FILE, without running it.

    \b
      rootgen deps bash
      rootgen deps --format list /usr/bin/git
      rootgen deps --sysroot ./rootfs bash

    A FILE is a path, or a name on the root's PATH; for a script, its
    interpreter's libraries are shown. Exits 1 if anything is missing.
    """
    directories = tuple(library_path.split(":")) if library_path else ()
    results = resolve(files, sysroot=sysroot, library_path=directories)
    if form == "json":
        targets = [deps_json(one.target, one.path, one.load, one.script) for one in results]
        write_json({"rootgen": 1, "command": "deps", "targets": targets})
    elif form == "list":
        for one in results:
            write_lines(_list(one, headed=len(results) > 1))
    else:
        colours = output_palette()
        for one in results:
            write_lines(tree_lines(one.path, one.load, one.script, colours))
    lacking = [line for one in results for line in missing_lines(one.path, one.load)]
    write_notes(lacking)
    return 1 if lacking else 0


def _list(result: DepsResult, *, headed: bool) -> Iterator[str]:
    if headed:
        yield f"{result.target}:"
    yield from list_lines(result.load, result.script)
