"""``profile``: the shipped profiles, and whether a profile has mistakes."""

from __future__ import annotations

from rootgen.errors import ProfileError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile.catalog import list_shipped
from rootgen.profile.read import load_profiles
from rootgen.profile.shipped import shipped_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.profile.catalog import Listed


class Linted(NamedTuple):
    """One profile as it was named, and what is wrong with it (None: nothing)."""

    name: str
    error: ProfileError | None


def list_profiles() -> tuple[Listed, ...]:
    """Return the shipped profiles; raise ProfileError where one of them has mistakes."""
    return list_shipped(shipped_directory())


def lint_profiles(names: Sequence[str]) -> tuple[Linted, ...]:
    """Read each of ``names``, a file or a shipped profile, with all that it extends."""
    return tuple(Linted(name, _mistakes(name)) for name in names)


def _mistakes(name: str) -> ProfileError | None:
    try:
        load_profiles((name,), shipped=shipped_directory())
    except ProfileError as error:
        return error
    return None
