"""What the program may not have is given up, by process 1 for both of them."""

from __future__ import annotations

import errno
import os

from rootgen.linux import capability, keyring, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failure

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch

_NO_KEYRINGS = (errno.ENOSYS, errno.EPERM)


def give_up_privileges(launch: Launch) -> None:
    """Become who the program is, with what it may have; raise LaunchError."""
    uid, gid, groups = launch.credentials
    kept = capability.mask(launch.capabilities)
    _leave_keyring(needed=launch.keyring_needed)
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


def _leave_keyring(*, needed: bool) -> None:
    """Leave the caller's session keyring, with the keys of its login, for an empty one.

    Where there are no keyrings, or a filter around us forbids to ask for
    one, the program cannot ask either. So it is where its own filter forbids
    it; then it does not matter if the user has too many keys already.
    """
    try:
        keyring.join_new_session_keyring()
    except OSError as error:
        if error.errno in _NO_KEYRINGS or (error.errno == errno.EDQUOT and not needed):
            return
        hint = "the user has too many keys: see /proc/key-users and sysctl kernel.keys.maxkeys"
        raise failure(
            "begin with an empty session keyring",
            error,
            hint if error.errno == errno.EDQUOT else "",
        ) from error
