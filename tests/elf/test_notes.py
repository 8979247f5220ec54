"""The notes that are read on request: sound ones, and each way to be none."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rootgen.elf.notes import DlopenNote, read_dlopen_notes, read_isa_needed
from rootgen.errors import ElfError
from tests.elf.image import Recipe, build
from tests.elf.reading import CountedFile

DLOPEN = 0x407C0C0A


def dlopen_notes(*texts: bytes, name: bytes = b"FDO\0", kind: int = DLOPEN) -> object:
    """Return what a file with a note for each of ``texts`` says."""
    recipe = Recipe(notes=tuple((name, kind, text) for text in texts))
    with CountedFile(build(recipe).data) as file:
        return read_dlopen_notes(file.read_at, "image")


def test_an_array() -> None:
    """One note lists several libraries, each with names in order; what is not known is let be."""
    items = [
        {
            "feature": "zip",
            "description": "Packs",
            "priority": "required",
            "soname": ["libz.so.2", "libz.so.1"],
            "later": 1,
        },
        {"soname": ["libx.so"]},
        {"soname": ["liby.so"], "priority": "suggested"},
        {"soname": ["libw.so"], "priority": "urgent"},
    ]
    assert dlopen_notes(json.dumps(items).encode() + b"\0") == (
        DlopenNote(("libz.so.2", "libz.so.1"), "required", "zip", "Packs"),
        DlopenNote(("libx.so",)),
        DlopenNote(("liby.so",), "suggested"),
        DlopenNote(("libw.so",), "recommended"),
    )


def test_several_notes() -> None:
    """One note for each, padded or not; an object where an array is, as it once was."""
    said = dlopen_notes(b'[{"soname":["liba.so"]}]\0\0\0', b'{"soname":"libb.so"}')
    assert said == (DlopenNote(("liba.so",)), DlopenNote(("libb.so",)))


def test_others() -> None:
    """Another type or owner is another matter, whatever it holds."""
    assert dlopen_notes(b"{", kind=1) == ()
    assert dlopen_notes(b"{", name=b"GNU\0") == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "that is not JSON"),
        (b"[", "that is not JSON"),
        (b"\xff\xfe", "that is not JSON"),
        (b"[" * 60_000, "that is not JSON"),
        (b"[1]", "names no library"),
        (b'[{"soname":[]}]', "names no library"),
        (b'[{"feature":"x"}]', "names no library"),
        (b'[{"soname":[1]}]', "a soname that is no name"),
        (b'[{"soname":[""]}]', "a soname that is no name"),
        (b'[{"soname":["a\\u0000b"]}]', "a soname that is no name"),
        (json.dumps([{"soname": ["x"] * 2000}]).encode(), "more than 1024 libraries"),
    ],
)
def test_malformed(text: bytes, why: str) -> None:
    """What is not as specified is an error that names the file."""
    with pytest.raises(ElfError, match=f"^image: .*{why}"):
        dlopen_notes(text)


def isa(recipe: Recipe, *properties: tuple[int, bytes]) -> str:
    """Return the level of a file with one note of ``properties``."""
    order = recipe.byte_order
    width = recipe.elf_class // 8
    data = b""
    for kind, value in properties:
        data += kind.to_bytes(4, order) + len(value).to_bytes(4, order)
        data += value + bytes(-len(value) % width)
    with CountedFile(build(replace(recipe, notes=((b"GNU\0", 5, data),))).data) as file:
        return read_isa_needed(file.read_at, "image")


@pytest.mark.parametrize("recipe", [Recipe(), Recipe(elf_class=32)])
def test_isa(recipe: Recipe) -> None:
    """The highest level counts, wherever the property stands; used is not needed."""
    feature = (0xC0000002, b"\3\0\0\0")
    assert isa(recipe, feature) == ""
    assert isa(recipe, feature, (0xC0008002, b"\7\0\0\0")) == "x86-64-v3"
    assert isa(recipe, (0xC0008002, b"\1\0\0\0"), feature) == "x86-64-v1"
    assert isa(recipe, (0xC0010002, b"\7\0\0\0")) == ""
    assert isa(recipe, (0xC0008002, b"\7")) == ""
    assert isa(recipe, (0xC0008002, b"\0\1\0\0")) == ""
