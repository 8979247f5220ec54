"""The session keyring: keys that processes of one login share (session-keyring(7))."""

from __future__ import annotations

from rootgen.linux.libc import numbers
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder

_KEYCTL_JOIN_SESSION_KEYRING = 1


def record_joining_new_session(recorder: Recorder, failed: Handler) -> None:
    """Record that we begin with an empty session keyring of our own, that no name leads to.

    It fails by ENOSYS (no keyrings in this kernel), EPERM (a seccomp
    filter around us), EDQUOT (too many keys of this user: keyrings(7), maxkeys).
    """
    recorder.system_call(numbers().keyctl, _KEYCTL_JOIN_SESSION_KEYRING, 0, failed=failed)
