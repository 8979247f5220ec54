"""A Launch as bytes for another process of ours, and back."""

from __future__ import annotations

import marshal

from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import launch as launch_values
from rootgen.sandbox import limits as limit_values
from rootgen.sandbox import options as option_values
from rootgen.sandbox import uplink
from rootgen.sandbox.seccomp import filter as filter_values
from rootgen.sandbox.seccomp import machine as machine_values
from rootgen.sandbox.seccomp import profile as profile_values
from rootgen.sandbox.stored import classes_of, from_json, to_json

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch

# The named tuples that may stand in one.
LAUNCH_CLASSES = classes_of(
    launch_values,
    limit_values,
    option_values,
    uplink,
    filter_values,
    machine_values,
    profile_values,
)


class LaunchWriter:
    """Writes launches but for their commands; one like the last costs little."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        # Both at once: launches come from any thread.
        self._last: tuple[Launch | None, bytes] = (None, b"")

    def __call__(self, launch: Launch) -> bytes:
        """Return the bytes of a launch without its command, which ``LaunchReader`` reads."""
        bare = launch._replace(command=())
        before, data = self._last
        if bare != before:
            data = marshal.dumps(to_json(bare))
            self._last = bare, data
        return data


def write_command(command: tuple[str, ...]) -> bytes:
    """Return the bytes of a launch's command, which ``LaunchReader`` reads."""
    return marshal.dumps([str.__str__(word) for word in command])


def command_first(command: bytes, bare: bytes) -> bytes:
    """Return a command and what it is for, which ``LaunchReader`` reads."""
    return marshal.dumps((command, bare))


class LaunchReader:
    """Reads launches, in a process that trusts the one that wrote them."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._held: tuple[bytes, Launch] | None = None

    def forget(self) -> None:
        """Hold nothing: no command is for what was read before."""
        self._held = None

    def whole(self, number: bytes, data: bytes) -> Launch:
        """Return the launch of what ``command_first`` made, held from now on by ``number``."""
        command, bare = marshal.loads(data)  # noqa: S302 - of the process that started us
        self._held = number, from_json(marshal.loads(bare), LAUNCH_CLASSES)  # noqa: S302
        return self.with_command(number, command)

    def with_command(self, number: bytes, data: bytes) -> Launch:
        """Return the launch that is held, with a command; raise LaunchError where it is another."""
        if self._held is None or self._held[0] != number:
            raise LaunchError("the launch that this command is for is not held")
        return self._held[1]._replace(command=tuple(marshal.loads(data)))  # noqa: S302
