"""The unpacked layers of a store: a cache of directories, and who uses which.

::

    unpacked/IDS/               0700, for who has the same ids: owners and attributes depend on them
        DIGEST/fs               a layer, whole: renamed here once it is on the disk
        DIGEST/top              is there where the layer itself says what the top of a root is like
        .new-*                  being unpacked
        .gone-*                 being removed
        upper-*                 what a launch writes that is going to be committed
        uses/*                  one for each launch: what it uses; locked as long as it goes on
        making, gate            flock(2)

DIGEST is the layer's diff ID; or, where what it is depends on those below, the
chain ID of it and them (OCI image-spec, config.md, "Layer ChainID").

Who unpacks holds ``making``: one at a time, and what is unfinished while
nobody does is a dead one's. A launch notes its use, and then looks what is
there, with ``gate`` shared; who removes layers has it alone while it looks
which are used. The kernel lets go of the locks of who dies.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import Descriptor, descriptor_json, parse_descriptor
from rootgen.image.document import parse_document, render
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOP = "top"
_USES, _MAKING, _GATE = "uses", "making", "gate"
_NEW, _GONE, _UPPER = ".new-", ".gone-", "upper-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_USE_LIMIT = 1 << 20
_HEXADECIMAL = frozenset("0123456789abcdef")
_DIGITS = 64


class Use(NamedTuple):
    """What a launch uses: the image's manifest, and names of unpacked layers."""

    manifest: Descriptor
    layers: frozenset[str]


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the chain ID of each layer and those beneath it (image-spec, config.md)."""
    chain: list[str] = []
    for one in diff_ids:
        chain.append(digest_bytes(f"{chain[-1]} {one}".encode()) if chain else one)
    return tuple(chain)


def layer_names(diff_ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return by which names each layer may be there: by itself, and over those beneath."""
    return tuple(
        (_name(one), _name(chain)) for one, chain in zip(diff_ids, chain_ids(diff_ids), strict=True)
    )


