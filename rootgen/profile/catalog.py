"""The shipped profiles and what each is for."""

from __future__ import annotations

from rootgen.named import NamedTuple
from rootgen.profile.read import load_profiles, shipped_names


class Listed(NamedTuple):
    """One line of ``rootgen profile list``."""

    name: str
    description: str


def list_shipped(shipped: str) -> tuple[Listed, ...]:
    """Return the profiles in the directory ``shipped``, sorted by name.

    Raises ProfileError where one of them has mistakes.
    """
    return tuple(
        Listed(name, load_profiles((name,), shipped=shipped).description)
        for name in shipped_names(shipped)
    )
