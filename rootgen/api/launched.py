"""Launches from Python: ``run`` for a command's output, ``launch`` for one that goes on.

For programs that have threads, much memory, or hundreds of launches to make:
the work is done by a small process of its own (``api.server``).
"""

from __future__ import annotations

import os
import select
import signal
import time

from rootgen.api.collect import OUTPUT_LIMIT, Exchange
from rootgen.api.run import ImageName, RunRequest, root_or_image
from rootgen.api.server import ask
from rootgen.errors import LaunchError, RootgenError, UsageError, raise_foreign
from rootgen.linux import message
from rootgen.named import TYPE_CHECKING, NamedTuple, Protocol
from rootgen.sandbox.deadline import LONGEST_WAIT
from rootgen.sandbox.launch import Root
from rootgen.sandbox.options import Bind, Options
from rootgen.sandbox.report import STARTED, unpack_error
from rootgen.sandbox.serve import ENDED, SIGNAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from rootgen.api.connection import Answers

    Word = str | bytes | os.PathLike[str]

    class HasDescriptor(Protocol):
        """An open file."""

        def fileno(self) -> int:
            """Return its descriptor."""
            ...

    Stream = int | HasDescriptor

_SHOWN = 2000  # bytes of a failed program's standard error that stand in a message


class Ended(NamedTuple):
    """How a launch ended.

    ``status`` is the exit status, 128 + n where signal n killed the program,
    124 (or 137) where its time was over, which ``timed_out`` says; ``notes``
    are what a person should know besides.
    """

    status: int
    timed_out: bool
    notes: tuple[str, ...]


class Completed(NamedTuple):
    """What came of a ``run``: how it ended, and what it printed.

    ``truncated`` says that more was printed than ``limit`` bytes on one of
    the streams; what was more is not there.
    """

    command: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    truncated: bool
    notes: tuple[str, ...]

    def check(self) -> Completed:
        """Return this where the status is 0; raise RootgenError, with standard error, where not."""
        if self.status == 0:
            return self
        said = self.stderr[-_SHOWN:].decode(errors="replace").splitlines()
        raise RootgenError(
            f"{' '.join(self.command)}: exit status {self.status}", why=(*self.notes, *said)
        )


class Launched:
    """A launch that goes on until its program ends, or until this is closed or held no longer.

    A context manager: at its end what still runs is killed. Usable from any
    thread, but from one at a time. ``process`` is process 1's id out here.
    """

    def __init__(self, command: tuple[str, ...], answers: Answers) -> None:
        """Take what the launch goes on as long as it is held."""
        self.command = command
        self.process = -1
        self._answers = answers
        self._ended: Ended | None = None
        self._lost: RootgenError | None = None

    def wait_for_start(self) -> None:
        """Wait until the program has started, as the answers tell first; raise LaunchError."""
        told = self._receive()
        if told.startswith(ENDED):  # its start was not to be told
            self._has_ended(told)
        else:
            self.process = int(told.partition(b" ")[2])

    def __enter__(self) -> Launched:
        """Return the launch itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what still runs, and wait for its end."""
        if self._ended is None and self.fileno() >= 0:
            self.kill()
            self.wait()
        self.close()

    def fileno(self) -> int:
        """Return a descriptor that is readable once the launch has ended, for poll(2); else -1."""
        return self._answers.descriptor

    def wait(self, timeout: float | None = None) -> Ended:
        """Wait for the end, and return it; TimeoutError where it takes over ``timeout`` seconds.

        Raises LaunchError where it is not known: the launch was let go of, or its server killed.
        """
        if timeout is not None and not self._is_told(timeout):
            raise TimeoutError(f"{' '.join(self.command)} still runs")
        return self._ended or self._has_ended(self._receive())

    def _is_told(self, timeout: float) -> bool:
        """Say whether there is something to be received within so many seconds, or never will."""
        if self.fileno() < 0:
            return True
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        end = time.monotonic() + timeout
        while not poll.poll(max(0.0, min(left := end - time.monotonic(), LONGEST_WAIT)) * 1000):
            if left <= LONGEST_WAIT:
                return False
        return True

    def _has_ended(self, told: bytes) -> Ended:
        _, status, timed_out, *notes = told.decode().split("\0")
        self._ended = Ended(int(status), timed_out == "1", tuple(notes))
        self.close()
        return self._ended

    def poll(self) -> Ended | None:
        """Return how it ended, or None while it runs. Raises as ``wait``."""
        return self.wait() if self._is_told(0) else None

    def send_signal(self, number: int) -> None:
        """Send a signal to the program, as one sent to ``rootgen run`` would reach it.

        Raises UsageError for what is no signal's number.
        """
        if not 0 < number < signal.NSIG:
            raise UsageError(f"there is no signal {number}", hint="see signal(7)")
        if self._ended is None and self.fileno() >= 0:
            try:
                message.send(self.fileno(), b"%b %d" % (SIGNAL, number))
            except (BrokenPipeError, ConnectionResetError):
                return  # it has ended, and the answer is on its way

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program and all that it started."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go of the launch; the server kills what still runs."""
        self._answers.close()

    def _receive(self) -> bytes:
        if self.fileno() < 0:
            raise self._lost or LaunchError(f"{' '.join(self.command)} was let go of")
        told = message.read(self.fileno())
        if told.startswith((STARTED, ENDED)):
            return told
        self.close()
        error = unpack_error(told)
        self._lost = error or LaunchError("the launch server ended before the launch did")
        raise self._lost


