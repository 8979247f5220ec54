"""``rootgen deps``."""

from __future__ import annotations

from rootgen.api.deps import CPUS, PRIORITIES, Asked, Refused, Resolver
from rootgen.cli.command import Argument, Command, Option, OptionError, flag
from rootgen.cli.output import (
    output_palette,
    write_errors,
    write_json,
    write_lines,
    write_notes,
)
from rootgen.errors import ElfError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.deps import deps_json, list_lines, missing_lines, tree_lines
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from rootgen.api.deps import DepsResult

_FORMATS = ("tree", "list", "ldd", "json", "dot", "mermaid")


class _Given(NamedTuple):
    """The options as given."""

    sysroot: str
    form: str
    library_path: str
    cpu: str | None
    why: str | None
    dominators: bool
    reverse: str | None
    directories: tuple[str, ...]
    versions: bool
    dlopen: str | None
    symbols: bool
    kernel: str


def deps(files: tuple[str, ...], **given: Any) -> int:
    """Show what the dynamic loader would map for each FILE, without running it.

    \b
      rootgen deps bash
      rootgen deps --format list /usr/bin/git
      rootgen deps --sysroot ./rootfs bash
      rootgen deps --why libcrypto.so.3 git curl
      rootgen deps --reverse libz.so.1

    A FILE is a path, or a name on the root's PATH; for a script, its
    interpreter's libraries are shown. Exits 1 if anything is missing, but
    with ldd's own status where its format is asked for.
    """
    options = _Given(**given)
    _check(files, options)
    directories = tuple(options.library_path.split(":")) if options.library_path else ()
    as_ldd = options.form == "ldd"
    resolver = Resolver(
        Asked(
            options.sysroot,
            directories,
            options.cpu or "",
            by_name=as_ldd,
            versions=options.versions or as_ldd,
            dlopen=options.dlopen or "",
            symbols=options.symbols,
            kernel=options.kernel,
        )
    )
    if options.reverse is not None:
        from rootgen.cli.deps_graph import reverse

        return reverse(resolver, files, options.reverse, options.directories, options.form)
    if options.form == "ldd":
        return _ldd(resolver, files)
    results = [resolver.resolve(one) for one in files]
    if options.why is not None or options.dominators or options.form in {"dot", "mermaid"}:
        from rootgen.cli.deps_graph import show

        show(resolver, results, options.form, options.why)
    else:
        _show(results, options)
    return _tell_lacking(results)


def _tell_lacking(results: Sequence[DepsResult]) -> int:
    """Say on standard error what lacks; return the exit status."""
    status = 0
    for one in results:
        lines = list(missing_lines(one.path, one.load))
        status = 1 if lines else status
        if one.versions or one.undefined or one.beyond:
            from rootgen.report.deps_lacks import lack_lines

            said, fails = lack_lines(one.path, one.versions, one.undefined, one.beyond)
            lines += said
            status = 1 if fails else status
        write_notes(lines)
    return status


def _check(files: Sequence[str], options: _Given) -> None:
    """Raise UsageError for options that do not go together."""
    analyses = {
        "--why": options.why is not None,
        "--dominators": options.dominators,
        "--reverse": options.reverse is not None,
    }
    wanted = [name for name, given in analyses.items() if given]
    if len(wanted) > 1:
        raise OptionError(f"{' and '.join(wanted)} are different questions: ask one")
    forms = ("tree", "list", "json") if wanted == ["--reverse"] else ("tree", "json")
    if wanted and options.form not in forms:
        raise OptionError(f"{wanted[0]} has the formats {', '.join(forms)}")
    if options.directories and (files or wanted != ["--reverse"]):
        raise OptionError("--in says where --reverse looks, in place of FILEs")
    if options.dlopen and options.form == "ldd":
        raise OptionError("ldd knows nothing of --dlopen: ask for another --format")
    if not files and wanted != ["--reverse"]:
        raise OptionError("Missing argument 'FILE...'.")


def _show(results: Sequence[DepsResult], options: _Given) -> None:
    if options.form == "json":
        write_json({"rootgen": 1, "command": "deps", "targets": list(map(_json, results))})
    elif options.form == "list":
        for one in results:
            write_lines(_list(one, headed=len(results) > 1))
    else:
        colours = output_palette()
        for one in results:
            write_lines(tree_lines(one.path, one.load, one.script, colours))


def _json(result: DepsResult) -> dict[str, object]:
    target = dict(deps_json(result.target, result.path, result.load, result.script))
    checks = (result.versions, result.undefined, result.beyond)
    if any(one is not None for one in checks):
        from rootgen.report.deps_lacks import lacks_json

        target.update(lacks_json(*checks))
    return target


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
            lacks = (result.versions or (), result.undefined or ())
            answer = ldd_answer(name, result.load, loader, *lacks)
            write_lines(answer.lines)
            write_errors(answer.errors)
            status = status or answer.status
    return status


COMMAND = Command(
    "deps",
    "Show what the dynamic loader would map.",
    deps,
    (
        Argument("files", "FILE...", many=True, required=False),
        Option(
            ("--sysroot",), "sysroot", metavar="DIR", default="/",
            help="Resolve within this root.",
        ),
        Option(
            ("--format",), "form", kind="choice", choices=_FORMATS, default="tree", shown=True,
            help="tree: who needs what, and how it was found. list: one path a line, in load "
            "order. ldd: what ldd prints but for addresses, with its exit status. "
            "dot, mermaid: one graph of all FILEs.",
        ),
        Option(
            ("--why",), "why", metavar="NAME", default=None,
            help="Show every shortest chain from each FILE to NAME, a soname or a path.",
        ),
        flag("--dominators", "Show what would go with each object, in bytes, the most first."),
        Option(
            ("--reverse",), "reverse", metavar="LIB", default=None,
            help="Show which programs need LIB, a soname or a path: of FILEs, or of a directory.",
        ),
        Option(
            ("--in",), "directories", metavar="DIR", multiple=True,
            help="Where --reverse looks for programs.  [default: the root's PATH]",
        ),
        Option(
            ("--library-path",), "library_path", metavar="DIR:DIR",
            help="Search as if LD_LIBRARY_PATH were this; the caller's own is not looked at.",
        ),
        Option(
            ("--cpu",), "cpu", kind="choice", choices=CPUS, default=None,
            help="Take the glibc-hwcaps variants of this processor, and tell what it could not "
            "run. Without it: native for the host's own root, x86-64-v1 elsewhere.",
        ),
        Option(
            ("--kernel",), "kernel", metavar="RELEASE",
            help="Tell what wants a newer kernel, by its ABI note: 5.10, or what uname -r prints.",
        ),
        flag(
            "--versions",
            "Check symbol versions as well: those that an object wants and its library lacks.",
        ),
        flag("--symbols", "Tell the undefined symbols that no object defines, as ldd -r."),
        Option(
            ("--dlopen",), "dlopen", kind="choice", choices=PRIORITIES, default=None,
            help="Follow what objects say that they dlopen (.note.dlopen), of this priority and "
            "above. A required library that is not there is missing.",
        ),
    ),
)  # fmt: skip
