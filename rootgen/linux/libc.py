"""The C library, and how a call of it becomes a value or an OSError.

System calls that have a wrapper in every glibc and musl we meet go through
it; the others (openat2, mount_setattr, clone with namespace flags, …) go
through ``syscall(2)`` by number. Sources of the numbers: the kernel's
``arch/*/entry/syscalls/*.tbl`` and ``include/uapi/asm-generic/unistd.h``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache

from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# CDLL(None) is the C library that Python itself is linked with, glibc or musl.
_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSCALL = _LIBC.syscall
_SYSCALL.restype = ctypes.c_long
# Each argument is one register: a number of any sign, or an address. Said once, ctypes converts
# them without a Python object for each, which is a third of the cost of a call.
_REGISTERS = 6
_SYSCALL.argtypes = (ctypes.c_long, *(ctypes.c_void_p,) * _REGISTERS)
_UNUSED = tuple((0,) * (_REGISTERS - used) for used in range(_REGISTERS + 1))

AT_FDCWD = -100

# From Linux 5.1 on, every architecture numbers new calls alike.
OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
CLOSE_RANGE = 436
OPENAT2 = 437
MOUNT_SETATTR = 442
LANDLOCK_CREATE_RULESET = 444
LANDLOCK_ADD_RULE = 445
LANDLOCK_RESTRICT_SELF = 446
LISTXATTRAT = 465


class Numbers(NamedTuple):
    """The numbers of the older calls on one architecture."""

    clone: int
    pivot_root: int
    renameat2: int
    seccomp: int
    keyctl: int
    # clone(2), "C library/kernel differences": s390 takes the stack before the flags.
    stack_first: bool = False


_GENERIC = Numbers(clone=220, pivot_root=41, renameat2=276, seccomp=277, keyctl=219)
# By os.uname().machine, and whether this process is a 64-bit one (i386 Python on x86_64).
_NUMBERS = {
    ("x86_64", True): Numbers(clone=56, pivot_root=155, renameat2=316, seccomp=317, keyctl=250),
    ("x86_64", False): Numbers(clone=120, pivot_root=217, renameat2=353, seccomp=354, keyctl=288),
    ("i686", False): Numbers(clone=120, pivot_root=217, renameat2=353, seccomp=354, keyctl=288),
    ("aarch64", True): _GENERIC,
    ("aarch64", False): Numbers(clone=120, pivot_root=218, renameat2=382, seccomp=383, keyctl=311),
    ("armv7l", False): Numbers(clone=120, pivot_root=218, renameat2=382, seccomp=383, keyctl=311),
    ("armv6l", False): Numbers(clone=120, pivot_root=218, renameat2=382, seccomp=383, keyctl=311),
    ("riscv64", True): _GENERIC,
    ("loongarch64", True): _GENERIC,
    ("ppc64le", True): Numbers(clone=120, pivot_root=203, renameat2=357, seccomp=358, keyctl=271),
    ("ppc64", True): Numbers(clone=120, pivot_root=203, renameat2=357, seccomp=358, keyctl=271),
    ("s390x", True): Numbers(
        clone=120, pivot_root=217, renameat2=347, seccomp=348, keyctl=280, stack_first=True
    ),
    ("mips64", True): Numbers(
        clone=5055, pivot_root=5151, renameat2=5311, seccomp=5312, keyctl=5241
    ),
}


@cache
def numbers() -> Numbers:
    """Return this machine's numbers; raise OSError(ENOSYS) where we do not know them."""
    machine = os.uname().machine
    found = _NUMBERS.get((machine, sys.maxsize > 2**32))
    if found is None:
        raise OSError(errno.ENOSYS, "the system call numbers of this machine are unknown", machine)
    return found


def system_call(number: int, *arguments: object) -> int:
    """Make system call ``number``; return its result, or -1 with errno kept by ctypes.

    Integers fill a whole register, as the kernel reads it, and the registers
    that are not used are 0. Anything else is bytes, an array or what ``ctypes.byref`` returns,
    and passed as its address; not what ``ctypes.cast`` returns, which only the garbage collector
    can free.
    """
    return int(_SYSCALL(number, *arguments, *_UNUSED[len(arguments)]))


def padded(number: int) -> tuple[Callable[..., int], tuple[int, ...]]:
    """Return what ``system_call`` calls, and what ``number`` arguments are to be followed by.

    For who makes the same call often; it returns -1 and leaves an errno, too.
    """
    return _SYSCALL, _UNUSED[number]


def function(name: str, *types: Any) -> Callable[..., int]:
    """Return the C library's ``name``, which takes arguments of ``types`` (of ctypes).

    It returns -1 and leaves an errno where it fails. AttributeError where there is none such.
    """
    found = _LIBC[name]  # one of its own: another caller may have other types in mind
    found.argtypes = types
    return found


def call(name: str, *arguments: object) -> int:
    """Call the C library's ``name``; AttributeError where it has none such."""
    return int(getattr(_LIBC, name)(*arguments))


def has(name: str) -> bool:
    """Say whether the C library has a function ``name``."""
    return hasattr(_LIBC, name)


def last_errno() -> int:
    """Return the errno that the last call left."""
    return ctypes.get_errno()


def check(result: int, filename: str = "", filename2: str | None = None) -> int:
    """Return ``result``, or raise OSError for the last errno where it is -1."""
    if result == -1:
        raise error(ctypes.get_errno(), filename, filename2)
    return result


def error(number: int, filename: str = "", filename2: str | None = None) -> OSError:
    """Make the OSError (of the fitting subclass) for errno ``number``."""
    message = os.strerror(number)
    if filename2 is None:
        return OSError(number, message, filename) if filename else OSError(number, message)
    return OSError(number, message, filename, None, filename2)
