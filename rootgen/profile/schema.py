"""A document → what one profile file says by itself, every mistake noted.

The keys are those of DESIGN, section 5, as far as commands use them.
"""

from __future__ import annotations

import os
import re

from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile import field
from rootgen.profile.document import Scalar
from rootgen.profile.files import read_files
from rootgen.profile.image import read_image
from rootgen.profile.model import ImageConfig, ProgramRule, Verification
from rootgen.profile.users import read_users

if TYPE_CHECKING:
    from rootgen.profile.document import Value
    from rootgen.profile.field import Fields
    from rootgen.profile.mistakes import Mistakes
    from rootgen.profile.model import FileRule, UserRule

KEYS = (
    "rootgen",
    "name",
    "description",
    "extends",
    "programs",
    "libraries",
    "files",
    "users",
    "image",
    "layers",
    "verify",
)
VERSION = "1"
LAYER_KEYS = ("name", "extends", "programs", "libraries", "files", "users")
# podman runs 127 layers and not 200: what else an image has must have room.
MOST_LAYERS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*(/[A-Za-z0-9][A-Za-z0-9_.+-]*)*")


class Written(NamedTuple):
    """One file's own content; ``extends`` are the names as written, with their places.

    A layer of ``layers`` is what it is united of: its own content last, and
    before it what it extends, once that has been read.
    """

    name: str
    file: str
    description: str = ""
    extends: tuple[Scalar, ...] = ()
    programs: tuple[ProgramRule, ...] = ()
    libraries: tuple[ProgramRule, ...] = ()
    files: tuple[FileRule, ...] = ()
    users: tuple[UserRule, ...] = ()
    image: ImageConfig = ImageConfig()
    image_keys: frozenset[str] = frozenset()
    verify: tuple[Verification, ...] = ()
    layers: tuple[tuple[Written, ...], ...] = ()


def read_written(
    document: Value, file: str, name: str, directory: str, mistakes: Mistakes
) -> Written:
    """Return what ``document`` says.

    ``file`` and ``name`` are what to call it (its own ``name:`` prevails);
    ``directory`` is where its ``from:`` paths start.
    """
    fields = field.table(document, "a profile", KEYS, mistakes)
    _check_version(document, fields, mistakes)
    name = _name(fields, name, mistakes)
    written = Written(name, file)
    if "description" in fields:
        description = field.text(fields["description"][1], "description", mistakes, empty=True)
        written = written._replace(description=" ".join((description or "").split()))
    written = _with_content(written, fields, directory, mistakes)
    if "layers" in fields:
        layers = _layers(fields["layers"], written, directory, mistakes)
        written = written._replace(layers=layers)
    if "image" in fields:
        image, keys = read_image(fields["image"][1], mistakes)
        written = written._replace(image=image, image_keys=keys)
    if "verify" in fields:
        written = written._replace(verify=_verify(fields["verify"][1], name, mistakes))
    return written


def _with_content(written: Written, fields: Fields, directory: str, mistakes: Mistakes) -> Written:
    """Return ``written`` with what a profile and each of its layers may bring."""
    name = written.name
    if "extends" in fields:
        extends = field.texts(fields["extends"][1], "extends", mistakes)
        written = written._replace(extends=extends)
    if "programs" in fields:
        programs = _programs(fields["programs"][1], "programs", name, mistakes)
        written = written._replace(programs=programs)
    if "libraries" in fields:
        libraries = _programs(fields["libraries"][1], "libraries", name, mistakes)
        written = written._replace(libraries=libraries)
    if "files" in fields:
        files = read_files(fields["files"][1], name, directory, mistakes)
        written = written._replace(files=files)
    if "users" in fields:
        written = written._replace(users=read_users(fields["users"][1], name, mistakes))
    return written


