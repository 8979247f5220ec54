"""What the program may not have is given up, by process 1 for both of them."""

from __future__ import annotations

import os

from rootgen.linux import capability, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch


def give_up_privileges(launch: Launch) -> None:
    """Become who the program is, with what it may have; raise LaunchError."""
    uid, gid, groups = launch.credentials
    kept = capability.mask(launch.capabilities)
    try:
        capability.drop_bounding(kept)
        capability.clear_ambient()
        if groups is not None:
            os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        capability.set_all(kept if uid == 0 else 0)
        process.set_no_new_privileges()
    except OSError as error:
        doing = f"become user {uid}, group {gid} with the capabilities {launch.capabilities}"
        raise failure(doing, error) from error
    os.umask(launch.umask)
