"""The Launch as a value: what options and facts make of it, with nothing done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rootgen.errors import LaunchError, UsageError
from rootgen.linux.capability import mask
from rootgen.linux.mount import MS_NODEV, MS_NOSUID, MS_RDONLY
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.explain import explain_lines
from rootgen.sandbox.launch import Credentials, Mount, Node, Protect, Terminal
from rootgen.sandbox.options import Bind, Options, Tmpfs
from tests.sandbox.case import ALONE, RANGED, ROOT

if TYPE_CHECKING:
    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.launch import Launch

DEFAULTS = Options()


def _launch(facts: Facts = ROOT, options: Options = DEFAULTS) -> Launch:
    return compose_launch(("true",), options, facts)


def _mounts(launch: Launch) -> dict[str, Mount]:
    return {step.target: step for step in launch.steps if isinstance(step, Mount)}


def test_is_a_value() -> None:
    """Equal options and facts give equal launches, which can be keys."""
    assert _launch() == _launch()
    assert len({_launch(), _launch(), _launch(ALONE)}) == 2


@pytest.mark.parametrize(
    ("facts", "network", "expected"),
    [
        (ROOT, "none", ("mount", "pid", "uts", "ipc", "cgroup", "net", "time")),
        (ROOT, "host", ("mount", "pid", "uts", "ipc", "cgroup", "time")),
        (ALONE, "none", ("user", "mount", "pid", "uts", "ipc", "cgroup", "net", "time")),
        (RANGED, "host", ("user", "mount", "pid", "uts", "ipc", "cgroup", "time")),
    ],
)
def test_namespaces(facts: Facts, network: str, expected: tuple[str, ...]) -> None:
    """A user namespace for who is not root; a network unless the host's was asked for."""
    launch = _launch(facts, Options(network=network))
    assert launch.namespaces == expected
    assert launch.loopback == ("net" in expected)


@pytest.mark.parametrize(
    ("facts", "uptime", "own"),
    [
        (ROOT, "own", True),
        (ROOT, "host", False),
        (ROOT._replace(time_namespaces=False), "own", False),
        (ROOT._replace(capabilities=mask(["SYS_ADMIN"])), "own", False),
        (ALONE, "own", True),
    ],
)
def test_time(facts: Facts, uptime: str, own: bool) -> None:
    """Clocks of its own where the kernel has them and they may be set; else that is told."""
    launch = _launch(facts, Options(uptime=uptime))
    assert ("time" in launch.namespaces) == own
    told = [line.split() for line in explain_lines(launch)]
    assert [line[1] for line in told if line[:1] == ["time"]] == ["clocks" if own else "the"]


def test_devices() -> None:
    """Root makes device nodes; who may not binds the host's."""
    assert Node("/dev/null", 1, 3) in _launch().steps
    assert not any(isinstance(step, Node) for step in _launch(ALONE).steps)
    assert _mounts(_launch(ALONE))["/dev/null"] == Mount(
        "/dev/null", "/dev/null", "", MS_RDONLY, bind=True, file=True
    )


@pytest.mark.parametrize(
    ("facts", "network", "bound"),
    [(ROOT, "none", False), (ROOT, "host", False), (ALONE, "none", False), (ALONE, "host", True)],
)
def test_sysfs(facts: Facts, network: str, bound: bool) -> None:
    """A user namespace may not mount the sysfs of a network that is not its own."""
    mount = _mounts(_launch(facts, Options(network=network)))["/sys"]
    assert mount.bind == bound
    assert mount.flags & MS_RDONLY


@pytest.mark.parametrize(("facts", "has"), [(ROOT, True), (RANGED, True), (ALONE, False)])
def test_terminal_group(facts: Facts, has: bool) -> None:
    """Terminals are of group 5, where there is such an id."""
    assert (",gid=5" in _mounts(_launch(facts))["/dev/pts"].data) == has


def test_terminal() -> None:
    """A console exactly where there is a terminal."""
    assert Terminal() not in _launch().steps
    launch = _launch(ROOT._replace(terminal=True))
    assert launch.terminal
    assert Terminal() in launch.steps


def test_order() -> None:
    """What is asked for comes after what every tree has, and the manifest's guard last of all."""
    options = Options(
        binds=(Bind("/home/me", "/tmp/deep/er"), Bind("/etc/hosts", "/etc/hosts", read_only=True)),
        tmpfs=(Tmpfs("/var"),),
    )
    launch = _launch(ROOT._replace(directories=frozenset(("/home/me",))), options)
    assert launch.steps[-4:] == (
        Mount("tmpfs", "/var", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"),
        Mount("/home/me", "/tmp/deep/er", "", MS_NOSUID | MS_NODEV, bind=True),
        Mount(
            "/etc/hosts", "/etc/hosts", "", MS_NOSUID | MS_NODEV | MS_RDONLY, bind=True, file=True
        ),
        Protect("/var/lib/rootgen/manifest.json", masked=False),
    )
    targets = [step.target for step in launch.steps if isinstance(step, Mount)]
    assert targets.index("/dev") < targets.index("/dev/pts") < targets.index("/tmp/deep/er")


@pytest.mark.parametrize(
    ("facts", "user", "expected"),
    [
        (ROOT, "app", Credentials(1000, 1000, (1000, 2000, 70000))),
        (RANGED, "app", Credentials(1000, 1000, (1000, 2000))),
        (ALONE, "", Credentials(0, 0, None)),
        (ROOT._replace(setgroups=False), "", Credentials(0, 0, None)),
        (ROOT, "5:6", Credentials(5, 6, ())),
    ],
)
def test_credentials(facts: Facts, user: str, expected: Credentials) -> None:
    """The tree's user, with the groups that the id map has; none where they are frozen."""
    assert _launch(facts, Options(user=user)).credentials == expected


@pytest.mark.parametrize(
    ("facts", "user", "message"),
    [
        (ALONE, "app", "user 1000 is not one of the ids"),
        (ALONE, "0:5", "group 5 is not one of the ids"),
        (RANGED, "65537", "user 65537 is not one of the ids"),
        (RANGED, "70000", "user 70000 is not one of the ids"),
    ],
)
def test_unmapped_user(facts: Facts, user: str, message: str) -> None:
    """An id that the namespace does not have is refused, and how to get more is told."""
    with pytest.raises(LaunchError, match=message) as caught:
        _launch(facts, Options(user=user))
    assert "uidmap" in caught.value.hint


def test_capability_that_the_caller_lacks() -> None:
    """Asked for, it is an error; of the default set it is left out."""
    poor = ROOT._replace(capabilities=mask(["SYS_ADMIN", "CHOWN", "SETUID"]))
    assert _launch(poor).capabilities == ("CHOWN", "SETUID")
    with pytest.raises(LaunchError, match="--cap-add NET_RAW"):
        _launch(poor, Options(cap_add=("NET_RAW",)))


def test_capability_suggested() -> None:
    """A near miss is named."""
    with pytest.raises(UsageError, match="did you mean NET_RAW"):
        _launch(ROOT, Options(cap_drop=("net_row",)))


def test_environment() -> None:
    """Terminal and language of the caller, the home of the user, and what was asked for last."""
    options = Options(user="app", env=(("A", "1"), ("HOME", "/x"), ("A", "2")))
    environment = dict(_launch(ROOT, options).environment)
    assert "SECRET" not in environment
    assert (environment["TERM"], environment["HOME"], environment["A"]) == ("xterm", "/x", "2")
    assert "TERM" not in dict(_launch(ROOT, Options(clear_env=True)).environment)
