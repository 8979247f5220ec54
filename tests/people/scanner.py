"""The rules by which Trivy and Syft find Debian packages in an image, as far as they agree.

Read from what they do, not their code: Trivy takes every file of
``var/lib/dpkg/status.d/`` but those that end in ``.md5sums`` for a stanza;
Syft the same, with ``NAME.md5sums`` beside it and the stanza's Conffiles for
the files, and ``usr/share/doc/NAME/copyright`` for the licence. A line of a
stanza is a field, or begins with a space and belongs to the one before; a
field that stands twice, or a first line that is a continuation, is an error
to Syft. Both tell the distribution by ``etc/os-release`` or
``usr/lib/os-release``; Trivy passes a package over whose Status says
deinstall or purge, and one without name or version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Seen(NamedTuple):
    """A package as a scanner sees it: ``files`` by path, with MD5."""

    name: str
    version: str
    source: str
    depends: str
    files: dict[str, str]
    licence: bool


def scan(root: Path) -> tuple[str, dict[str, Seen]]:
    """Return the distribution and the packages that a scanner finds in ``root``."""
    return _release(root), {
        one.name: one
        for path in sorted((root / "var/lib/dpkg/status.d").iterdir())
        if path.suffix != ".md5sums" and (one := _package(root, path)) is not None
    }


def _release(root: Path) -> str:
    for name in ("etc/os-release", "usr/lib/os-release"):
        path = root / name
        if path.is_file():
            lines = dict(
                line.split("=", 1) for line in path.read_text().splitlines() if "=" in line
            )
            return f"{lines['ID']} {lines['VERSION_ID']}".replace('"', "")
    return ""


def _package(root: Path, path: Path) -> Seen | None:
    text = path.read_text()
    assert text.endswith("\n"), f"{path}: a scanner loses a last line without its end"
    fields: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        assert line, f"{path}: an empty line ends a stanza"
        if line.startswith(" "):
            assert key, f"{path}: begins with a continuation"
            fields[key] += f"\n {line.strip()}"
        else:
            key, colon, value = line.partition(":")
            assert colon, f"{path}: {line} is no field"
            assert key not in fields, f"{path}: {key} stands twice"
            fields[key] = value.strip()
    if set(fields.get("Status", "").split()) & {"deinstall", "purge"}:
        return None
    assert fields["Package"]
    assert fields["Version"]
    return Seen(
        fields["Package"],
        fields["Version"],
        fields.get("Source", ""),
        fields.get("Depends", ""),
        _files(path, fields),
        (root / "usr/share/doc" / fields["Package"] / "copyright").is_file(),
    )


def _files(path: Path, fields: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (path.parent / f"{path.name}.md5sums").read_text().splitlines():
        digest, name = line.split(" ", 1)
        found[f"/{name.strip().lstrip('/')}"] = digest.strip()
    for line in fields.get("Conffiles", "").splitlines():
        if line.strip():
            name, digest = line.split()[:2]
            found[name] = digest
    return found
