"""A Launch as bytes for another process of ours, and back."""

from __future__ import annotations

import marshal

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
    """Writes launches; one that differs from the last in nothing but the command costs little."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        # Both at once: launches come from any thread.
        self._last: tuple[Launch | None, bytes] = (None, b"")

    def __call__(self, launch: Launch) -> bytes:
        """Return the bytes of a launch, which ``LaunchReader`` reads."""
        rest = launch._replace(command=())
        before, data = self._last
        if rest != before:
            data = marshal.dumps(to_json(rest))
            self._last = rest, data
        return marshal.dumps((launch.command, data))


class LaunchReader:
    """Reads launches; one that differs from the last in nothing but the command costs little."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._rest = b""
        self._last: Launch | None = None

    def __call__(self, data: bytes) -> Launch:
        """Return the launch that ``LaunchWriter`` wrote, in a process that trusts that one."""
        command, rest = marshal.loads(data)  # noqa: S302 - it is of the process that started us
        if self._last is None or rest != self._rest:
            self._last = from_json(marshal.loads(rest), LAUNCH_CLASSES)  # noqa: S302
            self._rest = rest
        return self._last._replace(command=command)
