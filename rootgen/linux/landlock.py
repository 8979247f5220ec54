"""Landlock: a process gives up opening what is not beneath some directories (landlock(7)).

Rights are of files by their inodes, not of mounts or names, and count when
something is opened: what is open stays so.
"""

from __future__ import annotations

import ctypes
import errno
import os
from struct import Struct, pack

from rootgen.linux.descriptor import record_closing, record_opening
from rootgen.linux.libc import (
    LANDLOCK_ADD_RULE,
    LANDLOCK_CREATE_RULESET,
    LANDLOCK_RESTRICT_SELF,
    check,
    last_errno,
    system_call,
)
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.linux.calls import Handler, Recorder

# linux/landlock.h
EXECUTE, WRITE_FILE, READ_FILE = 1 << 0, 1 << 1, 1 << 2
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15
# The rights that each version of the interface has (landlock(7), "VERSIONS"): 13, then one more.
_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
_BITS_NOW = 16
_SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0

_BENEATH = Struct("=Qi")  # struct landlock_path_beneath_attr is packed
_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1


def version() -> int:
    """Return the version of the kernel's interface; 0 where it has no Landlock, or it is off."""
    result = system_call(LANDLOCK_CREATE_RULESET, None, 0, _CREATE_VERSION)
    if result == -1 and last_errno() in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
        return 0
    return check(result, "landlock_create_ruleset")


def file_rights(version: int) -> int:
    """Return every right to files and directories that a version knows."""
    return (1 << _BITS.get(version, _BITS_NOW)) - 1


def create_ruleset(rights: int, *, scope_abstract_sockets: bool) -> int:
    """Return a descriptor of a new set of rules, which denies ``rights`` but where a rule allows.

    ``scope_abstract_sockets`` (version 6) denies connecting to abstract
    sockets of processes outside as well. Raises OSError.
    """
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET if scope_abstract_sockets else 0
    # struct landlock_ruleset_attr; as short as it can be, for older kernels.
    attributes = pack("=QQQ", rights, 0, scoped) if scoped else pack("=Q", rights)
    result = system_call(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    return check(result, "landlock_create_ruleset")


def allow(ruleset: int, place: int, rights: int) -> None:
    """Allow ``rights`` for the file, or beneath the directory, that ``place`` is a descriptor of.

    Raises OSError: EBADFD for what is on no file system that can be seen (a pipe, a socket), which
    Landlock leaves alone anyway.
    """
    attributes = _BENEATH.pack(rights, place)
    result = system_call(LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, attributes, 0)
    check(result, "landlock_add_rule")


def record_root(recorder: Recorder, ruleset: int, rights: int, failed: Handler) -> None:
    """Record that ``rights`` are allowed beneath what is the root by then."""
    attributes = ctypes.create_string_buffer(_BENEATH.size)
    root = record_opening(recorder, "/", os.O_PATH | os.O_DIRECTORY, failed)
    recorder.call(_BENEATH.pack_into, attributes, 0, rights, root, failed=failed)
    recorder.system_call(
        LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, attributes, 0, failed=failed
    )
    record_closing(recorder, root, failed)


def record_restriction(recorder: Recorder, ruleset: int, failed: Handler) -> None:
    """Record that a domain with these rules is entered, for good; close their descriptor.

    no_new_privs must be set. It fails by E2BIG in the sixteenth domain within another.
    """
    recorder.system_call(LANDLOCK_RESTRICT_SELF, ruleset, 0, failed=failed)
    record_closing(recorder, ruleset, failed)
