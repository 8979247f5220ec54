"""``rootgen deps``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rootgen.api.deps import CPUS, Asked, Refused, Resolver
from rootgen.cli.output import output_palette, write_errors, write_json, write_lines, write_notes
from rootgen.errors import ElfError
from rootgen.report.deps import deps_json, list_lines, missing_lines, tree_lines
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.api.deps import DepsResult


@click.command(short_help="Show what the dynamic loader would map.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--sysroot", default="/", metavar="DIR", help="Resolve within this root.")
@click.option(
    "--format", "form", type=click.Choice(["tree", "list", "ldd", "json"]), default="tree",
    show_default=True,
    help="tree: who needs what, and how it was found. list: one path a line, in load order. "
    "ldd: what ldd prints but for addresses, with its exit status.",
)  # fmt: skip
@click.option(
    "--library-path", default="", metavar="DIR:DIR",
    help="Search as if LD_LIBRARY_PATH were this; the caller's own is not looked at.",
)  # fmt: skip
@click.option(
    "--cpu", type=click.Choice(CPUS),
    help="Take the glibc-hwcaps variants of this processor. Without it: native for the host's "
    "own root, x86-64-v1 elsewhere.",
)  # fmt: skip
def deps(
    files: tuple[str, ...], sysroot: str, form: str, library_path: str, cpu: str | None
) -> int:
    """Show what the dynamic loader would map for each FILE, without running it.

    \b
      rootgen deps bash
      rootgen deps --format list /usr/bin/git
      rootgen deps --sysroot ./rootfs bash

    A FILE is a path, or a name on the root's PATH; for a script, its
    interpreter's libraries are shown. Exits 1 if anything is missing.
    """
    directories = tuple(library_path.split(":")) if library_path else ()
    resolver = Resolver(Asked(sysroot, directories, cpu or "", by_name=form == "ldd"))
    if form == "ldd":
        return _ldd(resolver, files)
    results = [resolver.resolve(one) for one in files]
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


def _ldd(resolver: Resolver, files: Sequence[str]) -> int:
    """Write what ldd prints for each of ``files``; return its exit status."""
    from rootgen.report.deps_ldd import NOT_DYNAMIC, ldd_answer

    status = 0
    for result in resolver.each(files):
        if len(files) > 1:
            write_lines([f"{result.target}:"])
        if isinstance(result, Refused) and not isinstance(result.error, ElfError):
            write_notes([printable(result.error.what)])
            status = 1
        elif isinstance(result, Refused) or result.script:
            # To ldd a script is no program of its own.
            write_errors([NOT_DYNAMIC])
            status = 1
        else:
            name = result.target if "/" in result.target else result.path
            loader = resolver.usual_loader(result.load.objects[0].facts)
            answer = ldd_answer(name, result.load, loader)
            write_lines(answer.lines)
            write_errors(answer.errors)
            status = status or answer.status
    return status
