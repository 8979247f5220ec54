"""The way out of a network namespace: a program outside that passes traffic on (pure).

pasta(1) and slirp4netns(1) each hold one end of a TAP interface of the
namespace, and make ordinary connections of their own for what arrives there.
Both are set up alike: what is inside does not depend on which it is.
"""

from __future__ import annotations

from rootgen.errors import LaunchError, UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.options import Port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rootgen.sandbox.options import Options

# The Debian package that has each.
PACKAGES = {"pasta": "passt", "slirp4netns": "slirp4netns"}

# slirp4netns(1), "CONFIGURE": the addresses that people meet there, for both. None is the host's,
# so that the host's own address leads to the host, and not back to the namespace.
_ADDRESS, _PREFIX, _GATEWAY = "10.0.2.100", "24", "10.0.2.2"
NAMESERVER = "10.0.2.3"
# A unique local address (RFC 4193), and a router where IPv6 expects one: on the link.
_ADDRESS_6, _GATEWAY_6 = "fd72:6f6f:7467:656e::100", "fe80::1"
_PORT_LAST = 65535


class Uplink(NamedTuple):
    """Which program (``kind``, and the path of it) passes traffic on, and what it publishes."""

    kind: str
    program: str
    ports: tuple[Port, ...] = ()


class Target(NamedTuple):
    """The process whose network namespace to attach to; ``user``: it has a user namespace too."""

    process: str
    user: bool


def parse_port(written: str) -> Port:
    """Return the Port for ``[IP:]HOSTPORT:PORT[/tcp|udp]``; raise UsageError.

    An IPv6 address stands in brackets, as in docker-run(1): ``[::1]:8080:80``.
    """
    rest, slash, protocol = written.partition("/")
    front, _, inside = rest.rpartition(":")
    address, colon, host = front.rpartition(":")
    if slash and protocol not in ("tcp", "udp"):
        raise _mistake(written, "the protocol is tcp or udp")
    if not front or (colon and not address):
        raise _mistake(written, "expected [IP:]HOSTPORT:PORT[/tcp|udp]")
    return Port(_address(address, written), _number(host, written), _number(inside, written),
                protocol or "tcp")  # fmt: skip


def _number(text: str, written: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _PORT_LAST):
        raise _mistake(written, f"'{text}' is no port number (1 to {_PORT_LAST})")
    return int(text)


def _address(text: str, written: str) -> str:
    if not text:
        return ""
    bracketed = text.startswith("[") and text.endswith("]")
    if not bracketed and ":" in text:
        raise _mistake(written, "an IPv6 address stands in brackets: [::1]:8080:80")
    from ipaddress import ip_address

    try:
        return str(ip_address(text[1:-1] if bracketed else text))
    except ValueError:
        raise _mistake(written, f"'{text}' is no IP address") from None


def _mistake(written: str, why: str) -> UsageError:
    return UsageError(f"--publish '{written}': {why}", hint="such as 8080:80, 127.0.0.1:53:53/udp")


def compose_uplink(options: Options, programs: Mapping[str, str]) -> Uplink | None:
    """Return the way out that was asked for, or None for ``none`` and ``host``.

    ``programs`` are the paths of those that are installed. Raises UsageError
    where what is published cannot be, LaunchError where the program lacks.
    """
    kind = options.network
    if kind not in PACKAGES:
        if options.publish:
            raise UsageError(
                f"--publish does nothing with --net {kind}",
                hint="add --net pasta (or slirp4netns)"
                if kind == "none"
                else "with --net host every port is the host's already",
            )
        return None
    _check_ports(options.publish, kind)
    if kind not in programs:
        others = [f"--net {name}" for name in PACKAGES if name in programs]
        raise LaunchError(
            f"--net {kind}: {kind} is not installed",
            hint=" or ".join([f"install the package {PACKAGES[kind]}", *others]),
        )
    return Uplink(kind, programs[kind], options.publish)


