"""A ``Load`` as a tree, a list and JSON."""

from __future__ import annotations

from rootgen.ldso.load import How, NeedKind
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.colour import PLAIN
from rootgen.report.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rootgen.ldso.load import Load, Mapped, Need
    from rootgen.report.colour import Palette


# Deeper than this the indent says nothing: what is below is drawn from the left again.
_DEEPEST = 32


class _Branch(NamedTuple):
    """One line to be drawn: its indent, whether it is the last sibling, how deep it is."""

    need: Need
    indent: str
    last: bool
    depth: int


def tree_lines(
    target: str, load: Load, script: tuple[str, ...] = (), palette: Palette = PLAIN
) -> Iterator[str]:
    """Draw what ``target`` loads, each name beneath the objects that asked for it.

    ``script`` are the interpreters that a script goes through, the last
    being the program of ``load``. What an object needs is drawn once; where
    it appears again it is marked, as are cycles. The work is linear in the
    number of needs, whatever their depth.
    """
    yield f"{palette.bold}{printable(target)}{palette.reset}"
    indent = ""
    for interpreter in script:
        yield f"{indent}└── #! {printable(interpreter)}"
        indent += "    "
    if len(load.objects) == 1 and not load.missing:
        yield f"{indent}└── {palette.dim}nothing is loaded: statically linked{palette.reset}"
        return
    yield from _Drawing(load, palette).lines(indent)


class _Drawing:
    """The state of drawing one tree: what was drawn, what is above, what is put off."""

    def __init__(self, load: Load, palette: Palette) -> None:
        self._load = load
        self._palette = palette
        self._needs: dict[int, list[Need]] = {}
        for need in load.needs:
            self._needs.setdefault(need.requester, []).append(need)
        self._why = {(one.requester, one.name): one.why for one in load.missing}
        self._drawn = {0}
        self._above: list[int] = []
        self._put_off: list[int] = []
        self._cycles: dict[tuple[int, ...], None] = {}

    def lines(self, indent: str) -> Iterator[str]:
        """Return the lines beneath the program, then beneath what was put off, then cycles."""
        yield from self._beneath(0, indent)
        for index in self._put_off:
            yield f"{printable(self._load.objects[index].path)} (from above)"
            yield from self._beneath(index, "")
        for cycle in self._cycles:
            names = [printable(self._load.objects[index].path) for index in cycle]
            yield f"{self._palette.yellow}cycle:{self._palette.reset} {' → '.join(names)}"

    def _beneath(self, top: int, indent: str) -> Iterator[str]:
        self._above = [top]
        on_path = {top}
        pending = self._branches(top, indent, 0)
        while pending:
            branch = pending.pop()
            while len(self._above) > branch.depth + 1:
                on_path.discard(self._above.pop())
            index = branch.need.target
            mark = self._mark(index, branch.depth, on_path)
            corner = "└── " if branch.last else "├── "
            yield f"{branch.indent}{corner}{self._line(branch.need)}{mark}"
            if index is None or mark or index not in self._needs:
                continue
            self._drawn.add(index)
            self._above.append(index)
            on_path.add(index)
            below = branch.indent + ("    " if branch.last else "│   ")
            pending.extend(self._branches(index, below, branch.depth + 1))

    def _branches(self, requester: int, indent: str, depth: int) -> list[_Branch]:
        mine = self._needs.get(requester, [])
        # Popped from the end: reversed, so that the first need is drawn first.
        return [
            _Branch(need, indent, number == len(mine) - 1, depth)
            for number, need in reversed(list(enumerate(mine)))
        ]

    def _mark(self, index: int | None, depth: int, on_path: set[int]) -> str:
        if index is None or index not in self._needs:
            return ""
        if index in on_path:
            # ``_above`` may hold what hung beneath an earlier sibling: it was cut to this depth.
            self._cycles[*self._above[self._above.index(index) :], index] = None
            return " (cycle)"
        if index in self._drawn:
            return " (shown elsewhere)"
        if depth >= _DEEPEST:
            self._drawn.add(index)
            self._put_off.append(index)
            return " (goes on below)"
        return ""

    def _line(self, need: Need) -> str:
        prefix = "" if need.kind is NeedKind.NEEDED else f"{need.kind.value} "
        label = f"{prefix}{printable(need.name)}"
        if need.target is None:
            why = printable(self._why.get((need.requester, need.name), "not found"))
            return f"{label} => {self._palette.red}{why}{self._palette.reset}"
        mapped = self._load.objects[need.target]
        where = "" if mapped.path == need.name else f" => {printable(mapped.path)}"
        if mapped.how in {How.PROGRAM, How.INTERPRETER, How.PATH}:
            return f"{label}{where}"
        via = f" {printable(mapped.via)}" if mapped.via and mapped.how is not How.CACHE else ""
        how = f"{self._palette.dim}[{mapped.how.value}{via}]{self._palette.reset}"
        return f"{label}{where} {how}"


def list_lines(load: Load, script: tuple[str, ...] = ()) -> Iterator[str]:
    """Return the objects that the loader maps, in load order, without the program itself.

    Of a script it is the interpreters that are loaded, so they come first.
    """
    yield from script
    yield from (mapped.path for mapped in load.objects[1:])


def missing_lines(target: str, load: Load) -> Iterator[str]:
    """Say each name that was not found: who wants it, and where was searched."""
    for missing in load.missing:
        wanted_by = load.objects[missing.requester].path
        line = f"{printable(target)}: {printable(missing.name)}: {printable(missing.why)}"
        line += f"; {printable(wanted_by)} wants it"
        if missing.searched:
            line += f"; searched {', '.join(printable(path) for path in missing.searched)}"
        yield line


def deps_json(
    target: str, path: str, load: Load, script: tuple[str, ...] = ()
) -> Mapping[str, object]:
    """Return one target of ``deps --format json``."""
    paths = [mapped.path for mapped in load.objects]
    return {
        "target": target,
        "path": path,
        "script": list(script),
        "objects": [_object_json(mapped) for mapped in load.objects],
        "needs": [
            {
                "requester": paths[need.requester],
                "name": need.name,
                "kind": need.kind.value,
                "path": None if need.target is None else paths[need.target],
            }
            for need in load.needs
        ],
        "missing": [
            {
                "requester": paths[one.requester],
                "name": one.name,
                "kind": one.kind.value,
                "searched": list(one.searched),
                "why": one.why,
            }
            for one in load.missing
        ],
    }


def _object_json(mapped: Mapped) -> Mapping[str, object]:
    return {
        "path": mapped.path,
        "real": mapped.found.path,
        "links": [link.path for link in mapped.found.links],
        "soname": mapped.facts.soname,
        "how": mapped.how.value,
        "via": mapped.via,
        "size": mapped.found.node.size,
    }
