"""Where the process starts, and the only place where it exits (DESIGN, section 3)."""

from __future__ import annotations

import errno
import os
import sys

from rootgen.cli.command import OptionError
from rootgen.cli.commands import COMMANDS
from rootgen.cli.parse import find_command, parse
from rootgen.cli.streams import prepare_streams
from rootgen.errors import RootgenError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

# What a shell reports of a program that SIGINT or SIGPIPE ended: 128 + n.
_INTERRUPTED = 130
_FAILED = 1
_BROKEN_PIPE = 141


def main() -> NoReturn:
    """Run the command line of this process and exit with its status."""
    prepare_streams()
    if "_ROOTGEN_COMPLETE" in os.environ:
        from rootgen.cli.with_click import root

        root().main(prog_name="rootgen")
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        # The reader went away after the last line was written.
        status = status or _status_of(error, sys.argv[1:])
    if "coverage" in sys.modules:
        sys.exit(status)
    # Taking the interpreter apart would cost as much as many a command; all is flushed and closed.
    os._exit(status)


def run(arguments: Sequence[str]) -> int:
    """Perform one command line and return its exit status; nothing is raised."""
    try:
        return _perform(arguments)
    except OptionError as error:
        from rootgen.cli.with_click import show_error

        return show_error(arguments, error)
    except RootgenError as error:
        _complain(_shown(error))
        return error.exit_status
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            _complain(_told(error))
        return _status_of(error, arguments)


def _complain(message: str) -> None:
    from rootgen.cli.output import complain  # only on the way to an error

    complain(f"rootgen: {message}\n")


def _status_of(error: OSError, arguments: Sequence[str]) -> int:
    """Return the exit status where standard output or a file could not be written or read.

    Messages are not concerned: they change no status (``output.complain``).
    """
    from rootgen.cli.output import forget

    forget(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return _BROKEN_PIPE
    found = find_command(COMMANDS, arguments)
    return _FAILED if found is None else found[0].load().failure


def _perform(arguments: Sequence[str]) -> int:
    found = find_command(COMMANDS, arguments)
    if found is not None:
        named, words = found
        command = named.load()
        values = parse(command, words)
        if values is not None:
            status = command.run(**values)
            sys.stdout.flush()
            return status or 0
    from rootgen.cli.with_click import run as run_with_click

    return run_with_click(arguments)


def _told(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{error.filename}: {reason}"
    if error.errno in (errno.ENOSPC, errno.EBADF):
        # A write to a descriptor names no file; in a tree it would be a TreeError.
        return f"standard output: {reason}"
    if error.errno == errno.ENOENT:
        # getcwd(2): nothing else that finds nothing lacks a name.
        return "the current directory is gone\n  hint: cd to one that is there"
    return reason


def _shown(error: RootgenError) -> str:
    from rootgen.report.words import printable  # only on the way to an error

    # Each part by itself: a line break within a name of a hostile root starts no line of ours.
    safe = RootgenError(
        printable(error.what), why=tuple(map(printable, error.why)), hint=printable(error.hint)
    )
    return str(safe)
