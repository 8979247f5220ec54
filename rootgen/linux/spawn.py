"""posix_spawn(3), prepared by one process and called by its copy, which then touches little.

``os.posix_spawn`` makes the C strings of every argument and variable as it is called. Here they
are made before: the copy makes one call. Of the two types whose sizes the C library keeps to
itself, glibc's and musl's have 336 and 80 bytes on 64-bit machines, and less elsewhere.
"""

from __future__ import annotations

import ctypes
import os

from rootgen.linux.libc import error, function
from rootgen.linux.signal_set import signal_set
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Strings = ctypes.Array[ctypes.c_char_p]

# spawn.h, alike in glibc and musl.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
_OPAQUE_BYTES = 1024

_POINTER = ctypes.c_void_p
_SPAWN = function("posix_spawn", *(_POINTER,) * 6)
_INIT = function("posix_spawnattr_init", _POINTER)
_SET_FLAGS = function("posix_spawnattr_setflags", _POINTER, ctypes.c_short)
_SET_DEFAULT = function("posix_spawnattr_setsigdefault", _POINTER, _POINTER)
_SET_MASK = function("posix_spawnattr_setsigmask", _POINTER, _POINTER)
_INIT_ACTIONS = function("posix_spawn_file_actions_init", _POINTER)
_ADD_OPEN = function(
    "posix_spawn_file_actions_addopen",
    _POINTER,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_uint,
)
_ADD_DUP2 = function("posix_spawn_file_actions_adddup2", _POINTER, ctypes.c_int, ctypes.c_int)


class Spawn(NamedTuple):
    """How a program is started, but for its path: in a session of its own, that much is sure."""

    arguments: Strings
    environment: Strings
    attributes: ctypes.Array[ctypes.c_char]
    made: ctypes.c_int


def strings(texts: Sequence[str]) -> Strings:
    """Return texts as C has a list of them; raise ValueError for one that a zero would cut."""
    encoded = [os.fsencode(text) for text in texts]
    if any(b"\0" in text for text in encoded):
        raise ValueError("embedded null byte")
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)


def prepare_spawn(
    command: Sequence[str], environment: Iterable[tuple[str, str]], defaulted: Iterable[int]
) -> Spawn:
    """Prepare the start of ``command``, with no signal blocked and ``defaulted`` as they come.

    Raises ValueError for a text with a zero, and a variable of no name or one with ``=``.
    """
    attributes = ctypes.create_string_buffer(_OPAQUE_BYTES)
    _check(_INIT(attributes))
    _check(_SET_FLAGS(attributes, _SETSIGDEF | _SETSIGMASK | _SETSID))
    _check(_SET_DEFAULT(attributes, signal_set(defaulted)))
    _check(_SET_MASK(attributes, signal_set(())))
    variables = strings([_variable(name, value) for name, value in environment])
    return Spawn(strings(command), variables, attributes, ctypes.c_int())


def _variable(name: str, value: str) -> str:
    if not name or "=" in name:
        raise ValueError("illegal environment variable name")
    return f"{name}={value}"


def spawn(
    prepared: Spawn, path: str, blocked: Iterable[int] = (), terminal: Terminal | None = None
) -> int:
    """Start the program ``path``; return its process id.

    ``blocked`` are the signals that it has blocked. Raises OSError.
    """
    arguments, environment, attributes, made = prepared
    actions = None if terminal is None else _terminal_actions(*terminal)
    if blocked:
        _check(_SET_MASK(attributes, signal_set(blocked)))
    name = os.fsencode(path)
    _check(_SPAWN(ctypes.byref(made), name, actions, attributes, arguments, environment))
    return made.value


class Terminal(NamedTuple):
    """The terminal that becomes the session's own: its name, and the streams that it becomes."""

    name: str
    streams: tuple[int, ...]


def _terminal_actions(name: str, streams: tuple[int, ...]) -> ctypes.Array[ctypes.c_char]:
    """Return the actions that open a terminal as standard input and copy that to ``streams``.

    The first terminal that the leader of a session opens is the session's
    (ioctl_tty(2), TIOCSCTTY).
    """
    actions = ctypes.create_string_buffer(_OPAQUE_BYTES)
    _check(_INIT_ACTIONS(actions))
    _check(_ADD_OPEN(actions, 0, os.fsencode(name), os.O_RDWR, 0))
    for stream in streams:
        _check(_ADD_DUP2(actions, 0, stream))
    return actions


def _check(number: int) -> None:
    """Raise OSError where a function of spawn.h returns an error, which it does not in errno."""
    if number:
        raise error(number)
