"""One blob into a repository: not sent where it is there, or the registry takes it from elsewhere.

What is sent goes in one request where it is small, else in parts; where a
connection ends, the registry is asked how much it has, and that is not sent
again (distribution-spec, "Pushing blobs").
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.registry.answer import parse_count
from rootgen.image.registry.documents import check_stored
from rootgen.image.registry.patience import AgainError, StoppedError
from rootgen.image.registry.transport import Body
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rootgen.image.descriptor import Descriptor
    from rootgen.image.registry.answer import Answer
    from rootgen.image.registry.client import Client
    from rootgen.image.registry.url import Url
    from rootgen.image.store import Store

PUSHED, MOUNTED = "pushed", "mounted"
_BLOCK = 256 << 10
# Up to here in one request; beyond, in parts of that size, or smaller ones where a registry or
# what stands before it says that they are too large.
_AT_ONCE = 8 << 20
_PART = 256 << 20
_LEAST_PART = 1 << 20
_OK, _CREATED, _ACCEPTED, _NO_CONTENT = 200, 201, 202, 204
_MISSING, _TOO_LARGE, _RANGE = 404, 413, 416


def is_there(client: Client, descriptor: Descriptor) -> bool:
    """Tell whether the repository has a blob; raise ImageError."""
    url = client.url(f"blobs/{descriptor.digest}")
    what = f"look for {descriptor.digest} at {client.repository}"
    with client.ask("HEAD", url, what, (_OK, _MISSING)) as answer:
        length = answer.length()
        return answer.status == _OK and (length is None or length == descriptor.size)


def upload(
    client: Client,
    store: Store,
    descriptor: Descriptor,
    sources: Sequence[str],
    count: Callable[[int], None],
) -> str:
    """Have the repository have a blob that it has not; return PUSHED or MOUNTED.

    ``sources`` are other repositories of the same registry that may have it.
    ``count`` is told how many bytes went, and may be told less again. Raises
    ImageError also where the blob is not what the store says; StoppedError.
    """
    location = None
    for source in sources:
        try:
            location = _start(client, descriptor, source)
        except ImageError:
            continue  # it would only have spared sending
        if location is None:
            count(descriptor.size)
            return MOUNTED
    _Upload(client, store, descriptor, count).perform(location)
    return PUSHED


def _start(client: Client, descriptor: Descriptor, source: str = "") -> Url | None:
    """Begin an upload, and return where to; None where the registry mounted the blob."""
    url = client.url("blobs/uploads/")
    if source:
        url = url.with_query(("mount", descriptor.digest), ("from", source))
    what = f"push to {client.repository}"
    wanted = (_CREATED, _ACCEPTED) if source else (_ACCEPTED,)
    with client.ask("POST", url, what, wanted) as answer:
        if answer.status == _CREATED:
            check_stored(answer.field("Docker-Content-Digest"), descriptor.digest, url.host_port())
            return None
        return client.location(answer)


class _Session(NamedTuple):
    """An upload that was begun: where it goes on, and how many bytes are there."""

    location: Url
    sent: int = 0


class _Upload:
    """The sending of one blob."""

    def __init__(
        self, client: Client, store: Store, descriptor: Descriptor, count: Callable[[int], None]
    ) -> None:
        self._client = client
        self._store = store
        self._blob = descriptor
        self._count = count
        self._counted = 0
        self._part = _PART
        self._what = f"push {descriptor.digest} to {client.repository}"

    def perform(self, location: Url | None) -> None:
        """Send the blob, to ``location`` where an upload was begun already."""
        attempts = self._client.attempts()
        session = None if location is None else _Session(location)
        while True:
            try:
                if session is None:
                    session = self._begin()
                while session.sent < self._blob.size and not self._fits(session):
                    session = self._send_part(session)
                self._finish(session)
            except AgainError as failure:
                attempts.again(failure, 0 if session is None else session.sent)
                if is_there(self._client, self._blob):
                    return
                session = self._resumed(session)
            else:
                return

    def _begin(self) -> _Session:
        location = _start(self._client, self._blob)
        if location is None:  # nothing was to be mounted
            raise ImageError(f"cannot {self._what}: the registry answered what was not asked for")
        self._count(-self._counted)
        self._counted = 0
        return _Session(location)

    def _fits(self, session: _Session) -> bool:
        """Tell whether the blob goes with the request that ends the upload."""
        return session.sent == 0 and self._blob.size <= min(_AT_ONCE, self._part)

    def _send_part(self, session: _Session) -> _Session:
        """Send what comes next (PATCH), and return how far the upload is."""
        size = min(self._part, self._blob.size - session.sent)
        # Without "bytes": distribution-spec, "Pushing a blob in chunks".
        headers = {"Content-Range": f"{session.sent}-{session.sent + size - 1}"}
        wanted = (_ACCEPTED, _TOO_LARGE, _RANGE)
        with self._client.once(
            "PATCH",
            session.location,
            self._what,
            wanted,
            headers=headers,
            body=Body(size, lambda: self._blocks(session.sent, size)),
        ) as answer:
            if answer.status == _TOO_LARGE and self._part > _LEAST_PART:
                self._part = max(min(self._part, self._blob.size) // 4, _LEAST_PART)
                return self._asked(session.location) or self._begin()
            if answer.status == _TOO_LARGE:
                raise ImageError(f"cannot {self._what}: it is too large for the registry (413)")
            if answer.status == _RANGE:
                raise AgainError(ImageError(f"cannot {self._what}: it has another part already"))
            sent = _sent(answer, session.sent + size) - session.sent
            if sent != size:
                # No more at once than it takes: else each byte it keeps may cost a whole part.
                self._part = max(min(sent, self._part), _LEAST_PART)
                raise AgainError(ImageError(f"cannot {self._what}: it took {sent} of {size} bytes"))
            return _Session(self._further(answer, session.location), session.sent + size)

    def _finish(self, session: _Session) -> None:
        """Send what is left, and have the registry keep the whole under its digest (PUT)."""
        left = self._blob.size - session.sent
        url = session.location.with_query(("digest", self._blob.digest))
        body = Body(left, lambda: self._blocks(session.sent, left)) if left else None
        wanted = (_CREATED, _NO_CONTENT, _TOO_LARGE)
        with self._client.once("PUT", url, self._what, wanted, body=body) as answer:
            if answer.status == _TOO_LARGE:
                if self._part <= _LEAST_PART or not left:
                    raise ImageError(f"cannot {self._what}: it is too large for the registry (413)")
                self._part = _LEAST_PART
                raise AgainError(ImageError(f"cannot {self._what}: too large at once (413)"))
            answered = answer.field("Docker-Content-Digest")
            check_stored(answered, self._blob.digest, answer.url.host_port())

    def _resumed(self, session: _Session | None) -> _Session | None:
        """Return how far an upload is that was interrupted; None where it must begin again."""
        if session is None or self._blob.size <= _AT_ONCE:
            return None
        try:
            return self._asked(session.location)
        except (AgainError, ImageError):
            return None  # it may be one that cannot be asked; what fails for good fails again

    def _asked(self, location: Url) -> _Session | None:
        """Ask how far an upload is; None where the registry knows nothing of it."""
        with self._client.once(
            "GET", location, self._what, (_NO_CONTENT, _ACCEPTED, _OK, _MISSING)
        ) as answer:
            if answer.status == _MISSING:
                return None
            sent = _sent(answer, 0)
            # Registries say "0-0" of nothing as well as of one byte.
            if sent <= 1 or sent > self._blob.size:
                return None
            further = self._further(answer, location)
        self._count(sent - self._counted)
        self._counted = sent
        return _Session(further, sent)

    def _further(self, answer: Answer, before: Url) -> Url:
        """Return where an upload goes on: where it was, if the registry says nothing else."""
        return self._client.location(answer) if answer.field("Location") else before

    def _blocks(self, start: int, size: int) -> Iterator[bytes]:
        """Return ``size`` bytes of the blob from ``start``; verified where they are its end."""
        self._count(start - self._counted)
        self._counted = start
        with self._store.open_blob(self._blob) as blob:
            skip = start
            while skip and (data := blob.read(min(_BLOCK, skip))):
                skip -= len(data)
            left = size
            while left and (data := blob.read(min(_BLOCK, left))):
                left -= len(data)
                if not left and start + size == self._blob.size:
                    # Before the last bytes go: what is damaged does not arrive whole.
                    blob.verify()
                if self._client.transport.stop.is_set():
                    raise StoppedError
                yield data
                self._count(len(data))
                self._counted += len(data)
            if left:
                blob.verify()  # which says what lacks


def _sent(answer: Answer, otherwise: int) -> int:
    """Return how many bytes a registry has: Range is ``0-LAST``."""
    last = parse_count(answer.field("Range").removeprefix("bytes=").partition("-")[2])
    return otherwise if last is None else last + 1