def launch(
    tree: str | os.PathLike[str] | Root | ImageName,
    command: Sequence[Word] = (),
    *,
    stdin: Stream | None = None,
    stdout: Stream | None = None,
    stderr: Stream | None = None,
    options: Options = Options(),  # noqa: B008 - an immutable value
    environ: Mapping[str, str] = os.environ,
) -> Launched:
    """Start a command in a tree, and return once it has started.

    ``tree`` is a directory, or else the name of an image of the user's store
    (``ImageName`` for one of another store). An empty command is the best
    shell that it has. ``stdin``,
    ``stdout`` and ``stderr`` are descriptors of the caller's, or files that have one; None is
    /dev/null. ``environ`` is where TERM, LANG and the like come from. Raises
    LaunchError (NotFoundError, NotExecutableError) where it does not start,
    UsageError for options that contradict each other.
    """
    launched = _start(tree, command, (stdin, stdout, stderr), options, environ, announced=True)
    try:
        launched.wait_for_start()
    except BaseException:
        launched.close()
        raise
    return launched


def _start(
    tree: str | os.PathLike[str] | Root | ImageName,
    command: Sequence[Word],
    streams: tuple[Stream | None, Stream | None, Stream | None],
    options: Options,
    environ: Mapping[str, str],
    *,
    announced: bool,
) -> Launched:
    root = tree if isinstance(tree, (Root, ImageName)) else root_or_image(os.fspath(tree))
    try:
        words = tuple(os.fsdecode(word) for word in command)
    except TypeError as error:
        raise UsageError(f"a command consists of words: {error}") from error
    request = RunRequest(root, words, options)
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        stdin, stdout, stderr = (null if one is None else _descriptor(one) for one in streams)
        answers = ask(request, (stdin, stdout, stderr), environ, announced=announced)
    finally:
        os.close(null)
    return Launched(request.command, answers)


def _descriptor(stream: Stream) -> int:
    """Return the open descriptor that a stream is, or has; raise UsageError where there is none."""
    try:
        descriptor = stream if isinstance(stream, int) else stream.fileno()
        os.fstat(descriptor)
    except (AttributeError, ValueError, OverflowError, OSError) as error:
        if isinstance(error, OSError):
            raise_foreign(error)
        raise UsageError(f"{stream!r} is no open file: {error}") from error
    return descriptor


def _seconds(timeout: float) -> float:
    try:
        possible = timeout >= 0
    except TypeError:
        possible = False
    if not possible:
        raise UsageError(f"{timeout!r} is no time in seconds")
    return timeout


def run(
    tree: str | os.PathLike[str] | Root | ImageName,
    command: Sequence[Word] = (),
    *,
    input: bytes = b"",  # noqa: A002 - as subprocess.run has it
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    binds: Iterable[Bind] = (),
    limit: int = OUTPUT_LIMIT,
    options: Options = Options(),  # noqa: B008 - an immutable value
) -> Completed:
    """Run a command in a tree to its end; return its status and its output.

    ``input`` is its standard input. ``timeout`` (seconds), ``env`` and
    ``binds`` add to ``options``. Of each output stream the first ``limit``
    bytes are kept, and the rest is read and forgotten. Raises as ``launch``.
    """
    options = options._replace(
        timeout=options.timeout if timeout is None else _seconds(timeout),
        env=(*options.env, *(env or {}).items()),
        binds=(*options.binds, *binds),
    )
    exchange = Exchange(input, limit)
    try:
        try:
            streams = (exchange.stdin, exchange.stdout, exchange.stderr)
            started = _start(tree, command, streams, options, os.environ, announced=False)
        finally:
            exchange.started()
        with started:
            exchange.run(started.fileno())
            ended = started.wait()
    finally:
        exchange.close()
    out, error = exchange.outputs()
    return Completed(
        started.command,
        ended.status,
        out,
        error,
        timed_out=ended.timed_out,
        truncated=exchange.truncated,
        notes=ended.notes,
    )
