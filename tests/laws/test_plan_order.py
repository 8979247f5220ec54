"""The order in which things are asked for never matters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rootgen.plan.assemble import Wish, assemble
from rootgen.plan.entry import EntryKind
from rootgen.profile.model import FileRule, Place, Profile, ProgramRule
from rootgen.sysroot.memory import draw
from tests.elf.image import DT_NEEDED, DT_RUNPATH, Recipe, build
from tests.plan.building import NOTHING, WANTED, collection

_LOADER = b"/lib64/ld-linux-x86-64.so.2"


def _elf(*needed: bytes, program: bool = False) -> bytes:
    dynamic = tuple((DT_NEEDED, name) for name in needed)
    runpath = ((DT_RUNPATH, b"$ORIGIN/../lib/private"),) if program else ()
    interpreter = _LOADER if program else None
    return build(Recipe(interpreter=interpreter, dynamic=(*dynamic, *runpath))).data


ROOT = draw(
    r"""
bin -> usr/bin
lib -> usr/lib
lib64 -> usr/lib64
usr/
  bin/
    awk -> /etc/alternatives/awk
    script = #!/usr/bin/env awk\n
    twin = x
    other == twin
  lib/
  lib64/
  share/
    doc/
      one = x
      two -> one
etc/
  alternatives/
    awk -> /usr/bin/mawk
  conf = x
""",
    {
        "/usr/lib64/ld-linux-x86-64.so.2": _elf(),
        "/usr/lib64/libc.so.6": _elf(b"ld-linux-x86-64.so.2"),
        "/usr/lib64/libm.so.6": _elf(b"libc.so.6"),
        "/usr/lib/private/libown.so": _elf(b"libc.so.6"),
        "/usr/bin/mawk": _elf(b"libm.so.6", b"libc.so.6", program=True),
        "/usr/bin/env": _elf(b"libc.so.6", program=True),
        "/usr/bin/own": _elf(b"libown.so", b"libc.so.6", program=True),
        "/usr/bin/static": build(Recipe(type=2)).data,
    },
)
_PLACE = Place("p.yaml", 1, 1)
_PROGRAMS = ["awk", "script", "own", "static", "env", "/bin/awk", "/usr/bin/own"]
_RULES = [
    FileRule("/usr/share/doc", "p", _PLACE),
    FileRule("/usr/bin/twin", "p", _PLACE),
    FileRule("/bin/other", "p", _PLACE, mode=0o600),
    FileRule("/usr/bin/mawk", "p", _PLACE, mode=0o700),
    FileRule("/etc/*", "p", _PLACE),
    FileRule("/opt/new/text", "p", _PLACE, text="x"),
    FileRule("/usr/lib64/libm*", "p", _PLACE),
]
_PATHS = [
    *("/bin/awk", "/usr/bin/script", "/lib64/libc.so.6", "/usr/bin/twin", "/bin/other"),
    *("/usr/share/doc/two", "/etc/conf", "/usr", "/lib64/ld-linux-x86-64.so.2", "/"),
]


@given(st.permutations(_PATHS), st.integers(1, len(_PATHS)))
def test_collecting(paths: list[str], count: int) -> None:
    """Finds collected in any order, some twice, give the same Plan."""
    plans = []
    for order in (paths[:count], sorted(paths[:count]), paths[:count] * 2):
        into = collection(ROOT)
        for path in order:
            found = ROOT.lookup(path)
            assert found is not None, path
            into.add(found, WANTED)
        plans.append(into.plan())
    assert plans[0] == plans[1] == plans[2]


@given(st.permutations(_PROGRAMS), st.permutations(_RULES), st.permutations(_PROGRAMS))
def test_assembling(named: list[str], files: list[FileRule], ruled: list[str]) -> None:
    """Programs, a profile's programs and its files in any order give the same Plan."""
    plans = []
    for order in (lambda items: items, sorted):
        programs = tuple(ProgramRule(name, "p", _PLACE) for name in order(ruled[:3]))
        profile = Profile("p", "p.yaml", programs=programs, files=tuple(order(files)))
        wish = Wish(ROOT, NOTHING, tuple(order(named[:4])), profile)
        plans.append(assemble(wish).plan)
    assert plans[0] == plans[1]
    for entry in plans[0].entries():
        assert entry.reasons, entry.path
        if entry.kind is EntryKind.HARDLINK:
            order_of_paths = list(plans[0])
            assert order_of_paths.index(entry.target) < order_of_paths.index(entry.path)


def test_a_program_brings_what_it_loads() -> None:
    """The drawing is a whole root: interpreter, RUNPATH, links and a script's program all come."""
    assembly = assemble(Wish(ROOT, NOTHING, ("script", "own")))
    assert not assembly.closure.lacking
    assert {
        "/bin",
        "/lib64",
        "/etc/alternatives/awk",
        "/usr/bin/awk",
        "/usr/bin/env",
        "/usr/bin/mawk",
        "/usr/bin/own",
        "/usr/bin/script",
        "/usr/lib64/libc.so.6",
        "/usr/lib64/libm.so.6",
        "/usr/lib/private/libown.so",
        "/usr/lib64/ld-linux-x86-64.so.2",
    } <= set(assembly.plan)