def _layers(
    written: tuple[Scalar, Value], profile: Written, directory: str, mistakes: Mistakes
) -> tuple[tuple[Written, ...], ...]:
    key, value = written
    layers: list[tuple[Written, ...]] = []
    first: dict[str, int] = {}
    for item in field.sequence(value, "layers", mistakes):
        fields = field.table(item, "a layer", LAYER_KEYS, mistakes)
        if "name" not in fields:
            if field.is_bare(item, fields):
                mistakes.add(item.place, "a layer needs a 'name'")
            continue
        name = _name(fields, "", mistakes)
        place = fields["name"][1].place
        if name and first.setdefault(name, place.line) != place.line:
            message = f"layer '{name}' is given twice; first in line {first[name]}"
            mistakes.add(place, message)
        layer = Written(name, profile.file)
        layers.append((_with_content(layer, fields, directory, mistakes),))
    if len(layers) > MOST_LAYERS:
        mistakes.add(key.place, f"{len(layers)} layers; an image has at most {MOST_LAYERS}")
    return tuple(layers)


def name_of(file: str) -> str:
    """Return the name of a profile that says none: its file's, without the suffix."""
    base = os.path.basename(file)
    stem, suffix = os.path.splitext(base)
    return stem if suffix in {".yaml", ".yml"} else base


def _check_version(document: Value, fields: Fields, mistakes: Mistakes) -> None:
    if "rootgen" not in fields:
        mistakes.add(document.place, "no 'rootgen: 1'; it says which language the profile is in")
        return
    value = fields["rootgen"][1]
    if not (isinstance(value, Scalar) and value.kind == "integer" and value.text == VERSION):
        mistakes.add(value.place, f"rootgen must be {VERSION}, not {field.described(value)}")


def _name(fields: Fields, otherwise: str, mistakes: Mistakes) -> str:
    if "name" not in fields:
        return otherwise
    value = fields["name"][1]
    name = field.text(value, "name", mistakes)
    if name is not None and not _NAME.fullmatch(name):
        mistakes.add(
            value.place, f"name '{name}' must be letters, digits and '_.+-', with '/' between"
        )
        return otherwise
    return name or otherwise


def _programs(value: Value, what: str, profile: str, mistakes: Mistakes) -> tuple[ProgramRule, ...]:
    kind = "a program" if what == "programs" else "a library"
    rules: dict[str, ProgramRule] = {}
    for item in field.sequence(value, what, mistakes):
        optional = False
        named: Value = item
        if not isinstance(item, Scalar):
            fields = field.table(item, kind, ("name", "optional"), mistakes)
            if "name" not in fields:
                if field.is_bare(item, fields):
                    mistakes.add(item.place, f"{kind} needs a 'name'")
                continue
            named = fields["name"][1]
            if "optional" in fields:
                optional = field.truth(fields["optional"][1], "optional", mistakes)
        name = field.text(named, kind, mistakes)
        if name is not None and "/" in name:
            name = field.path(named, kind, mistakes)
        if name is not None:
            rules[name] = ProgramRule(name, profile, named.place, optional)
    return tuple(rules.values())


def _verify(value: Value, profile: str, mistakes: Mistakes) -> tuple[Verification, ...]:
    checks: list[Verification] = []
    for item in field.sequence(value, "verify", mistakes):
        expect = ""
        command: Value = item
        if not isinstance(item, Scalar):
            fields = field.table(item, "a verify item", ("run", "expect"), mistakes)
            if "run" not in fields:
                if field.is_bare(item, fields):
                    mistakes.add(item.place, "a verify item needs 'run'")
                continue
            command = fields["run"][1]
            if "expect" in fields:
                expect = _expression(fields["expect"][1], mistakes)
        run = field.text(command, "run", mistakes)
        if run is not None:
            checks.append(Verification(run, expect, profile, item.place))
    return tuple(checks)


def _expression(value: Value, mistakes: Mistakes) -> str:
    written = field.text(value, "expect", mistakes)
    if written is None:
        return ""
    try:
        re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        mistakes.add(value.place, f"expect '{written}' is no regular expression: {error}")
        return ""
    return written
