"""One blob out of a repository: bounded, verified, gone on with where a connection ended."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.registry.answer import parse_count
from rootgen.image.registry.patience import AgainError, StoppedError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.image.descriptor import Descriptor
    from rootgen.image.registry.answer import Answer
    from rootgen.image.registry.client import Client
    from rootgen.image.store import Store

_OK, _PARTIAL = 200, 206


def download(
    client: Client, store: Store, descriptor: Descriptor, count: Callable[[int], None]
) -> None:
    """Bring a blob into ``store``, within ``store.adding``; ``count`` is told what came, in bytes.

    It is kept under its name only when its size and digest are those that
    were promised. Raises ImageError, StoppedError.
    """
    attempts = client.attempts()
    with store.write_blob() as blob:
        done = 0

        def keep(data: bytes) -> None:
            nonlocal done
            blob.write(data)
            done += len(data)
            count(len(data))

        while done < descriptor.size:
            try:
                _some(client, descriptor, done, keep)
            except AgainError as failure:
                attempts.again(failure, done)
        blob.commit(descriptor.media_type, descriptor)


def _some(client: Client, descriptor: Descriptor, done: int, keep: Callable[[bytes], None]) -> None:
    """Read what lacks after ``done`` bytes, to its end; raise AgainError where it ends before."""
    headers = {"Range": f"bytes={done}-{descriptor.size - 1}"} if done else {}
    what = f"pull {descriptor.digest} of {client.repository}"
    url = client.url(f"blobs/{descriptor.digest}")
    wanted = (_OK, _PARTIAL) if done else (_OK,)
    with client.once("GET", url, what, wanted, headers=headers) as answer:
        skip = _before(answer, descriptor, done)
        left = descriptor.size - done + skip
        while left:
            if client.transport.stop.is_set():
                raise StoppedError
            data = answer.read(left)
            if not data:
                raise AgainError(ImageError(f"cannot {what}: {left} bytes did not come"))
            left -= len(data)
            if skip:
                skip, data = max(skip - len(data), 0), data[skip:]
            if data:
                keep(data)
        if answer.length() is None:
            # What follows is not waited for: who promised so much has given it.
            answer.drop()


def _before(answer: Answer, descriptor: Descriptor, done: int) -> int:
    """Return how many bytes of an answer came before already; raise ImageError for a wrong size."""
    start = 0
    if answer.status == _PARTIAL:
        start = _start_of(answer.field("Content-Range"))
        if start < 0 or start > done:
            # What was not asked for is of no use, and no reason to begin again without end.
            raise AgainError(
                ImageError(f"{answer.url.host_port()} answers with another part of the blob")
            )
    length = answer.length()
    if length is not None and length != descriptor.size - start:
        raise ImageError(
            f"{answer.url.host_port()} has {length + start} bytes of {descriptor.digest}, "
            f"and the image says {descriptor.size}"
        )
    return done - start


def _start_of(written: str) -> int:
    """Return where a Content-Range begins (RFC 9110, 14.4), -1 where it does not say."""
    unit, _, rest = written.partition(" ")
    first = rest.partition("-")[0]
    count = parse_count(first) if unit == "bytes" else None
    return -1 if count is None else count
