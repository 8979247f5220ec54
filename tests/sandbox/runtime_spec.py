"""What the OCI runtime-spec 1.0.2 lets a ``config.json`` hold, for Linux, as a table.

From config.md and config-linux.md: the keys that there are, which of them
are required, and what their values are. A second opinion: the code that
writes one does not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UINT32, _UINT64, _INT64 = (0, 2**32 - 1), (0, 2**64 - 1), (-(2**63), 2**63 - 1)
_NAMESPACES = {"pid", "network", "mount", "ipc", "uts", "user", "cgroup"}


def _whole(bounds: tuple[int, int]) -> Callable[[object], bool]:
    return lambda value: type(value) is int and bounds[0] <= value <= bounds[1]


def _text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _absolute(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/")


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _one_of(*words: str) -> Callable[[object], bool]:
    return lambda value: value in words


def _prefixed(prefix: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value.startswith(prefix) and value.isupper()


# A list is a list of its one member; a dict is an object: "key" may be there, "key!" must.
_CAPABILITIES = [_prefixed("CAP_")]
_MAP = {"containerID!": _whole(_UINT32), "hostID!": _whole(_UINT32), "size!": _whole(_UINT32)}
_CONFIG: object = {
    "ociVersion!": _one_of("1.0.2"),
    "process": {
        "terminal": _flag,
        "user!": {
            "uid!": _whole(_UINT32),
            "gid!": _whole(_UINT32),
            "umask": _whole(_UINT32),
            "additionalGids": [_whole(_UINT32)],
        },
        "args!": [_text],
        "env": [lambda value: _text(value) and "=" in str(value)],
        "cwd!": _absolute,
        "capabilities": dict.fromkeys(
            ("bounding", "effective", "inheritable", "permitted", "ambient"), _CAPABILITIES
        ),
        "rlimits": [
            {"type!": _prefixed("RLIMIT_"), "soft!": _whole(_UINT64), "hard!": _whole(_UINT64)}
        ],
        "noNewPrivileges": _flag,
    },
    "root": {"path!": _text, "readonly": _flag},
    "hostname": _text,
    "mounts": [{"destination!": _absolute, "type": _text, "source": _text, "options": [_text]}],
    "linux": {
        "namespaces": [{"type!": _one_of(*_NAMESPACES), "path": _absolute}],
        "uidMappings": [_MAP],
        "gidMappings": [_MAP],
        "devices": [
            {
                "path!": _absolute,
                "type!": _one_of("c", "b", "u", "p"),
                "major": _whole(_INT64),
                "minor": _whole(_INT64),
                "fileMode": _whole((0, 0o777)),
                "uid": _whole(_UINT32),
                "gid": _whole(_UINT32),
            }
        ],
        "resources": {
            "memory": {"limit": _whole(_INT64), "swap": _whole(_INT64)},
            "cpu": {"quota": _whole(_INT64), "period": _whole(_UINT64)},
            "pids": {"limit!": _whole(_INT64)},
        },
        "seccomp": {
            "defaultAction!": _prefixed("SCMP_ACT_"),
            "defaultErrnoRet": _whole(_UINT32),
            "architectures": [_prefixed("SCMP_ARCH_")],
            "flags": [_prefixed("SECCOMP_FILTER_FLAG_")],
            "syscalls": [
                {
                    "names!": [_text],
                    "action!": _prefixed("SCMP_ACT_"),
                    "errnoRet": _whole(_UINT32),
                    "args": [
                        {
                            "index!": _whole((0, 5)),
                            "value!": _whole(_UINT64),
                            "valueTwo": _whole(_UINT64),
                            "op!": _prefixed("SCMP_CMP_"),
                        }
                    ],
                }
            ],
        },
        "maskedPaths": [_absolute],
        "readonlyPaths": [_absolute],
    },
}


def mistakes(config: object) -> list[str]:
    """Return what in ``config`` the specification does not allow, each with its place."""
    return list(_mistakes(config, _CONFIG, ""))


def _mistakes(value: object, rule: object, place: str) -> Iterator[str]:
    if isinstance(rule, dict):
        yield from _of_object(value, rule, place)
    elif isinstance(rule, list):
        if not isinstance(value, list):
            yield f"{place} is no list"
            return
        for number, one in enumerate(value):
            yield from _mistakes(one, rule[0], f"{place}[{number}]")
    elif callable(rule) and not rule(value):
        yield f"{place} is {value!r}"


def _of_object(value: object, rule: dict[str, object], place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is no object"
        return
    known = {key.rstrip("!"): one for key, one in rule.items()}
    for key in rule:
        if key.endswith("!") and key.rstrip("!") not in value:
            yield f"{place}.{key.rstrip('!')} is missing"
    for key, one in value.items():
        where = f"{place}.{key}".lstrip(".")
        if key not in known:
            yield f"{where} is not known"
        else:
            yield from _mistakes(one, known[key], where)