class Unpacked:
    """The directory of one set of ids; what is called only with a lock says so."""

    def __init__(self, path: str) -> None:
        """Open the directory, made where it lacks; raise ImageError where it is not safe, OSError.

        Layers in it are taken for what they were when they were verified:
        nobody else may be able to change them.
        """
        self.path = path
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        self._root = os.open(path, _DIRECTORY)
        found = os.fstat(self._root)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            os.close(self._root)
            raise ImageError(
                f"{path} is no safe place for unpacked layers",
                why=("it must be yours, and nobody else's to enter",),
                hint="remove it: what is in it can be unpacked again",
            )
        with suppress(FileExistsError):
            os.mkdir(_USES, 0o700, dir_fd=self._root)

    def __enter__(self) -> Unpacked:
        """Return the cache itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the directory."""
        os.close(self._root)

    # Layers

    def find(self, names: tuple[str, str]) -> str | None:
        """Return the path of a layer that is there, by either of its names; None: it is not."""
        for name in names:
            path = f"{self.path}/{name}"
            if os.path.isdir(path):
                return path
        return None

    def says_top(self, path: str) -> bool:
        """Tell whether a layer itself says what the top of the root is like."""
        return os.path.lexists(f"{path}/{_TOP}")

    @contextmanager
    def making(self) -> Iterator[None]:
        """Be the only one who unpacks."""
        with self._locked(_MAKING, fcntl.LOCK_EX):
            yield

    def begin(self) -> tuple[str, int]:
        """Make a directory for a layer; return its name and a descriptor. Within ``making``."""
        name = f"{_NEW}{os.urandom(6).hex()}"
        os.mkdir(name, 0o700, dir_fd=self._root)
        return name, os.open(name, _DIRECTORY, dir_fd=self._root)

    def finish(self, new: str, name: str, *, says_top: bool) -> None:
        """Give what was unpacked, and is on the disk, the name of a layer. Within ``making``."""
        if says_top:
            mark = os.open(f"{new}/{_TOP}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600,
                           dir_fd=self._root)  # fmt: skip
            os.close(mark)
        os.rename(new, name, src_dir_fd=self._root, dst_dir_fd=self._root)
        os.fsync(self._root)

    def unfinished(self) -> tuple[str, ...]:
        """Return the names of what the dead left half unpacked or removed. Within ``making``."""
        names = os.listdir(self._root)
        dead = [one for one in names if one.startswith((_NEW, _GONE))]
        return (*dead, *(one for one in names if one.startswith(_UPPER) and not self._held(one)))

    # Uses

    @contextmanager
    def using(self, use: Use) -> Iterator[str]:
        """Note what a launch uses, as long as this goes on; give the path of the note.

        Who shares the lock of that file keeps the note in force after this.
        """
        name = f"{_USES}/{os.urandom(8).hex()}"
        path = f"{self.path}/{name}"
        with self._locked(_GATE, fcntl.LOCK_SH):
            lock = os.open(name, _LOCK | os.O_EXCL, 0o600, dir_fd=self._root)
            fcntl.flock(lock, fcntl.LOCK_SH)
            os.write(lock, _use_bytes(use))
        try:
            yield path
        finally:
            if _locks(lock):  # nobody else is left who uses it
                os.unlink(path)
            os.close(lock)

    def uses(self) -> list[Use]:
        """Return what launches that go on use, and forget those of the dead."""
        found = []
        for one in os.listdir(f"{self.path}/{_USES}"):
            try:
                lock = os.open(f"{_USES}/{one}", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC,
                               dir_fd=self._root)  # fmt: skip
            except FileNotFoundError:
                continue
            try:
                if _locks(lock):
                    os.unlink(f"{_USES}/{one}", dir_fd=self._root)
                else:
                    where = f"{self.path}/{_USES}/{one}"
                    found.append(_parse_use(os.read(lock, _USE_LIMIT), where))
            except FileNotFoundError:
                continue
            finally:
                os.close(lock)
        return found

    def put_aside(self, wanted: frozenset[str]) -> tuple[str, ...]:
        """Rename layers that are neither ``wanted`` nor used; return the new names, to remove."""
        with self._locked(_GATE, fcntl.LOCK_EX):
            used = frozenset().union(wanted, *(one.layers for one in self.uses()))
            gone = []
            for name in os.listdir(self._root):
                if _is_digest(name) and name not in used:
                    gone.append(f"{_GONE}{name}-{os.urandom(4).hex()}")
                    os.rename(name, gone[-1], src_dir_fd=self._root, dst_dir_fd=self._root)
        return tuple(gone)

    # What launches write

    def new_upper(self) -> tuple[str, int]:
        """Make a directory for what a launch writes; return its path, and a lock that keeps it."""
        name = f"{_UPPER}{os.urandom(6).hex()}"
        with self.making():
            os.mkdir(name, 0o700, dir_fd=self._root)
            lock = os.open(name, _DIRECTORY, dir_fd=self._root)
            fcntl.flock(lock, fcntl.LOCK_SH)
        return f"{self.path}/{name}", lock

    def descriptor(self) -> int:
        """Return the descriptor of the directory, which stays the cache's."""
        return self._root

    def _held(self, name: str) -> bool:
        try:
            lock = os.open(name, _DIRECTORY, dir_fd=self._root)
        except FileNotFoundError:
            return True
        try:
            return not _locks(lock)
        finally:
            os.close(lock)

    @contextmanager
    def _locked(self, name: str, operation: int) -> Iterator[None]:
        lock = os.open(name, _LOCK, 0o600, dir_fd=self._root)
        try:
            fcntl.flock(lock, operation)
            yield
        finally:
            os.close(lock)


def _locks(descriptor: int) -> bool:
    """Lock what is open for us alone; false where another has it locked as well."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _is_digest(name: str) -> bool:
    return len(name) == _DIGITS and _HEXADECIMAL.issuperset(name)


def _use_bytes(use: Use) -> bytes:
    return render({"manifest": descriptor_json(use.manifest), "layers": sorted(use.layers)})


def _parse_use(data: bytes, where: str) -> Use:
    document = parse_document(data, where)
    manifest = parse_descriptor(document.inner("manifest"))
    return Use(manifest, frozenset(document.texts("layers")))
