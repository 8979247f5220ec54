"""A way out by pasta or slirp4netns: what was asked for is the command, and mistakes are told."""

from __future__ import annotations

import pytest

from rootgen.errors import LaunchError, UsageError
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.explain import explain_json, explain_lines
from rootgen.sandbox.launch import Text
from rootgen.sandbox.options import Bind, Options, Port
from rootgen.sandbox.uplink import Target, Uplink, parse_port, resolver_text, uplink_command
from tests.sandbox.case import ALONE, ROOT

BOTH = (("pasta", "/usr/bin/pasta"), ("slirp4netns", "/usr/bin/slirp4netns"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("8080:80", Port("", 8080, 80, "tcp")),
        ("127.0.0.1:8080:80", Port("127.0.0.1", 8080, 80, "tcp")),
        ("53:53/udp", Port("", 53, 53, "udp")),
        ("[::1]:1:65535/tcp", Port("::1", 1, 65535, "tcp")),
    ],
)
def test_written(written: str, expected: Port) -> None:
    """As docker and podman have it."""
    assert parse_port(written) == expected


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("80", "expected"),
        ("", "expected"),
        (":80", "expected"),
        (":8080:80", "expected"),
        ("0:80", "'0' is no port"),
        ("80:65536", "'65536' is no port"),
        ("80:٨", "is no port"),
        ("80:-1", "'-1' is no port"),
        ("8080:80/sctp", "tcp or udp"),
        ("8080:80/", "tcp or udp"),
        ("::1:8080:80", "brackets"),
        ("localhost:8080:80", "'localhost' is no IP address"),
        ("[1.2.3:8080:80", "'[1.2.3' is no IP address"),
    ],
)
def test_mistaken(written: str, told: str) -> None:
    """Each mistake is told with what was written."""
    with pytest.raises(UsageError) as caught:
        parse_port(written)
    assert told in caught.value.what
    assert f"'{written}'" in caught.value.what


@pytest.mark.parametrize("network", ["none", "host"])
def test_nothing_to_publish_with(network: str) -> None:
    """Without a way in there is nothing that could publish."""
    options = Options(network=network, publish=(Port("", 8080, 80),))
    with pytest.raises(UsageError, match=f"does nothing with --net {network}"):
        compose_launch(("true",), options, ROOT)


@pytest.mark.parametrize(
    "ports",
    [
        (Port("", 80, 1), Port("", 80, 2)),
        (Port("127.0.0.1", 80, 1), Port("", 80, 2)),
        (Port("", 80, 1), Port("127.0.0.1", 80, 2)),
    ],
)
def test_given_twice(ports: tuple[Port, ...]) -> None:
    """One port of the host leads to one place; other protocols and addresses are other ports."""
    facts = ROOT._replace(uplinks=BOTH)
    with pytest.raises(UsageError, match="80/tcp of the host is given twice"):
        compose_launch(("true",), Options(network="pasta", publish=ports), facts)
    others = (Port("127.0.0.1", 80, 1), Port("127.0.0.2", 80, 2), Port("127.0.0.1", 80, 1, "udp"))
    assert compose_launch(("true",), Options(network="pasta", publish=others), facts).uplink


def test_not_installed() -> None:
    """What to install is told, and what is there already."""
    with pytest.raises(LaunchError) as caught:
        compose_launch(("true",), Options(network="pasta"), ROOT._replace(uplinks=BOTH[1:]))
    assert caught.value.what == "--net pasta: pasta is not installed"
    assert caught.value.hint == "install the package passt or --net slirp4netns"


def test_slirp_has_no_ipv6() -> None:
    """What it cannot listen on is refused."""
    options = Options(network="slirp4netns", publish=(Port("::1", 80, 80),))
    with pytest.raises(UsageError, match="IPv4 only"):
        compose_launch(("true",), options, ROOT._replace(uplinks=BOTH))


def test_pasta_leads_nowhere_by_itself() -> None:
    """Nothing of the host's loopback, and no port that was not asked for."""
    words = uplink_command(Uplink("pasta", "/usr/bin/pasta"), Target("7", user=True), "/fifo")
    text = " ".join(words)
    for wanted in (
        "--no-map-gw",
        "--tcp-ns none",
        "--udp-ns none",
        "--tcp-ports none",
        "--udp-ports none",
        "--userns /proc/7/ns/user --netns /proc/7/ns/net",
    ):
        assert wanted in text
    ports = (Port("", 8080, 80), Port("127.0.0.1", 53, 54, "udp"))
    words = uplink_command(Uplink("pasta", "/p", ports), Target("7", user=False), "/fifo")
    text = " ".join(words)
    assert "--tcp-ports 8080:80 --udp-ports 127.0.0.1/53:54 " in text
    assert "--userns" not in text


def test_resolver() -> None:
    """The host's nameserver is asked for us; how it searches holds inside as well."""
    host = "# none\nnameserver 127.0.0.53\noptions edns0\n search a.example b.example\n\n"
    expected = "nameserver 10.0.2.3\noptions edns0\n search a.example b.example\n"
    assert resolver_text(host) == expected
    assert resolver_text("") == "nameserver 10.0.2.3\n"


@pytest.mark.parametrize("network", ["host", "pasta", "slirp4netns", "none"])
def test_resolver_step(network: str) -> None:
    """Where there is a network names are resolved as it wants; an explicit bind goes before."""
    facts = ROOT._replace(uplinks=BOTH, resolver="nameserver 192.0.2.9\n")
    options = Options(network=network)
    texts = [
        one for one in compose_launch(("true",), options, facts).steps if isinstance(one, Text)
    ]
    expected = {"none": [], "host": ["nameserver 192.0.2.9\n"]}
    assert [one.content for one in texts] == expected.get(network, ["nameserver 10.0.2.3\n"])
    bound = options._replace(binds=(Bind("/x", "/etc/resolv.conf"),))
    steps = compose_launch(("true",), bound, facts).steps
    assert not any(isinstance(one, Text) for one in steps)


def test_explained() -> None:
    """The command and every port are told, and JSON has them."""
    facts = ALONE._replace(uplinks=BOTH)
    options = Options(network="pasta", publish=(Port("", 8080, 80),))
    launch = compose_launch(("true",), options, facts)
    text = "\n".join(explain_lines(launch))
    assert "/usr/bin/pasta --quiet" in text
    assert "--userns /proc/PID/ns/user" in text
    assert "port 8080/tcp of the host leads to port 80 inside" in text
    assert "nameserver 10.0.2.3" in text
    told = explain_json(launch)["uplink"]
    assert isinstance(told, dict)
    assert told["kind"] == "pasta"
    assert told["ports"] == [{"address": "", "host": 8080, "inside": 80, "protocol": "tcp"}]
