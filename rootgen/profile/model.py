"""A profile as a value: what a YAML file says, checked, with the place of every item.

``extends`` is already applied: ``Profile`` is the merged result, and each
rule keeps the name of the profile that it came from for its Reason.
"""

from __future__ import annotations

from rootgen.named import NamedTuple


class Place(NamedTuple):
    """Where something stands in a profile: file, line and column, both from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Render as compilers do: ``FILE:LINE:COLUMN``."""
        return f"{self.file}:{self.line}:{self.column}"


class ProgramRule(NamedTuple):
    """A program (or, under ``libraries``, a soname) that the profile asks for."""

    name: str
    profile: str
    place: Place
    optional: bool = False


class FileRule(NamedTuple):
    """One item of ``files``.

    ``path`` is the target path; with neither ``text`` nor ``source`` it is
    read from the Sysroot and may be a glob (``*``, ``?``, ``[]``, ``**``); a
    directory brings all beneath it. ``source`` is an absolute path of the
    host, already proven to lie beneath the profile's own directory.
    ``mode`` None keeps the source's mode; ``owner`` and ``group`` are names
    of the profile's users, of the target's passwd, or numbers.
    """

    path: str
    profile: str
    place: Place
    text: str | None = None
    source: str | None = None
    link: str | None = None
    directory: bool = False
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    optional: bool = False
    exclude: tuple[str, ...] = ()


class UserRule(NamedTuple):
    """One item of ``users``: a passwd(5) line to be, and its group."""

    name: str
    uid: int
    gid: int
    profile: str
    place: Place
    home: str = "/"
    shell: str = "/usr/sbin/nologin"
    comment: str = ""


class ImageConfig(NamedTuple):
    """``image``: what an OCI config, ``run`` and ``shell`` take as defaults."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class Verification(NamedTuple):
    """One item of ``verify``: a shell command, and a regular expression for its output."""

    run: str
    expect: str
    profile: str
    place: Place


class Profile(NamedTuple):
    """A profile with everything it extends merged in, later over earlier.

    ``layers`` are what ``build`` makes a layer of each, in order: profiles
    that have a name, programs, libraries, files and users, and nothing else.
    """

    name: str
    file: str
    description: str = ""
    extends: tuple[str, ...] = ()
    programs: tuple[ProgramRule, ...] = ()
    libraries: tuple[ProgramRule, ...] = ()
    files: tuple[FileRule, ...] = ()
    users: tuple[UserRule, ...] = ()
    image: ImageConfig = ImageConfig()
    verify: tuple[Verification, ...] = ()
    layers: tuple[Profile, ...] = ()
