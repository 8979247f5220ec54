"""``rootgen shell``."""

from __future__ import annotations

from rootgen.cli.command import Argument, Command
from rootgen.cli.launch import LAUNCH_OPTIONS, launch
from rootgen.errors import LaunchError
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


def shell(root: str, **given: Any) -> int:
    """Open the best shell that ROOTFS has: bash, zsh, dash, sh or busybox.

    \b
      rootgen shell ./rootfs
      rootgen shell --user app --net host ./rootfs
      rootgen shell --explain ./rootfs           what a container is, step by step
      rootgen shell tools/git:1                  an image of the store
      rootgen shell --commit tools/git:2 tools/git:1

    ROOTFS is a directory, or else the name of an image in the store. The
    exit status is the shell's own; 125 says that rootgen failed. What is
    written inside is in the directory afterwards; of an image it is
    discarded, or with --commit one more layer of it. When the terminal hangs
    up the shell gets SIGHUP, is killed 1 s later, and the exit status is 129.
    """
    return launch(root, (), given)


COMMAND = Command(
    "shell",
    "Open the best shell in a root file system.",
    shell,
    (Argument("root", "ROOTFS"), *LAUNCH_OPTIONS),
    failure=LaunchError.exit_status,
)
