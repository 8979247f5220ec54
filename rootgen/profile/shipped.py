"""Where the shipped profiles are, and which of them a program's name brings.

On the path of every ``make``: nothing heavier than ``os`` is imported.
"""

from __future__ import annotations

import os


def shipped_directory() -> str:
    """Return the directory of the shipped profiles, absolute.

    A wheel has them inside the package (``force-include`` in
    pyproject.toml), a checkout beside it.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "profiles")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "profiles")


def shipped_path(name: str, shipped: str) -> str | None:
    """Return the file of the shipped profile ``name``, or None where there is none.

    A name is one or more plain components (``git``, ``base/posix``): it
    never leads out of ``shipped``.
    """
    parts = name.split("/")
    if "\0" in name or any(part in {"", ".", ".."} for part in parts):
        return None
    path = os.path.join(shipped, f"{name}.yaml")
    return path if os.path.isfile(path) else None


def known_profile(program: str, shipped: str) -> str | None:
    """Return the name of the shipped profile for the program named ``program``, if any.

    ``program`` is a name or a path; one ``stat`` answers.
    """
    name = program.rpartition("/")[2]
    return name if shipped_path(name, shipped) else None
