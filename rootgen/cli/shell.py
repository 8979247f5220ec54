"""``rootgen shell``."""

from __future__ import annotations

from typing import Any

import click

from rootgen.cli.launch import launch, launch_options


@click.command(short_help="Open the best shell in a root file system.")
@click.argument("root", metavar="ROOTFS")
@launch_options
def shell(root: str, words: tuple[str, ...], given: dict[str, Any]) -> int:
    """Open the best shell that the tree ROOTFS has: bash, zsh, dash, sh or busybox.

    \b
      rootgen shell ./rootfs
      rootgen shell --user app --net host ./rootfs
      rootgen shell --explain ./rootfs           what a container is, step by step

    The exit status is the shell's own; 125 says that rootgen failed. What is
    written inside is in the tree afterwards.
    """
    return launch(root, words, given)