def _check_ports(ports: Sequence[Port], kind: str) -> None:
    taken: set[tuple[str, int, str]] = set()
    for port in ports:
        address, number, protocol = port.address, port.host, port.protocol
        same = {"", address} if address else {one for one, *rest in taken} | {""}
        if any((one, number, protocol) in taken for one in same):
            raise UsageError(f"--publish: port {number}/{protocol} of the host is given twice")
        taken.add((address, number, protocol))
        if ":" in address and kind == "slirp4netns":
            raise UsageError(
                f"--publish [{address}]:{number}: slirp4netns listens on IPv4 only",
                hint="use --net pasta",
            )


def resolver_text(host: str) -> str:
    """Return the resolv.conf(5) for inside: one nameserver, which asks the host's.

    The host's own may be one of its loopback, which is out of reach. What it
    says of searching and of options holds inside as well.
    """
    words = (["search"], ["options"], ["domain"])
    kept = [line for line in host.splitlines() if line.split()[:1] in words]
    return "".join(f"{line}\n" for line in (f"nameserver {NAMESERVER}", *kept))


def uplink_command(uplink: Uplink, target: Target, ready: str, control: str = "") -> list[str]:
    """Return the command that attaches to ``target`` and passes traffic on until it is killed.

    ``ready`` is where it says that it is up: a path for pasta, a descriptor's
    number for slirp4netns. ``control`` is the path of slirp4netns's socket.
    """
    if uplink.kind == "pasta":
        return _pasta(uplink, target, ready)
    command = [uplink.program, "--configure", "--mtu=65520", "--disable-host-loopback"]
    command += ["--enable-sandbox", "--enable-seccomp", f"--ready-fd={ready}"]
    if uplink.ports:
        command.append(f"--api-socket={control}")
    return [*command, target.process, "tap0"]


def _pasta(uplink: Uplink, target: Target, ready: str) -> list[str]:
    """Return pasta's command line: nothing of the host's loopback, and no port that was not asked.

    passt(1): without ``--no-map-gw`` the gateway is the host's loopback;
    ``-T`` and ``-U`` forward ports of the namespace's loopback to the host's.
    """
    command = [uplink.program, "--quiet", "--foreground", "--config-net", "--no-map-gw"]
    command += ["--ns-ifname", "eth0", "--address", _ADDRESS, "--netmask", _PREFIX]
    command += ["--gateway", _GATEWAY, "--address", _ADDRESS_6, "--gateway", _GATEWAY_6]
    command += ["--dns-forward", NAMESERVER, "--tcp-ns", "none", "--udp-ns", "none"]
    for protocol in ("tcp", "udp"):
        ports = [_pasta_port(port) for port in uplink.ports if port.protocol == protocol]
        for words in ports or ["none"]:
            command += [f"--{protocol}-ports", words]
    # Told by us when to end; that the namespace's path vanished it need not watch for.
    command += ["--no-netns-quit", "--pid", ready]
    if target.user:
        namespaces = f"/proc/{target.process}/ns"
        return [*command, "--userns", f"{namespaces}/user", "--netns", f"{namespaces}/net"]
    # Else it would become nobody, who may not enter the namespace. As it gives up CAP_SYS_PTRACE
    # before that, it cannot go by the process's /proc files either: standard input is open on it.
    return [*command, "--netns-only", "--runas", "0:0", "--netns", "/proc/self/fd/0"]


def _pasta_port(port: Port) -> str:
    front = f"{port.address}/" if port.address else ""
    return f"{front}{port.host}:{port.inside}"


def slirp_request(port: Port) -> dict[str, object]:
    """Return the message that has slirp4netns publish a port (slirp4netns(1), "API SOCKET")."""
    return {
        "execute": "add_hostfwd",
        "arguments": {
            "proto": port.protocol,
            "host_addr": port.address or "0.0.0.0",  # noqa: S104 - as docker and podman publish
            "host_port": port.host,
            "guest_addr": _ADDRESS,
            "guest_port": port.inside,
        },
    }
