"""The options that ``run`` and ``shell`` share, and how they become a request."""

from __future__ import annotations

import gc
import os
import sys

from rootgen.api.run import RunRequest, compose_run, on_root, root_or_image, run
from rootgen.cli.command import Option, OptionError, flag, invalid_value
from rootgen.cli.duration import duration
from rootgen.cli.limit import io_limit, rlimit, size
from rootgen.cli.store import STORE
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.environment import callers_variables
from rootgen.sandbox.options import KILL_AFTER, NETWORKS, PIVOT_WAYS, UPTIMES, Options, Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from rootgen.named import Progress


_PIDS_LIMIT = 1 << 22  # PID_MAX_LIMIT
_HOSTNAME_LIMIT = 64  # __NEW_UTS_LEN

LAUNCH_OPTIONS = (
    Option(
        ("--bind",), "binds", metavar="SRC:DEST[:ro]", multiple=True,
        help="Show a file or directory of the host at DEST inside; :ro for reading only.",
    ),
    Option(
        ("--tmpfs",), "tmpfs", metavar="DEST[:OPTIONS]", multiple=True,
        help="Mount an empty file system at DEST, gone afterwards: /run:size=64M,mode=755.",
    ),
    Option(
        ("--device",), "devices", metavar="HOST[:DEST]", multiple=True,
        help="Show a device of the host, or all of a directory but those that a launch has of its "
        "own; its mode and owner say who may use it.",
    ),
    Option(
        ("-e", "--env"), "env", metavar="NAME[=VALUE]", multiple=True,
        help="Set a variable; without a value, the caller's.",
    ),
    flag("--clear-env", "Bring nothing of the caller's environment, not even TERM and LANG."),
    Option(
        ("-u", "--user"), "user", metavar="NAME|UID[:GROUP|GID]",
        help="Be this user of the tree's own passwd.  [default: 0]",
    ),
    Option(("-w", "--workdir"), "workdir", metavar="DIR", help="Start in DIR.  [default: /]"),
    Option(
        ("--hostname",), "hostname", metavar="NAME",
        help="The host name inside.  [default: rootgen]",
    ),
    Option(
        ("--net",), "network", kind="choice", choices=NETWORKS, default="none", shown=True,
        help="none: loopback and nothing else. host: the network of the caller. "
        "pasta, slirp4netns: a network of its own, with a way out through that program.",
    ),
    Option(
        ("-p", "--publish"), "publish", metavar="[IP:]HOSTPORT:PORT[/tcp|udp]", multiple=True,
        help="With --net pasta or slirp4netns: lead this port of the host to PORT inside.",
    ),
    Option(
        ("--uptime",), "uptime", kind="choice", choices=UPTIMES, default="own", shown=True,
        help="own: the clocks that count from the start of the machine start at 0. "
        "host: they are the host's.",
    ),
    flag("--read-only", "Let nothing of the tree be written."),
    Option(
        ("--commit",), "commit", metavar="NAME:TAG",
        help="Of an image: make what is written a layer of it, as this image.",
    ),
    flag("--ephemeral", "Throw away what is written; it goes to memory, and the tree stays."),
    Option(
        ("--ephemeral-size",), "ephemeral_size", metavar="SIZE",
        help="As --ephemeral, and of no more than SIZE.  [default: half of the memory]",
    ),
    Option(
        ("--memory",), "memory", metavar="SIZE",
        help="No more memory than this, swap included: 256M, 2G.",
    ),
    Option(
        ("--cpus",), "cpus", metavar="N", kind="float", least=0.01, most=65536, default=None,
        help="No more processor time than N processors have: 0.5, 2.",
    ),
    Option(
        ("--pids",), "pids", metavar="N", kind="int", least=1, most=_PIDS_LIMIT, default=None,
        help="No more than N processes and threads.",
    ),
    Option(
        ("--io",), "io", metavar="DEVICE:RATE=N[,...]", multiple=True,
        help="Read and write no faster than this: /dev/sda:rbps=10M,wiops=100. DEVICE may be any "
        "path on the disk; RATE is rbps, wbps, riops or wiops.",
    ),
    Option(
        ("--ulimit",), "rlimits", metavar="NAME=SOFT[:HARD]", multiple=True,
        help="Limit each process, as setrlimit(2) does: nofile=1024, fsize=1G, core=unlimited.",
    ),
    Option(
        ("--cap-add",), "cap_add", metavar="NAME", multiple=True,
        help="Add a capability, or ALL: NET_RAW. A user other than 0 has what is added alone.",
    ),
    Option(
        ("--cap-drop",), "cap_drop", metavar="NAME", multiple=True,
        help="Drop a capability, or ALL.",
    ),
    Option(
        ("--pivot",), "pivot", kind="choice", choices=PIVOT_WAYS, default="auto", shown=True,
        help="How to change the root. auto: chroot where the kernel refuses pivot_root.",
    ),
    Option(
        ("--timeout",), "timeout", metavar="DURATION",
        help="End it after this time (30, 500ms, 2m, 1h) with SIGTERM; the exit status is 124.",
    ),
    Option(
        ("--kill-after",), "kill_after", metavar="DURATION",
        help="Kill what SIGTERM did not end after this time; 137.  [default: 10s]",
    ),
    Option(
        ("--seccomp",), "seccomp", metavar="none|FILE",
        help="Have this filter of system calls (OCI JSON), or none.  [default: as Docker's]",
    ),
    STORE,
    flag("--explain", "Do nothing; tell each step, with the shell command that would do the same."),
    flag("--json", "With --explain: the steps as JSON.", dest="as_json"),
)  # fmt: skip


