"""Names of profiles → one Profile: found, read, extended, checked, merged."""

from __future__ import annotations

import os

from rootgen.errors import ProfileError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile import document
from rootgen.profile.merge import merge, whole
from rootgen.profile.mistakes import Mistakes, did_you_mean, nearest
from rootgen.profile.schema import MOST_LAYERS, Written, name_of, read_written
from rootgen.profile.shipped import known_profile, shipped_path
from rootgen.profile.users import check_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.profile.model import Place, Profile

# Far above any profile that a person maintains.
_MAXIMUM_PROFILES = 256
_SUFFIXES = (".yaml", ".yml")


class Source(NamedTuple):
    """A profile's file, the name to call it by, and whether it is a shipped one."""

    file: str
    name: str


def load_profiles(
    names: Sequence[str], *, shipped: str, base_directory: str = ".", known: bool = False
) -> Profile:
    """Return the profiles ``names`` and all they extend as one, later over earlier.

    A name is that of a profile in ``shipped``, or a file relative to
    ``base_directory`` (``-``: standard input). With ``known``, a program
    that a shipped profile is called after brings that one, as if it were
    extended first. Raises ProfileError with every mistake of every file.
    """
    mistakes = Mistakes()
    gathering = _Gathering(_Files(shipped, mistakes, known=known))
    for name in names:
        source = _find(name, shipped, base_directory)
        if source is None:
            mistakes.add(None, _unknown(name, shipped, base_directory))
        else:
            gathering.add(source, None)
    profile = merge(gathering.parts) if gathering.parts else None
    if profile is not None:
        check_ids(whole(profile).users, mistakes)
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


class _Files:
    """The profile files of one call, each read once, and how they are found."""

    def __init__(self, shipped: str, mistakes: Mistakes, *, known: bool) -> None:
        self.shipped = shipped
        self.mistakes = mistakes
        self.known = known
        self._read: dict[str, Written | None] = {}

    def read(self, source: Source, identity: str, place: Place | None) -> Written | None:
        """Return what ``source`` says; None where it cannot be read, or is one too many."""
        if identity not in self._read:
            self._read[identity] = self._parsed(source, place)
        return self._read[identity]

    def _parsed(self, source: Source, place: Place | None) -> Written | None:
        if len(self._read) >= _MAXIMUM_PROFILES:
            message = f"more than {_MAXIMUM_PROFILES} profiles extend each other"
            self.mistakes.add(place, message)
            return None
        try:
            data = document.read_bytes(source.file)
        except OSError as error:
            reason = error.strerror or str(error)
            self.mistakes.add(place, f"cannot read profile {source.file}: {reason}")
            return None
        file = "<stdin>" if source.file == "-" else source.file
        value = document.parse(data, file, self.mistakes)
        if value is None:
            return None
        directory = os.path.dirname(source.file) or "."
        return read_written(value, file, source.name, directory, self.mistakes)


class _Gathering:
    """The profiles gathered so far, in the order in which they are merged."""

    def __init__(self, files: _Files, within: Sequence[str] = ()) -> None:
        """Begin with none; ``within`` are the files that lead to a layer to gather for."""
        self.parts: list[Written] = []
        self._files = files
        self._mistakes = files.mistakes
        self._done: set[str] = set()
        self._chain = list(within)
        self._for_layer = bool(within)
        self._layers = 0

    def add(self, source: Source, place: Place | None) -> None:
        """Read ``source`` after all that it extends; ``place`` is what named it."""
        pending: list[tuple[Source, Place | None, Written | None]] = [(source, place, None)]
        while pending:
            current, named_at, written = pending.pop()
            if written is not None:
                self.parts.append(self._with_layers(written, named_at))
                self._chain.pop()
                continue
            written = self._read(current, named_at)
            if written is None:
                continue
            self._chain.append(current.file)
            pending.append((current, named_at, written))
            pending.extend((one, at, None) for one, at in reversed(self._extended(written)))

    def _with_layers(self, written: Written, place: Place | None) -> Written:
        """Return the profile at the chain's end with what its layers extend."""
        self._layers += len(written.layers)
        if self._for_layer and written.layers:
            self._mistakes.add(place, f"a layer extends '{written.name}', which has layers itself")
        elif self._layers > MOST_LAYERS:
            message = f"{self._layers} layers together; an image has at most {MOST_LAYERS}"
            self._mistakes.add(place, message)
        else:
            return written._replace(layers=tuple(self._layer(one[-1]) for one in written.layers))
        return written._replace(layers=())

    def _layer(self, layer: Written) -> tuple[Written, ...]:
        inner = _Gathering(self._files, self._chain)
        for source, place in inner._extended(layer):
            inner.add(source, place)
        return (*inner.parts, layer)

    def _extended(self, written: Written) -> list[tuple[Source, Place | None]]:
        sources: list[tuple[Source, Place | None]] = []
        if self._files.known:
            sources += self._known(written)
        directory = os.path.dirname(written.file)
        if len(written.extends) > _MAXIMUM_PROFILES:
            place = written.extends[_MAXIMUM_PROFILES].place
            self._mistakes.add(place, f"extends more than {_MAXIMUM_PROFILES} profiles")
        for reference in written.extends[:_MAXIMUM_PROFILES]:
            source = _find(reference.text, self._files.shipped, directory)
            if source is None or source.file == "-":
                unknown = _unknown(reference.text, self._files.shipped, directory)
                self._mistakes.add(reference.place, unknown)
            else:
                sources.append((source, reference.place))
        return sources

    def _known(self, written: Written) -> Iterator[tuple[Source, Place]]:
        """Give the shipped profiles of its programs, but for those that lead here."""
        chain = {os.path.realpath(file) for file in self._chain}
        for rule in written.programs:
            name = None if rule.optional else known_profile(rule.name, self._files.shipped)
            path = name and shipped_path(name, self._files.shipped)
            if name and path and os.path.realpath(path) not in chain:
                yield Source(path, name), rule.place

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
        return self._files.read(source, identity, place)


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
