"""What the commands of the image store share."""

from __future__ import annotations

import os

from rootgen.cli.command import Option

STORE = Option(
    ("--store",), "store", metavar="DIR",
    help="The image store.  [default: rootgen in XDG_DATA_HOME, ~/.local/share]",
)  # fmt: skip

_SHORT = 12


def store_path(given: str) -> str:
    """Return the store that ``--store`` names, or the user's own."""
    if given:
        return given
    from rootgen.api.images import default_store  # who launches a directory needs nothing of images

    return default_store(os.environ)


def short_digest(digest: str) -> str:
    """Return the beginning of a digest, enough for people to tell it from others."""
    return digest.removeprefix("sha256:")[:_SHORT]
