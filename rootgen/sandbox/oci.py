"""A Launch as the ``config.json`` of an OCI runtime bundle, for runc, crun and their kind (pure).

Source: the OCI runtime-spec, config.md and config-linux.md, version 1.0.2.
What a runtime does by itself (the default devices and links in /dev, a
process that reaps) is not said again. What it cannot be told is an error.
"""

from __future__ import annotations

from rootgen.errors import LaunchError, UsageError
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import Mount, Protect, Text
from rootgen.sandbox.place import flag_words
from rootgen.sandbox.seccomp.filter import TERMINAL_NAME, profile_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import IdMap, Launch, Step
    from rootgen.sandbox.options import Options, Rlimit

    Document = dict[str, object]

VERSION = "1.0.2"
# config-linux.md, "Namespaces". A time namespace is newer than the runtimes of this decade's
# distributions, which refuse what they do not know.
_NAMESPACES = {
    "user": "user",
    "mount": "mount",
    "pid": "pid",
    "uts": "uts",
    "ipc": "ipc",
    "net": "network",
    "cgroup": "cgroup",
}
# config-linux.md, "Default Devices".
_DEFAULT_DEVICES = frozenset(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")
)
_INFINITY = 2**64 - 1
_PERIOD = 100_000  # microseconds: the kernel's own default
_LEAST_QUOTA = 1_000  # sched-bwc.rst
_RESOLVER = "/etc/resolv.conf"


def runtime_config(launch: Launch, options: Options, root: str) -> Document:
    """Return ``config.json`` for ``launch``, whose root is at ``root`` (relative: in the bundle).

    ``options`` are those that it was composed of, whose limits a runtime
    makes in its own way. Raises UsageError for what a bundle cannot say.
    """
    _refuse(launch, options)
    config: Document = {
        "ociVersion": VERSION,
        "process": _process(launch),
        "root": {"path": root, "readonly": launch.read_only},
        "hostname": launch.hostname,
        "mounts": [one for step in launch.steps for one in _mounts(step)],
        "linux": _linux(launch, options),
    }
    _check_text(config)
    return config


def _refuse(launch: Launch, options: Options) -> None:
    refused = {
        f"--net {options.network}": launch.uplink is not None,
        "--publish": bool(options.publish),
        "--ephemeral": launch.root.stacked,
        "--timeout": launch.time_limit is not None,
        "--io": bool(options.io),
        "--device": bool(options.devices),
    }
    for option, asked in refused.items():
        if asked:
            raise UsageError(
                f"{option}: an OCI bundle cannot say it",
                hint="leave it out, and have the runtime or what calls it do that",
            )


def _process(launch: Launch) -> Document:
    uid, gid, groups = launch.credentials
    kept = [f"CAP_{name}" for name in launch.capabilities]
    ambient = [f"CAP_{name}" for name in launch.ambient]
    own = kept if uid == 0 else ambient
    user: Document = {"uid": uid, "gid": gid, "umask": launch.umask}
    # Its own group is one of its groups anyway; and rootless runc wants none named.
    if others := [group for group in groups or () if group != gid]:
        user["additionalGids"] = others
    return {
        "terminal": launch.terminal,
        "user": user,
        "args": list(launch.command),
        "env": [f"{name}={value}" for name, value in launch.environment],
        "cwd": launch.workdir if launch.workdir.startswith("/") else f"/{launch.workdir}",
        "capabilities": {
            "bounding": kept,
            "effective": own,
            "permitted": own,
            "inheritable": ambient,
            "ambient": ambient,
        },
        "rlimits": [_rlimit(one) for one in launch.rlimits],
        "noNewPrivileges": True,
    }


def _rlimit(limit: Rlimit) -> Document:
    return {
        "type": f"RLIMIT_{limit.name.upper()}",
        "soft": _INFINITY if limit.soft is None else limit.soft,
        "hard": _INFINITY if limit.hard is None else limit.hard,
    }


def _mounts(step: Step) -> Iterator[Document]:
    match step:
        case Mount(target=target) if target in _DEFAULT_DEVICES:
            return
        case Mount(bind=True):
            words = ["bind" if step.file else "rbind", *_words(step.flags)]
            yield _mount(step.target, "bind", step.source, words)
        case Mount():
            words = [*_words(step.flags), *filter(None, step.data.split(","))]
            yield _mount(step.target, step.fstype, step.source, words)
        case Text(path) if path == _RESOLVER:
            # A copy would be of the machine that wrote the bundle.
            words = ["bind", "ro", "nosuid", "nodev", "noexec"]
            yield _mount(path, "bind", path, words)
        case Text(path):
            raise LaunchError(f"cannot show {path} from an OCI bundle")
        case _:
            return


def _mount(target: str, kind: str, source: str, options: list[str]) -> Document:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _words(flags: int) -> list[str]:
    return [word for word in flag_words(flags).split(",") if word]


def _linux(launch: Launch, options: Options) -> Document:
    protected = [step for step in launch.steps if isinstance(step, Protect)]
    namespaces = [_NAMESPACES[name] for name in launch.namespaces if name in _NAMESPACES]
    document: Document = {"namespaces": [{"type": name} for name in namespaces]}
    if launch.id_map is not None:
        document |= _maps(launch.id_map)
    if resources := _resources(options):
        document["resources"] = resources
    if (filtered := _seccomp(launch)) is not None:
        document["seccomp"] = filtered
    document["maskedPaths"] = [step.path for step in protected if step.masked]
    document["readonlyPaths"] = [step.path for step in protected if not step.masked]
    return document


def _seccomp(launch: Launch) -> Document | None:
    """Return the filter as a runtime compiles it; a bundle has one, so not that of terminals."""
    for one in launch.filters:
        if one.name != TERMINAL_NAME:
            from rootgen.sandbox.seccomp.oci import to_oci

            document = to_oci(profile_of(one, launch.capabilities))
            # runc 1.1 knows no flags; this one is about speed alone.
            flags = [flag for flag in one.flags if flag != "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]
            return {**{key: v for key, v in document.items() if key != "flags"},
                    **({"flags": flags} if flags else {})}  # fmt: skip
    return None


def _maps(id_map: IdMap) -> Document:
    return {
        name: [
            {"containerID": inside, "hostID": outside, "size": count}
            for inside, outside, count in lines
        ]
        for name, lines in (("uidMappings", id_map.uids), ("gidMappings", id_map.gids))
    }


def _resources(options: Options) -> Document:
    document: Document = {}
    if options.memory is not None:
        # As here: what does not fit does not go to swap either.
        document["memory"] = {"limit": options.memory, "swap": options.memory}
    if options.cpus is not None:
        quota = max(int(options.cpus * _PERIOD), _LEAST_QUOTA)
        document["cpu"] = {"quota": quota, "period": _PERIOD}
    if options.pids is not None:
        document["pids"] = {"limit": options.pids}
    return document


def _check_text(value: object) -> None:
    """Raise UsageError for what JSON, which is Unicode, cannot hold."""
    if isinstance(value, dict):
        for one in value.values():
            _check_text(one)
    elif isinstance(value, list):
        for one in value:
            _check_text(one)
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{value!r} is not UTF-8: config.json cannot hold it") from None
