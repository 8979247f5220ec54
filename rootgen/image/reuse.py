"""Which layers a store has of what: what did not change is not packed again.

::

    packed/KEY    a layer that was packed here: its descriptor and its diff ID, as JSON

KEY is a digest of all that the bytes of the layer are made of. Only who packed
a layer from its files writes such a note. What an image says of itself proves
nothing: one that was pulled could call its own layer the one that is to be
built next.
"""

from __future__ import annotations

import os
from contextlib import suppress

from rootgen.errors import ImageError
from rootgen.image.addition import Stored
from rootgen.image.descriptor import check_digest, descriptor_json, parse_descriptor
from rootgen.image.document import LIMIT, parse_document, render
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.store import Store

_PACKED = "packed"
_NEW = ".new-"


def recall(store: Store, key: str) -> Stored | None:
    """Return the layer that was packed of ``key``; None where none was, or it is gone."""
    note = _read(f"{store.path}/{_PACKED}/{_name(key)}")
    return note if note is not None and store.has(note.descriptor) else None


def remember(store: Store, key: str, stored: Stored) -> None:
    """Note what was packed of ``key``. Within ``store.adding``. Raise ImageError."""
    data = render({"layer": descriptor_json(stored.descriptor), "diffId": stored.diff_id})
    new = f"{store.path}/{_PACKED}/{_NEW}{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with suppress(FileExistsError):
            os.mkdir(f"{store.path}/{_PACKED}", 0o755)
        with open(os.open(new, flags, 0o644), "wb") as file:
            file.write(data)
        os.rename(new, f"{store.path}/{_PACKED}/{_name(key)}")
    except OSError as error:
        raise ImageError(f"cannot write to the store: {error.strerror or error}") from error


def forget_removed(store: Store) -> None:
    """Remove the notes of layers that are gone, and unfinished ones. Within ``collecting``."""
    for path in list(_notes(store)):
        note = _read(path)
        if note is None or not store.has(note.descriptor):
            os.unlink(path)


def _notes(store: Store) -> Iterator[str]:
    with suppress(FileNotFoundError):
        for name in os.listdir(f"{store.path}/{_PACKED}"):
            yield f"{store.path}/{_PACKED}/{name}"


def _name(key: str) -> str:
    return key.removeprefix("sha256:")


def _read(path: str) -> Stored | None:
    """Return what a note says; None where there is none, or a power cut left no whole one."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            document = parse_document(file.read(LIMIT + 1), path)
        layer = parse_descriptor(document.inner("layer"))
        return Stored(layer, check_digest(document.text("diffId"), path))
    except (OSError, ImageError):
        return None
