"""A ``Load`` as ldd(1) prints it: glibc ``elf/rtld.c``, dl_main in trace mode; musl ``__dls3``.

Byte for byte, but for addresses: nothing is mapped, so each is zero.
"""

from __future__ import annotations

import posixpath

from rootgen.closure.versions import musl_loader
from rootgen.ldso.load import How, NeedKind
from rootgen.ldso.machine import machine_of
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.report.deps_lacks import undefined_words, version_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rootgen.closure.symbols import Undefined
    from rootgen.closure.versions import VersionLack
    from rootgen.ldso.load import Load, Missing

NOT_DYNAMIC = "\tnot a dynamic executable"
_STATIC = "\tstatically linked"
# The SONAME of each kernel's vDSO (arch/*/kernel/vdso*), vdso(7).
_VDSO = {
    "i386": "linux-gate.so.1",
    "ppc": "linux-vdso32.so.1",
    "ppc64": "linux-vdso64.so.1",
    "s390": "linux-vdso32.so.1",
    "s390x": "linux-vdso64.so.1",
}
_USUAL_VDSO = "linux-vdso.so.1"


class LddAnswer(NamedTuple):
    """What ldd prints for one file: lines, whether they are an error's, and its exit status."""

    lines: tuple[str, ...]
    errors: tuple[str, ...] = ()
    status: int = 0


def ldd_answer(
    name: str,
    load: Load,
    loader: str,
    versions: Sequence[VersionLack] = (),
    undefined: Sequence[Undefined] = (),
) -> LddAnswer:
    """Return what ``ldd NAME`` prints for ``load``.

    ``loader`` is the one that ldd would run in that root, "" where there is
    none; ``versions`` and ``undefined`` are what lacks of symbols, the latter
    as ``ldd -r`` has it.
    """
    facts = load.objects[0].facts
    own = musl_loader(load)
    if own:
        return _musl_answer(name, load, own, undefined)
    if not facts.dynamic or not loader:
        return LddAnswer((), (NOT_DYNAMIC,), 1)
    fatal = next((one for one in load.missing if _is_fatal(one)), None)
    if fatal is not None:
        line = f"{name}: error while loading shared libraries: {fatal.why}"
        return LddAnswer((line,), (), 1)
    before = [_preload_line(one) for one in load.missing if one.kind is NeedKind.PRELOAD]
    # print_missing_version: the loader says it before it lists anything, and goes on.
    before += [
        f"{name}: {one.provider}: {version_words(one)} "
        f"(required by {_called(one.requester, name, load)})"
        for one in versions
    ]
    behind = [f"{undefined_words(one)}\t({_called(one.object, name, load)})" for one in undefined]
    if not facts.needed:
        return LddAnswer((*before, _STATIC, *behind))
    return LddAnswer((*before, *_object_lines(load, loader), *behind))


def _called(path: str, name: str, load: Load) -> str:
    """Return what the loader calls the object at ``path``: the program as ldd was given it."""
    return name if path == load.objects[0].path else path


def _is_fatal(missing: Missing) -> bool:
    """Tell whether the loader ends over this one: it is there and cannot be mapped."""
    kinds = {NeedKind.INTERPRETER, NeedKind.PRELOAD}
    return missing.kind not in kinds and not missing.why.startswith("not found")


def _preload_line(missing: Missing) -> str:
    why = "cannot open shared object file"
    what = f"object '{missing.name}' from /etc/ld.so.preload cannot be preloaded ({why})"
    return f"ERROR: ld.so: {what}: ignored."


def _object_lines(load: Load, loader: str) -> Iterator[str]:
    facts = load.objects[0].facts
    address = f"(0x{0:0{facts.elf_class // 4}x})"
    names, lacking, filtees = _first_names(load)
    waiting = [f"\t{_VDSO.get(machine_of(facts).name, _USUAL_VDSO)} {address}"]
    waiting += [f"\t{one} => not found" for one in lacking.get(0, ())]
    for index, mapped in enumerate(load.objects[1:], 1):
        name, path = names.get(index, ""), mapped.path
        is_loader = mapped.how is How.INTERPRETER or _stands_for(path, loader)
        # dl_main puts the loader right behind the object before it, what is not found or in
        # no file behind both.
        if not is_loader:
            yield from waiting
            waiting = []
        yield from (f"\t{one} => not found" for one in filtees.get(index, ()))
        if is_loader:
            name, path = name and (facts.interpreter or loader), loader
        elif "/" in name:
            # Opened by its own name: as it was written, unless tokens stood in it.
            path = name = path if "$" in name else name
        if name:
            yield f"\t{name} {address}" if name == path else f"\t{name} => {path} {address}"
        waiting += [f"\t{one} => not found" for one in lacking.get(index, ())]
    yield from waiting


def _stands_for(path: str, loader: str) -> bool:
    """Tell whether the object at ``path`` is the loader under its SONAME."""
    return posixpath.basename(path) == posixpath.basename(loader)


def _first_names(
    load: Load,
) -> tuple[dict[int, str], dict[int, list[str]], dict[int, list[str]]]:
    """Return the name each object was first asked for by, what lacks behind it and before it.

    What is not found gets a place in the chain of link maps when it is asked
    for (``_dl_map_object``, trace_mode): behind all that was mapped before;
    a filtee before its filter (``_dl_map_object_deps``).
    """
    names: dict[int, str] = {}
    lacking: dict[int, list[str]] = {}
    filtees: dict[int, list[str]] = {}
    last = 0
    for need in load.needs:
        if need.kind is NeedKind.INTERPRETER:
            continue
        if need.target is not None:
            names.setdefault(need.target, need.name)
            last = max(last, need.target)
        elif need.kind is not NeedKind.PRELOAD:
            origin = posixpath.dirname(load.objects[need.requester].path)
            name = need.name.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
            if need.requester and need.kind in {NeedKind.FILTER, NeedKind.AUXILIARY}:
                filtees.setdefault(need.requester, []).append(name)
            else:
                lacking.setdefault(last, []).append(name)
    return names, lacking, filtees


def _musl_answer(name: str, load: Load, own: str, undefined: Sequence[Undefined]) -> LddAnswer:
    """Return what musl's loader prints as ``ldd``: itself first, then in the order of loading."""
    address = "(0x0)"
    lines = [f"\t{own} {address}"]
    errors: list[str] = []
    seen: set[int] = set()
    why = {(one.requester, one.name): one.why for one in load.missing}
    for need in load.needs:
        if need.kind is NeedKind.INTERPRETER:
            continue
        if need.target is None:
            said = why.get((need.requester, need.name), "not found")
            known = not said.startswith("not found")
            reason = said.rpartition(": ")[2] if known else "No such file or directory"
            by = load.objects[need.requester].path if need.requester else name
            errors.append(f"Error loading shared library {need.name}: {reason} (needed by {by})")
        elif need.target not in seen and need.name != own:
            # By its own path it is a file that is there already, of which nothing is said.
            seen.add(need.target)
            lines.append(f"\t{need.name} => {load.objects[need.target].path} {address}")
    for one in undefined:
        by = _called(one.object, name, load)
        errors.append(f"Error relocating {by}: {one.name}: symbol not found")
    return LddAnswer(tuple(lines), tuple(errors), 127 if errors else 0)
