"""libseccomp's own compiler, the second opinion: fed as runc feeds it."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
from rootgen.sandbox.seccomp.compiler import is_permissive, newer_action, numbers_of
from rootgen.sandbox.seccomp.profile import (
    ACTION_MASK,
    ACTIONS,
    ERRNO,
    KILL_PROCESS,
    OPERATORS,
    TRACE,
    Profile,
    Rule,
)

_ERROR = -1  # __NR_SCMP_ERROR
_BAD_ARCHITECTURE = 2  # SCMP_FLTATR_ACT_BADARCH


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    for name in (
        "seccomp_release seccomp_arch_add seccomp_arch_remove seccomp_rule_add_array "
        "seccomp_export_bpf seccomp_attr_set"
    ).split():
        getattr(library, name).argtypes = {
            "seccomp_release": [ctypes.c_void_p],
            "seccomp_arch_add": [ctypes.c_void_p, ctypes.c_uint32],
            "seccomp_arch_remove": [ctypes.c_void_p, ctypes.c_uint32],
            "seccomp_rule_add_array": [
                ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p,
            ],
            "seccomp_export_bpf": [ctypes.c_void_p, ctypes.c_int],
            "seccomp_attr_set": [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32],
        }[name]  # fmt: skip
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    library.seccomp_arch_native.restype = ctypes.c_uint32
    return library


def token(architecture: str) -> int:
    """Return libseccomp's token of an OCI architecture; 0 for one that it does not have."""
    name = architecture.removeprefix("SCMP_ARCH_").lower()
    return int(_library().seccomp_arch_resolve_name(name.encode()))


@cache
def number(architecture: str, name: str) -> int:
    """Return libseccomp's number of a call, or less than 0."""
    resolve = _library().seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    return int(resolve(token(architecture), name.encode()))


def knows(profile_architectures: tuple[str, ...], name: str) -> bool:
    """Say whether libseccomp, which may be older, has a call where we have it."""
    for one in profile_architectures:
        ours = numbers_of(ARCHITECTURES[one]).get(name, -1)
        if max(ours, -1) != max(number(one, name), -1):
            return False
    native = _library().seccomp_arch_native()
    resolve = _library().seccomp_syscall_resolve_name_arch
    return int(resolve(native, name.encode())) != _ERROR


def restrict(profile: Profile) -> Profile:
    """Return the profile without the names that libseccomp is too old for."""
    rules = [
        rule._replace(
            names=tuple(name for name in rule.names if knows(profile.architectures, name))
        )
        for rule in profile.rules
    ]
    return profile._replace(rules=tuple(rule for rule in rules if rule.names))


def compile_profile(profile: Profile) -> bytes:
    """Return the BPF program that libseccomp makes of the profile."""
    library = _library()
    context = library.seccomp_init(profile.default)
    assert context
    try:
        native = library.seccomp_arch_native()
        tokens = [token(name) for name in profile.architectures]
        assert all(tokens)
        # In the other byte order only once its own is gone.
        _check(library.seccomp_arch_remove(context, native))
        for one in tokens:
            _check(library.seccomp_arch_add(context, one))
        _check(library.seccomp_attr_set(context, _BAD_ARCHITECTURE, KILL_PROCESS))
        for rule in profile.rules:
            if rule.action != profile.default:
                for name in rule.names:
                    _add(context, rule, name, native)
        return _export(context)
    finally:
        library.seccomp_release(context)


def _add(context: int, rule: Rule, name: str, native: int) -> None:
    """Add a rule as runc's matchCall does."""
    resolve = _library().seccomp_syscall_resolve_name_arch
    call = int(resolve(native, name.encode()))
    conditions = [
        _Comparison(one.argument, OPERATORS.index(one.operator) + 1, one.value, one.value_two)
        for one in rule.conditions
    ]
    indices = [one.argument for one in rule.conditions]
    several = len(set(indices)) < len(indices)
    for group in [[one] for one in conditions] if several else [conditions]:
        array = (_Comparison * len(group))(*group)
        _check(_library().seccomp_rule_add_array(context, rule.action, call, len(group), array))


def _export(context: int) -> bytes:
    place = os.memfd_create("filter")
    try:
        _check(_library().seccomp_export_bpf(context, place))
        return os.pread(place, 1 << 20, 0)
    finally:
        os.close(place)


def _check(result: int) -> None:
    assert result == 0, errno.errorcode.get(-result, result)


def expected(profile: Profile, architecture: str, number_called: int, answered: int) -> int:
    """Return what runc's filter answers where libseccomp's answered: its stub for newer calls.

    A program for the other byte order has some actions the wrong way round (libseccomp 2.5.4).
    """
    with_data = (ERRNO, TRACE)
    sound = answered in ACTIONS.values() or answered & ACTION_MASK in with_data
    if not sound and not ARCHITECTURES[architecture].little:
        answered = int.from_bytes(answered.to_bytes(4, "little"), "big")
    if is_permissive(profile.default):
        return answered
    names = {name for rule in profile.rules for name in rule.names}
    numbers = [one for one in (number(architecture, name) for name in names) if one >= 0]
    if numbers and number_called > max(numbers):
        return newer_action(profile)
    if number_called == 0 and architecture.startswith("SCMP_ARCH_S390"):
        return newer_action(profile)
    return answered
