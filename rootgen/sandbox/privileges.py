"""What the program may not have is given up, by process 1 for both of them."""

from __future__ import annotations

import errno
import os

from rootgen.linux import capability, keyring, process
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.place import failing, failure

if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from rootgen.linux.calls import Recorder, Slot
    from rootgen.sandbox.launch import Launch

_NO_KEYRINGS = (errno.ENOSYS, errno.EPERM)


def record_privileges(recorder: Recorder, launch: Launch, given_up: Slot | int = 0) -> None:
    """Record how a process becomes who the program is, with what it may have.

    ``given_up`` are capabilities, as bits, that are out of its bounding set by then although the
    launch has them. What is recorded raises LaunchError.
    """
    uid, gid, groups = launch.credentials
    kept = capability.mask(launch.capabilities)
    others = 0 if uid == 0 else kept & capability.mask(launch.ambient)
    _leave_keyring(recorder, needed=launch.keyring_needed)
    failed = failing(f"become user {uid}, group {gid} with the capabilities {launch.capabilities}")
    capability.record_bounding(recorder, kept, failed)
    capability.record_no_ambient(recorder, failed)
    if groups is not None:
        recorder.call(os.setgroups, groups, failed=failed)
    if others:
        ambient = load_ambient()
        ambient.record_keeping(recorder, failed)
        process.record_ids(recorder, uid, gid, failed)
        ambient.record_ambient(recorder, others, given_up, failed)
    else:
        process.record_ids(recorder, uid, gid, failed)
        capability.record_all(recorder, kept if uid == 0 else 0, failed)
    process.record_prctl(recorder, process.PR_SET_NO_NEW_PRIVS, 1, failed)
    process.record_umask(recorder, launch.umask, failed)


def load_ambient() -> ModuleType:
    """Import what only launches with capabilities for another user than 0 need, and return it.

    For who records privileges when the host's Python is out of reach.
    """
    from rootgen.linux import ambient

    return ambient


def _leave_keyring(recorder: Recorder, *, needed: bool) -> None:
    """Leave the caller's session keyring, with the keys of its login, for an empty one.

    Where there are no keyrings, or a filter around us forbids to ask for
    one, the program cannot ask either. So it is where its own filter forbids
    it; then it does not matter if the user has too many keys already.
    """

    def failed(_values: list[Any], position: int, error: OSError) -> int:
        if error.errno in _NO_KEYRINGS or (error.errno == errno.EDQUOT and not needed):
            return position + 1
        hint = "the user has too many keys: see /proc/key-users and sysctl kernel.keys.maxkeys"
        raise failure(
            "begin with an empty session keyring",
            error,
            hint if error.errno == errno.EDQUOT else "",
        ) from error

    keyring.record_joining_new_session(recorder, failed)
