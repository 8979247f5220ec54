"""A program → its process, by the loader that its interpreter is."""

from __future__ import annotations

from rootgen.elf.facts import ET_CORE, ET_DYN, ET_EXEC, ET_REL
from rootgen.errors import ElfError, MissingError, SysrootError
from rootgen.ldso import glibc, musl
from rootgen.ldso.load import How, Load, Mapped
from rootgen.named import TYPE_CHECKING
from rootgen.sysroot.port import Kind

if TYPE_CHECKING:
    from rootgen.elf.facts import ElfFacts
    from rootgen.ldso.root import Root

_DF_1_PIE = 0x08000000


def load_program(
    root: Root, opened: str, library_path: tuple[str, ...], *, by_name: bool = False
) -> Load:
    """Return the process of the program (or shared library) at ``opened``.

    ``by_name``: started as ``ld.so PROGRAM``, with ``$ORIGIN`` where that name is.

    Raises MissingError where nothing is there, ElfError where it is no
    program, SysrootError where it cannot be read.
    """
    found = root.sysroot.lookup(opened)
    if found is None:
        raise MissingError(f"no such program: {opened}")
    if found.node.kind is not Kind.FILE:
        raise SysrootError(f"{opened} is a {found.node.kind.value}, not a program")
    facts = root.facts(found)
    _check_type(opened, facts)
    program = Mapped(opened, found, facts, How.PROGRAM)
    if facts.interpreter is None and _is_static(facts):
        return Load((program,), (), ())
    interpreter = musl.interpreter_of(root, facts)
    if interpreter is not None:
        return musl.load_program(root, program, interpreter, library_path, by_name=by_name)
    return glibc.load_program(root, program, library_path, by_name=by_name)


def _is_static(facts: ElfFacts) -> bool:
    # A static PIE has a dynamic section, for relocating itself.
    return not facts.dynamic or bool(facts.dt_flags_1 & _DF_1_PIE)


def _check_type(opened: str, facts: ElfFacts) -> None:
    if facts.type in {ET_EXEC, ET_DYN}:
        return
    what = {ET_REL: "a relocatable object (.o), not linked yet", ET_CORE: "a core dump"}
    described = what.get(facts.type, f"of the unknown ELF type {facts.type}")
    raise ElfError(f"{opened} is {described}; it loads nothing")
