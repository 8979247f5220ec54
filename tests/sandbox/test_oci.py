"""A Launch as an OCI runtime's configuration: what the specification knows, and nothing else."""

from __future__ import annotations

import json

import pytest

from rootgen.errors import UsageError
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.launch import Root, Upper
from rootgen.sandbox.oci import runtime_config
from rootgen.sandbox.options import Bind, IoLimit, Options, Port, Tmpfs
from tests.sandbox.case import ALONE, RANGED, ROOT
from tests.sandbox.runtime_spec import mistakes

FULL = Options(
    binds=(Bind("/srv/data", "/mnt", read_only=True), Bind("/etc/hosts", "/etc/hosts")),
    tmpfs=(Tmpfs("/scratch"),),
    env=(("A", "b=c"),),
    user="app",
    workdir="/home/app",
    hostname="box",
    read_only=True,
    cap_add=("NET_RAW",),
    memory=1 << 20,
    cpus=0.5,
    pids=7,
)


def _config(facts: object = ROOT, options: Options = FULL) -> dict[str, object]:
    assert isinstance(facts, type(ROOT))
    composed = options._replace(memory=None, cpus=None, pids=None)
    launch = compose_launch(("ls", "-l"), composed, facts)
    return json.loads(json.dumps(runtime_config(launch, options, "rootfs")))  # type: ignore[no-any-return]


@pytest.mark.parametrize("facts", [ROOT, RANGED])
@pytest.mark.parametrize("network", ["none", "host"])
@pytest.mark.parametrize("options", [FULL, Options()])
def test_is_what_the_specification_says(facts: object, network: str, options: Options) -> None:
    """Every key, type and word is one of the specification's."""
    assert mistakes(_config(facts, options._replace(network=network))) == []


def test_the_checker_can_fail() -> None:
    """What the specification does not know is found."""
    config = _config()
    config["colour"] = "red"
    config["ociVersion"] = 1
    process = config["process"]
    assert isinstance(process, dict)
    process["cwd"] = "relative"
    del process["args"]
    found = " ".join(mistakes(config))
    for told in ("colour", "ociVersion", "process.cwd", "process.args"):
        assert told in found


def test_everything_is_said() -> None:
    """Each option is where a runtime looks for it."""
    config = _config()
    assert config["hostname"] == "box"
    assert config["root"] == {"path": "rootfs", "readonly": True}
    process, linux, mounts = config["process"], config["linux"], config["mounts"]
    assert isinstance(process, dict)
    assert isinstance(linux, dict)
    assert isinstance(mounts, list)
    assert process["user"] == {
        "uid": 1000,
        "gid": 1000,
        "umask": 0o022,
        "additionalGids": [2000, 70000],
    }
    assert process["args"] == ["ls", "-l"]
    assert "A=b=c" in process["env"]
    assert process["noNewPrivileges"] is True
    assert "CAP_NET_RAW" in process["capabilities"]["bounding"]
    for kind in ("effective", "permitted", "inheritable", "ambient"):
        assert process["capabilities"][kind] == ["CAP_NET_RAW"]  # not user 0: what was added
    assert linux["resources"] == {
        "memory": {"limit": 1 << 20, "swap": 1 << 20},
        "cpu": {"quota": 50_000, "period": 100_000},
        "pids": {"limit": 7},
    }
    at = {mount["destination"]: mount for mount in mounts}
    assert at["/mnt"]["options"] == ["bind", "ro", "nosuid", "nodev"]
    assert at["/scratch"]["type"] == "tmpfs"
    assert "/dev/null" not in at  # a runtime's own
    assert "/proc/kcore" in linux["maskedPaths"]
    assert "/proc/sys" in linux["readonlyPaths"]
    assert "/var/lib/rootgen/manifest.json" in linux["readonlyPaths"]
    assert [one["type"] for one in linux["namespaces"]] == [
        "mount", "pid", "uts", "ipc", "cgroup", "network",
    ]  # fmt: skip


def test_user_namespace() -> None:
    """An ordinary user's bundle has the maps that the launch would have."""
    linux = _config(RANGED)["linux"]
    assert isinstance(linux, dict)
    assert {"type": "user"} in linux["namespaces"]
    assert linux["uidMappings"] == [
        {"containerID": 0, "hostID": 1234, "size": 1},
        {"containerID": 1, "hostID": 100000, "size": 65536},
    ]
    one = _config(ALONE, Options())["linux"]
    assert isinstance(one, dict)
    assert one["gidMappings"] == [{"containerID": 0, "hostID": 1234, "size": 1}]


@pytest.mark.parametrize(
    ("option", "options"),
    [
        ("--net pasta", Options(network="pasta")),
        ("--publish", Options(network="pasta", publish=(Port("", 1, 1),))),
        ("--timeout", Options(timeout=1)),
        ("--io", Options(io=(IoLimit("/dev/vda", (("rbps", 1),)),))),
    ],
)
def test_what_it_cannot_say(option: str, options: Options) -> None:
    """It is refused, not left away."""
    facts = ROOT._replace(uplinks=(("pasta", "/usr/bin/pasta"),))
    launch = compose_launch(("ls",), options._replace(io=()), facts)
    with pytest.raises(UsageError, match="an OCI bundle cannot say it"):
        runtime_config(launch, options, "rootfs")
    assert option


def test_stack_is_refused() -> None:
    """A runtime mounts no overlay for the root."""
    launch = compose_launch(("ls",), Options(), ROOT)._replace(root=Root(("/x",), Upper()))
    with pytest.raises(UsageError, match="--ephemeral"):
        runtime_config(launch, Options(), "rootfs")


def test_what_is_no_text() -> None:
    """JSON is Unicode: what is not is refused, and named."""
    launch = compose_launch(("ls", "\udcff"), Options(), ROOT)
    with pytest.raises(UsageError, match="not UTF-8"):
        runtime_config(launch, Options(), "rootfs")
