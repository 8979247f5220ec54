"""Uniting profiles: lists append, what has a name is replaced, later over earlier."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rootgen.profile.model import ImageConfig, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from rootgen.profile.schema import Written

_T = TypeVar("_T")


def merge(parts: Sequence[Written]) -> Profile:
    """Return ``parts`` as one Profile; the last gives name, file and description.

    Programs and libraries are the same by name, files by path, users by
    name, verify items by command. Image keys override one by one, ``env``
    and ``labels`` by variable. A layer takes the place of one of its name.
    """
    last = parts[-1]
    return Profile(
        last.name,
        last.file,
        last.description,
        tuple(dict.fromkeys(part.name for part in parts if part.name != last.name)),
        _latest((rule for part in parts for rule in part.programs), lambda rule: rule.name),
        _latest((rule for part in parts for rule in part.libraries), lambda rule: rule.name),
        _latest((rule for part in parts for rule in part.files), lambda rule: rule.path),
        _latest((rule for part in parts for rule in part.users), lambda rule: rule.name),
        _image(parts),
        _latest((check for part in parts for check in part.verify), lambda check: check.run),
        tuple({one[-1].name: _layer(one) for part in parts for one in part.layers}.values()),
    )


def whole(profile: Profile) -> Profile:
    """Return ``profile`` with what its layers bring as its own, for who makes no layers."""
    parts = (profile._replace(layers=()), *profile.layers)
    return parts[0]._replace(
        programs=_latest((rule for one in parts for rule in one.programs), lambda rule: rule.name),
        libraries=_latest(
            (rule for one in parts for rule in one.libraries), lambda rule: rule.name
        ),
        files=_latest((rule for one in parts for rule in one.files), lambda rule: rule.path),
        users=_latest((rule for one in parts for rule in one.users), lambda rule: rule.name),
    )


def _layer(parts: Sequence[Written]) -> Profile:
    merged = merge(parts)
    return Profile(
        merged.name,
        merged.file,
        extends=merged.extends,
        programs=merged.programs,
        libraries=merged.libraries,
        files=merged.files,
        users=merged.users,
    )


def _latest(items: Iterable[_T], key: Callable[[_T], Hashable]) -> tuple[_T, ...]:
    table: dict[Hashable, _T] = {}
    for item in items:
        # Moved to the end: where two rules overlap, what was said later prevails.
        table.pop(key(item), None)
        table[key(item)] = item
    return tuple(table.values())


def _image(parts: Iterable[Written]) -> ImageConfig:
    image = ImageConfig()
    for part in parts:
        new, keys = part.image, part.image_keys
        image = ImageConfig(
            new.entrypoint if "entrypoint" in keys else image.entrypoint,
            new.command if "command" in keys else image.command,
            new.user if "user" in keys else image.user,
            new.workdir if "workdir" in keys else image.workdir,
            tuple({**dict(image.env), **dict(new.env)}.items()),
            tuple({**dict(image.labels), **dict(new.labels)}.items()),
        )
    return image
