"""Names of profiles → one Profile: found, read, extended, checked, merged."""

from __future__ import annotations

import os

from rootgen.errors import ProfileError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile import document
from rootgen.profile.merge import merge
from rootgen.profile.mistakes import Mistakes, did_you_mean, nearest
from rootgen.profile.schema import Written, name_of, read_written
from rootgen.profile.shipped import shipped_path
from rootgen.profile.users import check_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.profile.model import Place, Profile

# Far above any profile that a person maintains.
_MAXIMUM_PROFILES = 256
_SUFFIXES = (".yaml", ".yml")


class Source(NamedTuple):
    """A profile's file, the name to call it by, and whether it is a shipped one."""

    file: str
    name: str


def load_profiles(names: Sequence[str], *, shipped: str, base_directory: str = ".") -> Profile:
    """Return the profiles ``names`` and all they extend as one, later over earlier.

    A name is that of a profile in ``shipped``, or a file relative to
    ``base_directory`` (``-``: standard input). Raises ProfileError with
    every mistake of every file.
    """
    mistakes = Mistakes()
    gathering = _Gathering(shipped, mistakes)
    for name in names:
        source = _find(name, shipped, base_directory)
        if source is None:
            mistakes.add(None, _unknown(name, shipped, base_directory))
        else:
            gathering.add(source, None)
    profile = merge(gathering.parts) if gathering.parts else None
    if profile is not None:
        check_ids(profile.users, mistakes)
    mistakes.raise_if_any()
    if profile is None:
        message = "no profile named"
        raise ProfileError(message)
    return profile


def find_profile(name: str, *, shipped: str, base_directory: str = ".") -> str:
    """Return the path of the file of the profile ``name``.

    Raises ProfileError, with the nearest name, where there is none.
    """
    source = _find(name, shipped, base_directory)
    if source is None:
        raise ProfileError(_unknown(name, shipped, base_directory))
    return source.file


def shipped_names(shipped: str) -> tuple[str, ...]:
    """Return the names of the profiles in ``shipped``, sorted."""
    names: list[str] = []
    for directory, _, files in os.walk(shipped):
        inside = os.path.relpath(directory, shipped)
        names.extend(
            os.path.normpath(os.path.join(inside, file[: -len(_SUFFIXES[0])]))
            for file in files
            if file.endswith(_SUFFIXES[0])
        )
    return tuple(sorted(names))


class _Gathering:
    """The files read so far, in the order in which they are merged."""

    def __init__(self, shipped: str, mistakes: Mistakes) -> None:
        self.parts: list[Written] = []
        self._shipped = shipped
        self._mistakes = mistakes
        self._done: set[str] = set()
        self._chain: list[str] = []

    def add(self, source: Source, place: Place | None) -> None:
        """Read ``source`` after all that it extends; ``place`` is what named it."""
        pending: list[tuple[Source, Place | None, Written | None]] = [(source, place, None)]
        while pending:
            current, named_at, written = pending.pop()
            if written is not None:
                self._chain.pop()
                self.parts.append(written)
                continue
            written = self._read(current, named_at)
            if written is None:
                continue
            self._chain.append(current.file)
            pending.append((current, named_at, written))
            pending.extend(reversed(self._extended(written)))

    def _extended(self, written: Written) -> list[tuple[Source, Place | None, Written | None]]:
        sources: list[tuple[Source, Place | None, Written | None]] = []
        directory = os.path.dirname(written.file)
        if len(written.extends) > _MAXIMUM_PROFILES:
            place = written.extends[_MAXIMUM_PROFILES].place
            self._mistakes.add(place, f"extends more than {_MAXIMUM_PROFILES} profiles")
        for reference in written.extends[:_MAXIMUM_PROFILES]:
            source = _find(reference.text, self._shipped, directory)
            if source is None or source.file == "-":
                unknown = _unknown(reference.text, self._shipped, directory)
                self._mistakes.add(reference.place, unknown)
            else:
                sources.append((source, reference.place, None))
        return sources

    def _read(self, source: Source, place: Place | None) -> Written | None:
        identity = os.path.realpath(source.file)
        chain = [os.path.realpath(file) for file in self._chain]
        if identity in chain:
            round_trip = [*self._chain[chain.index(identity) :], source.file]
            self._mistakes.add(place, f"extends goes round in a circle: {' → '.join(round_trip)}")
            return None
        if identity in self._done:
            return None
        self._done.add(identity)
        if len(self._done) > _MAXIMUM_PROFILES:
            self._mistakes.add(place, f"more than {_MAXIMUM_PROFILES} profiles extend each other")
            return None
        try:
            data = document.read_bytes(source.file)
        except OSError as error:
            reason = error.strerror or str(error)
            self._mistakes.add(place, f"cannot read profile {source.file}: {reason}")
            return None
        file = "<stdin>" if source.file == "-" else source.file
        value = document.parse(data, file, self._mistakes)
        if value is None:
            return None
        directory = os.path.dirname(source.file) or "."
        return read_written(value, file, source.name, directory, self._mistakes)


def _find(name: str, shipped: str, base_directory: str) -> Source | None:
    if "\0" in name or not name:
        return None
    if name == "-":
        return Source("-", "stdin")
    is_file = name.endswith(_SUFFIXES) or name.startswith(("/", "./", "../"))
    if not is_file:
        path = shipped_path(name, shipped)
        if path is not None:
            return Source(path, name)
    path = os.path.normpath(os.path.join(base_directory, name))
    # A directory of that name is no answer; a fifo or device is refused when it is read.
    if os.path.exists(path) and not (os.path.isdir(path) and not is_file):
        return Source(path, name_of(path))
    return None


def _unknown(name: str, shipped: str, base_directory: str) -> str:
    if name.endswith(_SUFFIXES) or name.startswith(("/", "./", "../")):
        path = os.path.normpath(os.path.join(base_directory, name))
        if os.path.islink(path):
            return f"profile file {path} is a symbolic link that leads nowhere"
        near = did_you_mean(os.path.basename(path), _listed(os.path.dirname(path) or "."))
        return f"no profile file {path}{near}"
    known = shipped_names(shipped)
    # The last component is what people remember: `posix` for `base/posix`.
    by_last = {one.rpartition("/")[2]: one for one in known}
    near = nearest(name, known) or by_last.get(nearest(name, by_last), "")
    offered = f"did you mean '{near}'?" if near else f"there are {', '.join(known)}"
    return f"unknown profile '{name}'; {offered}"


def _listed(directory: str) -> list[str]:
    try:
        return [name for name in os.listdir(directory) if name.endswith(_SUFFIXES)]
    except OSError:
        # Suggestions are a courtesy: a directory that cannot be listed offers none.
        return []
