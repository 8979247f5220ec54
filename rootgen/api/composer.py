"""The process of a launch server that reads requests: it makes a Launch of each, and hands it on.

What performs it is another process, which this one started (``sandbox.serve``).
"""

from __future__ import annotations

import json
import os
import select

from rootgen.api.run import ImageName, RunRequest, compose_run, on_root
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox import options as option_values
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.facts import read_process
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.root_use import RootUse
from rootgen.sandbox.serve import CONTROL, PARTS, read_all, refuse, start_launcher
from rootgen.sandbox.stored import classes_of, from_json
from rootgen.sandbox.stored_launch import LaunchWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from rootgen.sandbox.facts import Facts, Process
    from rootgen.sandbox.launch import Launch
    from rootgen.sandbox.options import Options
    from rootgen.sandbox.serve import Launcher

_OPTION_CLASSES = classes_of(option_values)
_ROOT_CLASSES = {one.__name__: one for one in (Root, Upper, ImageName)}


def main(launcher: Launcher) -> NoReturn:
    """Take requests from ``CONTROL`` and hand launches to the launcher until nobody asks."""
    composer = Composer(launcher)
    inbox = message.Inbox()
    while True:
        composer.wait()
        kind, parts = inbox.receive(CONTROL)
        if len(parts) != PARTS:
            os._exit(0)
        reply, request, *streams = parts
        try:
            composer.take(kind, reply, read_all(request), streams)
        except Exception as error:  # noqa: BLE001 - one request's trouble is not the others'
            refuse(reply, error)
        finally:
            for descriptor in parts:
                os.close(descriptor)


class Composer:
    """Makes the Launch of each request; who asks for the like again needs but the command changed.

    A test suite launches hundreds of times with the same options, and
    composing takes as long as reading the facts, which is done each time.
    """

    def __init__(self, launcher: Launcher) -> None:
        """Begin with nothing composed."""
        self._launcher = launcher
        self._poll = select.poll()
        for descriptor in (CONTROL, launcher.socket):
            self._poll.register(descriptor, select.POLLIN)
        # Read with the first request, whose answer says what went wrong.
        self._own: Process | None = None
        self._known: tuple[Options, Facts, Launch] | None = None
        self._write = LaunchWriter()
        self._rest = b""
        self._asked: tuple[RunRequest, dict[str, str]] = (RunRequest(""), {})

    def wait(self) -> None:
        """Wait for the next request; a launcher that somebody kills meanwhile is replaced."""
        while CONTROL not in dict(self._poll.poll()):
            # The launcher never writes: this is its end, and that of its launches.
            self._poll.unregister(self._launcher.socket)
            os.close(self._launcher.socket)
            os.waitpid(self._launcher.process, 0)
            self._launcher = start_launcher()
            self._poll.register(self._launcher.socket, select.POLLIN)

    def take(self, kind: bytes, reply: int, data: bytes, streams: Sequence[int]) -> None:
        """Hand on what a request asks for, as ``server.ask`` wrote it.

        Raises LaunchError, UsageError and whatever else a request's image may lack.
        """
        command, _, rest = data.partition(b"\n")
        if rest != self._rest:
            asked = json.loads(rest)
            root = from_json(asked["root"], _ROOT_CLASSES)
            options = from_json(asked["options"], _OPTION_CLASSES)
            self._asked = RunRequest(root, (), options), asked["environ"]
            self._rest = rest
        request, environ = self._asked
        self._own = self._own or read_process()

        def do(ready: RunRequest) -> None:
            launch = compose_run(
                ready,
                environ=environ,
                terminal=False,
                compose=self._compose,
                process=self._own,
            )
            use = RootUse(launch.root.use)
            with use:
                self._hand_on(kind, launch, (reply, streams, use.locks))
                use.hand_over()

        on_root(request._replace(command=tuple(json.loads(command))), do)

    def _compose(self, command: Sequence[str], options: Options, facts: Facts) -> Launch:
        if self._known is None or self._known[:2] != (options, facts):
            self._known = options, facts, compose_launch(command, options, facts)
        return self._known[2]._replace(command=tuple(command))

    def _hand_on(
        self, kind: bytes, launch: Launch, parts: tuple[int, Sequence[int], tuple[int, ...]]
    ) -> None:
        reply, streams, locks = parts
        written = os.memfd_create("rootgen-launch")
        try:
            os.write(written, self._write(launch))
            message.send(self._launcher.socket, kind, reply, written, *streams, *locks)
        finally:
            os.close(written)
