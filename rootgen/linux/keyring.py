"""The session keyring: keys that processes of one login share (session-keyring(7))."""

from __future__ import annotations

from rootgen.linux.libc import check, numbers, system_call

_KEYCTL_JOIN_SESSION_KEYRING = 1


def join_new_session_keyring() -> int:
    """Begin with an empty session keyring of our own, that no name leads to; return its serial.

    Raises OSError: ENOSYS (no keyrings in this kernel), EPERM (a seccomp
    filter around us), EDQUOT (too many keys of this user: keyrings(7), maxkeys).
    """
    return check(system_call(numbers().keyctl, _KEYCTL_JOIN_SESSION_KEYRING, None), "keyctl")
