"""YAML text → values with their places, within bounds: the one door to PyYAML.

Nothing is constructed from tags. The tree is built from the parser's event
stream, not by ``yaml.compose``, whose recursion in C has no bound: neither
depth, size nor aliases (the billion laughs) can exhaust anything.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol

import yaml

from rootgen.named import NamedTuple
from rootgen.profile.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rootgen.profile.mistakes import Mistakes

MAXIMUM_BYTES = 1 << 20
MAXIMUM_DEPTH = 16
MAXIMUM_VALUES = 50_000

ScalarKind = Literal["text", "integer", "number", "boolean", "null", "timestamp", "merge"]

# YAML 1.1 tags of plain scalars (yaml.org/type) → what people call them.
_KINDS: dict[str, ScalarKind] = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:int": "integer",
    "tag:yaml.org,2002:float": "number",
    "tag:yaml.org,2002:bool": "boolean",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:timestamp": "timestamp",
    "tag:yaml.org,2002:merge": "merge",
    "tag:yaml.org,2002:value": "text",
}


class Scalar(NamedTuple):
    """One word or text, and what YAML takes it for."""

    place: Place
    text: str
    kind: ScalarKind


class Items(NamedTuple):
    """A sequence."""

    place: Place
    items: tuple[Value, ...]


class Table(NamedTuple):
    """A mapping, in the order written; keys are unique."""

    place: Place
    entries: tuple[tuple[Scalar, Value], ...]


Value = Scalar | Items | Table


class _Mark(Protocol):
    """Where the parser stands; PyYAML and libyaml each have a class for it."""

    line: int
    column: int


class _Stop(Exception):  # noqa: N818 - not an error of ours: the mistake is already noted
    """The document cannot be read any further."""


class _Open:
    """A collection being read: its children, the values counted before it, its depth so far."""

    __slots__ = ("before", "children", "depth", "start")

    def __init__(self, start: yaml.CollectionStartEvent, before: int) -> None:
        self.start = start
        self.before = before
        self.children: list[Value] = []
        self.depth = 1


def read_bytes(path: str) -> bytes:
    """Return the bytes of the profile at ``path`` (``-``: standard input).

    Raises OSError, also for what is no regular file or is larger than
    MAXIMUM_BYTES.
    """
    if path == "-":
        return _bounded(0)
    # O_NONBLOCK: a fifo must not hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "not a regular file")
        return _bounded(descriptor)
    finally:
        os.close(descriptor)


def parse(data: bytes, file: str, mistakes: Mistakes) -> Value | None:
    """Return the one document in ``data``; None where it cannot be read.

    ``file`` is the name to use in places. What is wrong goes to ``mistakes``.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        mistakes.add(Place(file, line, column), "not UTF-8 text")
        return None
    try:
        value = _Builder(file, mistakes).build(_events(text))
    except _Stop:
        return None
    except yaml.MarkedYAMLError as error:
        mistakes.add(_place(file, error.problem_mark), _told(error))
        return None
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        mistakes.add(_place_at(file, text, position), "a character that YAML does not allow")
        return None
    if value is None:
        mistakes.add(Place(file, 1, 1), "the file is empty; a profile starts with 'rootgen: 1'")
    return value


def _bounded(descriptor: int) -> bytes:
    parts: list[bytes] = []
    left = MAXIMUM_BYTES + 1
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    if not left:
        raise OSError(0, f"larger than {MAXIMUM_BYTES} bytes")
    return b"".join(parts)


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return iter(yaml.parse(text, Loader=loader))


def _place(file: str, mark: _Mark | None) -> Place:
    return Place(file, 1, 1) if mark is None else Place(file, mark.line + 1, mark.column + 1)


def _place_at(file: str, text: str, position: int) -> Place:
    before = text[:position]
    return Place(file, before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)


