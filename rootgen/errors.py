"""What can go wrong, as one hierarchy.

::

    RootgenError                 exit 1: what failed, where, why, what to do next
    ├── ElfError                 a file that is not ELF, or is malformed
    ├── SysrootError             a name that the root being read does not have
    ├── LoaderError              a loader's own file (cache, configuration) is malformed
    ├── MissingError             programs or libraries that could not be found
    ├── ProfileError             every mistake of a profile, each with its place
    ├── PlanError                entries that contradict each other, a malformed manifest
    ├── LayerError               an archive that is malformed, leads out, or is past its limits
    ├── TreeError                a tree that could not be written, read or removed
    ├── ImageError               a blob, document or archive of an image that is malformed or lies
    ├── LaunchError              the launcher's own failure (exit 125)
    │   ├── NotExecutableError   the command is there and cannot be executed (exit 126)
    │   └── NotFoundError        the command is not there (exit 127)
    └── UsageError               options that contradict each other (exit 2)

Errors are raised where the fact is known and caught once, in ``rootgen.cli``.
"""

from __future__ import annotations


def raise_foreign(error: OSError) -> None:
    """Raise an OSError that no system call gave: one that a signal handler raised meanwhile.

    TimeoutError is one, as handlers of alarms raise it. It has no number, and is no answer to what
    was asked of the kernel.
    """
    if error.errno is None:
        raise error


class RootgenError(Exception):
    """A failure that a person can act on.

    ``what`` says what failed, on which file; ``why`` is the chain that led
    there, outermost first; ``hint`` is the next thing to do.
    """

    exit_status = 1

    def __init__(self, what: str, *, why: tuple[str, ...] = (), hint: str = "") -> None:
        """Keep the three parts; ``str()`` of the error is the whole message."""
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        """Render the message as it is printed after ``rootgen:``."""
        lines = [self.what, *(f"  {line}" for line in self.why)]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ElfError(RootgenError):
    """A file that is not ELF, or whose headers contradict each other."""


class SysrootError(RootgenError):
    """A name that the root being read does not have, or that may not be read."""


class LoaderError(RootgenError):
    """A dynamic loader's own file (cache, configuration) is malformed."""


class MissingError(RootgenError):
    """Programs or libraries that could not be found."""


class ProfileError(RootgenError):
    """Every mistake found in a profile, one line each: ``FILE:LINE:COLUMN: …``."""


class PlanError(RootgenError):
    """Entries that contradict each other, or a manifest that is malformed."""


class LayerError(RootgenError):
    """A layer or archive that is malformed, leads out of its root, or is past its limits."""


class TreeError(RootgenError):
    """A tree that could not be written, read, replaced or removed."""


class ImageError(RootgenError):
    """A blob, document or archive of an image that is malformed, or is not what it says."""


class LaunchError(RootgenError):
    """The launcher itself failed; the program was not started."""

    exit_status = 125


class NotExecutableError(LaunchError):
    """The command is there, and cannot be executed."""

    exit_status = 126


class NotFoundError(LaunchError):
    """The command is not there."""

    exit_status = 127


class UsageError(RootgenError):
    """Options that contradict each other."""

    exit_status = 2
