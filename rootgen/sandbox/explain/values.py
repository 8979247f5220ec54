"""A Launch as values for JSON."""

from __future__ import annotations

from rootgen.linux.mount import MS_RDONLY
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.launch import Mount
from rootgen.sandbox.place import flag_words
from rootgen.sandbox.seccomp.filter import profile_of
from rootgen.sandbox.seccomp.oci import to_oci

if TYPE_CHECKING:
    from rootgen.sandbox.launch import Launch, Step
    from rootgen.sandbox.limits import Limit
    from rootgen.sandbox.uplink import Uplink


def launch_values(launch: Launch) -> dict[str, object]:
    """Return the Launch as values for JSON: the same steps, in the same order."""
    uid, gid, groups = launch.credentials
    return {
        "namespaces": list(launch.namespaces),
        "id_map": launch.id_map._asdict() if launch.id_map is not None else None,
        "hostname": launch.hostname,
        "loopback": launch.loopback,
        "uplink": _uplink_json(launch.uplink),
        "limits": [_limit_json(limit) for limit in launch.limits],
        "rlimits": [limit._asdict() for limit in launch.rlimits],
        "root": {
            "path": launch.root.top,
            "name": launch.root.name,
            "layers": list(launch.root.layers),
            "upper": launch.root.upper._asdict() if launch.root.upper is not None else None,
            "overlay": launch.root_data,
            "fuse": launch.fuse,
            "missing": list(launch.missing),
            "flags": _flags(launch.root_flags | (MS_RDONLY if launch.read_only else 0)),
            "change": launch.pivot,
        },
        "steps": [_step_json(step) for step in launch.steps],
        "process": {
            "command": list(launch.command),
            "uid": uid,
            "gid": gid,
            "groups": None if groups is None else list(groups),
            "capabilities": list(launch.capabilities),
            "ambient": list(launch.ambient),
            "no_new_privileges": True,
            "session_keyring": "new",
            "landlock": launch.landlock._asdict(),
            "seccomp": [
                {"name": one.name, **to_oci(profile_of(one, launch.capabilities))}
                for one in launch.filters
            ],
            "umask": f"{launch.umask:04o}",
            "environment": dict(launch.environment),
            "workdir": launch.workdir,
            "terminal": launch.terminal,
        },
        "time_limit": launch.time_limit._asdict() if launch.time_limit is not None else None,
    }


def _limit_json(limit: Limit) -> dict[str, object]:
    manager = limit.manager._asdict() if limit.manager is not None else None
    return {**limit._asdict(), "manager": manager}


def _uplink_json(uplink: Uplink | None) -> dict[str, object] | None:
    if uplink is None:
        return None
    return {**uplink._asdict(), "ports": [port._asdict() for port in uplink.ports]}


def _step_json(step: Step) -> dict[str, object]:
    fields: dict[str, object] = {"kind": type(step).__name__.lower(), **step._asdict()}
    if isinstance(step, Mount):
        fields["flags"] = _flags(step.flags)
    return fields


def _flags(flags: int) -> list[str]:
    return [word for word in flag_words(flags).split(",") if word]