def _told(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    return f"{problem} ({error.context})" if error.context else problem


class _Builder:
    """The state of reading one document: open collections, anchors, how much there is."""

    def __init__(self, file: str, mistakes: Mistakes) -> None:
        self._file = file
        self._mistakes = mistakes
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Value, int, int] | None] = {}
        self._count = 0
        self._root: Value | None = None

    def build(self, events: Iterable[yaml.Event]) -> Value | None:
        """Return the document's value; raise _Stop where a bound is met."""
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(event, "a second document; a profile is one")
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._start(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
        root = self._root
        if isinstance(root, Scalar) and root.kind == "null":
            return None
        return root

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event)
        self._grow(event, 1)
        place = _place(self._file, event.start_mark)
        kind: ScalarKind = "text"
        if event.implicit[0]:
            kind = _kind(event.value)
        if "\0" in event.value or not _encodable(event.value):
            self._mistakes.add(place, "a character that no file name or text can have")
            # Something readable in its place, so that this is the only mistake told of it.
            text = event.value.replace("\0", "_").encode(errors="replace").decode()
            event.value = text
        scalar = Scalar(place, event.value, kind)
        if event.anchor is not None:
            self._anchors[event.anchor] = (scalar, 1, 0)
        self._put(scalar, 0)

    def _alias(self, event: yaml.AliasEvent) -> None:
        name = event.anchor
        if name not in self._anchors:
            self._stop(event, f"alias '*{name}' of an anchor that is not there")
        known = self._anchors[name]
        if known is None:
            self._stop(event, f"alias '*{name}' stands inside what it names")
        value, size, depth = known
        self._grow(event, size)
        if len(self._open) + depth > MAXIMUM_DEPTH:
            self._stop(event, f"nested more than {MAXIMUM_DEPTH} deep")
        self._put(value, depth)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._refuse_tag(event)
        self._grow(event, 1)
        if len(self._open) >= MAXIMUM_DEPTH:
            self._stop(event, f"nested more than {MAXIMUM_DEPTH} deep")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._open.append(_Open(event, self._count - 1))

    def _end(self) -> None:
        closed = self._open.pop()
        place = _place(self._file, closed.start.start_mark)
        value: Value = Items(place, tuple(closed.children))
        if isinstance(closed.start, yaml.MappingStartEvent):
            value = Table(place, self._entries(closed.children))
        if closed.start.anchor is not None:
            self._anchors[closed.start.anchor] = (value, self._count - closed.before, closed.depth)
        self._put(value, closed.depth)

    def _entries(self, children: list[Value]) -> tuple[tuple[Scalar, Value], ...]:
        entries: dict[str, tuple[Scalar, Value]] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._mistakes.add(key.place, "a key must be a word")
            elif key.text in entries:
                first = entries[key.text][0].place.line
                message = f"key '{key.text}' is given twice; first in line {first}"
                self._mistakes.add(key.place, message)
            else:
                entries[key.text] = (key, value)
        return tuple(entries.values())

    def _put(self, value: Value, depth: int) -> None:
        if self._open:
            parent = self._open[-1]
            parent.children.append(value)
            parent.depth = max(parent.depth, depth + 1)
        else:
            self._root = value

    def _refuse_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            self._mistakes.add(
                _place(self._file, event.start_mark), f"tag '{event.tag}': profiles have no tags"
            )

    def _grow(self, event: yaml.Event, size: int) -> None:
        self._count += size
        if self._count > MAXIMUM_VALUES:
            self._stop(event, f"more than {MAXIMUM_VALUES} values, aliases counted as written out")

    def _stop(self, event: yaml.Event, message: str) -> NoReturn:
        self._mistakes.add(_place(self._file, event.start_mark), message)
        raise _Stop


def _kind(word: str) -> ScalarKind:
    """Return what a plain word is by YAML 1.1: the rules of PyYAML's own resolver."""
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    for tag, expression in (*resolvers.get(word[:1], ()), *resolvers.get(None, ())):
        if expression.match(word):
            return _KINDS.get(tag, "text")
    return "text"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
