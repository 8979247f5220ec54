"""Profiles written for one test, and what loading them says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rootgen.errors import ProfileError
from rootgen.profile.read import load_profiles
from rootgen.profile.shipped import shipped_directory

if TYPE_CHECKING:
    from rootgen.profile.model import Profile

SHIPPED = shipped_directory()


def write(directory: str, name: str, content: str | bytes) -> str:
    """Write a profile file and return its path."""
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def load(directory: str, *names: str) -> Profile:
    """Load profiles as from a command line typed in ``directory``."""
    return load_profiles(names, shipped=SHIPPED, base_directory=directory)


def refusal(directory: str, *names: str) -> str:
    """Return the message that loading fails with, ``directory`` left out; "" where it loads."""
    try:
        load(directory, *names)
    except ProfileError as error:
        return str(error).replace(f"{directory}/", "").replace(directory, "HERE")
    return ""


def refusal_of(directory: str, content: str | bytes) -> str:
    """Return the message for one profile file ``p.yaml``, which begins with ``rootgen: 1``."""
    head = b"rootgen: 1\n"
    body = content if isinstance(content, bytes) else content.encode()
    write(directory, "p.yaml", head + body)
    return refusal(directory, "./p.yaml")