def launch(
    root: str, command: tuple[str, ...], given: dict[str, Any], *, starting: bool = False
) -> int:
    """Perform or explain the launch that the options ask for; return the exit status."""
    explain, as_json, commit = (given.pop(name) for name in ("explain", "as_json", "commit"))
    if as_json and not explain:
        raise OptionError("--json tells the steps of a launch; add --explain")
    request = request_of(root, command, given, starting=starting)
    if commit:
        return _commit(request, commit, explain=explain)
    if not explain:
        sys.stdout.flush()
        # All that was imported stays to the end: the collector, which would go through it in
        # every process and at the exit, need not (8 ms; gc.freeze, on forks).
        gc.freeze()
        return run(request, tell=tell, progress=progress_of(request))
    on_root(request, lambda ready: _explain(ready, as_json=as_json), tell=tell)
    return 0


def _commit(request: RunRequest, name: str, *, explain: bool) -> int:
    from rootgen.api.committed import CommitTo, run_and_commit  # only where an image is made
    from rootgen.cli.epoch import source_date_epoch
    from rootgen.report.words import count_words, size_words

    options = request.options
    kept_nowhere = options.read_only or options.ephemeral or options.ephemeral_size
    for given, why in ((explain, "--explain does nothing"), (kept_nowhere, "nothing is kept")):
        if given:
            raise OptionError(f"{why}: there is nothing that --commit could make an image of")
    to = CommitTo(name, source_date_epoch(os.environ))
    status, made = run_and_commit(request, to, tell=tell, progress=progress_of(request))
    if made is None:
        tell(f"nothing was written: no image {name} was made")
    else:
        removed = f", {made.removed} removed" if made.removed else ""
        what = f"{count_words(made.added, 'entry', 'entries')}{removed}"
        tell(f"{made.name}: {what}, a layer of {size_words(made.size)}, {made.digest}")
    return status


def request_of(
    root: str, command: tuple[str, ...], given: dict[str, Any], *, starting: bool = False
) -> RunRequest:
    """Return the request that the options make, those that are no step of a launch left out.

    ``starting``: an empty command is the program that the root is started with.
    """
    unlike = ("explain", "as_json", "store", "commit")
    options = {name: one for name, one in given.items() if name not in unlike}
    meant = root_or_image(root, given["store"])
    return RunRequest(meant, command, given_options(options), starting=starting)


def progress_of(request: RunRequest) -> Progress | None:
    """Return what shows how far the unpacking of an image is; None for a directory."""
    if isinstance(request.root, str):
        return None
    from rootgen.report.progress import ProgressLine  # directories have nothing to wait for

    return ProgressLine(sys.stderr, os.environ)


def _explain(request: RunRequest, *, as_json: bool) -> None:
    from rootgen.api.owners import owner_notes
    from rootgen.cli.output import write_json, write_lines
    from rootgen.sandbox.explain import explain_json, explain_lines

    composed = compose_run(request, tell=tell)
    for note in owner_notes(composed):
        tell(note)
    if as_json:
        write_json({"rootgen": 1, "command": "run", "launch": explain_json(composed)})
    else:
        write_lines(explain_lines(composed))


def tell(note: str) -> None:
    """Write what a person should know of a launch although it is no error."""
    from rootgen.cli.output import write_aside  # only where there is something to tell
    from rootgen.report.words import printable

    write_aside(printable(note))


def given_options(given: dict[str, Any]) -> Options:
    """Return what the options of a command line ask for."""
    values = {name: _MEANINGS[name](one) for name, one in given.items() if name in _MEANINGS}
    return Options(**{**given, **values})


def _places(written: tuple[str, ...], meaning: str) -> tuple[object, ...]:
    if not written:
        return ()
    from rootgen.cli import mount  # few launches have any

    return tuple(getattr(mount, meaning)(one) for one in written)


def variables(written: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return what ``--env`` sets, of which a name by itself is the caller's variable."""
    if not written:
        return ()
    own = callers_variables(os.environ)
    return tuple(_variable(one, own) for one in written if "=" in one or one in own)


def _variable(written: str, own: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not name:
        raise invalid_value("--env", f"'{written}': expected NAME=VALUE")
    return name, value if equals else own[name]


def _hostname(written: str) -> str:
    if len(os.fsencode(written)) > _HOSTNAME_LIMIT or any(one in written for one in "/\n "):
        raise invalid_value("--hostname", f"'{written[:80]}': not a host name, or over 64 bytes")
    return written


def _ports(written: tuple[str, ...]) -> tuple[Port, ...]:
    if not written:
        return ()
    from rootgen.sandbox.uplink import parse_port  # few launches publish any

    return tuple(parse_port(one) for one in written)


def _timeout(written: str) -> float:
    seconds = duration(written, "--timeout")
    if not seconds:
        raise invalid_value("--timeout", "no time is no launch: leave it out for no limit")
    return seconds


# What is not yet a value of Options as it is written.
_MEANINGS: dict[str, Callable[[Any], object]] = {
    "binds": lambda written: _places(written, "bind"),
    "tmpfs": lambda written: _places(written, "tmpfs"),
    "devices": lambda written: _places(written, "device"),
    "env": variables,
    "hostname": _hostname,
    "publish": _ports,
    "ephemeral_size": lambda written: size(written, "--ephemeral-size") if written else 0,
    "memory": lambda written: size(written, "--memory") if written else None,
    "io": lambda written: tuple(io_limit(one) for one in written),
    "rlimits": lambda written: tuple(rlimit(one) for one in written),
    "timeout": lambda written: _timeout(written) if written else None,
    "kill_after": lambda written: duration(written, "--kill-after") if written else KILL_AFTER,
}
