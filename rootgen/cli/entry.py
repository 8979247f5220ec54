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
        sys.stderr.flush()
    except OSError:
        # The reader went away after the last line was written.
        _forget_output()
        status = status or _BROKEN_PIPE
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
        sys.stderr.write(f"rootgen: {_shown(error)}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("rootgen: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return _BROKEN_PIPE
    except OSError as error:
        sys.stderr.write(f"rootgen: {_told(error)}\n")
        return 1


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
    if error.errno == errno.ENOSPC:
        # A write to a descriptor names no file; in a tree it would be a TreeError.
        return f"standard output: {reason}"
    if error.errno == errno.ENOENT:
        # getcwd(2): nothing else that finds nothing lacks a name.
        return "the current directory is gone"
    return reason


def _shown(error: RootgenError) -> str:
    from rootgen.report.words import printable  # only on the way to an error

    # Each part by itself: a line break within a name of a hostile root starts no line of ours.
    safe = RootgenError(
        printable(error.what), why=tuple(map(printable, error.why)), hint=printable(error.hint)
    )
    return str(safe)


def _forget_output() -> None:
    # What is still buffered would raise again when the interpreter closes the stream.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
