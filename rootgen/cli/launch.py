"""The options that ``run`` and ``shell`` share, and how they become a request."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from rootgen.api.run import RunRequest, compose_run, run
from rootgen.sandbox.options import NETWORKS, PIVOT_WAYS, Bind, Options

if TYPE_CHECKING:
    from collections.abc import Callable

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_LIMIT = 1 << 62
_PIDS_LIMIT = 1 << 22  # PID_MAX_LIMIT
_HOSTNAME_LIMIT = 64  # __NEW_UTS_LEN

_OPTIONS = (
    click.option(
        "--bind", "binds", multiple=True, metavar="SRC:DEST[:ro]",
        help="Show a file or directory of the host at DEST inside; :ro for reading only.",
    ),
    click.option(
        "--tmpfs", multiple=True, metavar="DEST",
        help="Mount an empty file system at DEST, gone afterwards.",
    ),
    click.option(
        "-e", "--env", multiple=True, metavar="NAME[=VALUE]",
        help="Set a variable; without a value, the caller's.",
    ),
    click.option(
        "--clear-env", is_flag=True,
        help="Bring nothing of the caller's environment, not even TERM and LANG.",
    ),
    click.option(
        "-u", "--user", default="", metavar="NAME|UID[:GROUP|GID]",
        help="Be this user of the tree's own passwd.  [default: 0]",
    ),
    click.option(
        "-w", "--workdir", default="", metavar="DIR", help="Start in DIR.  [default: /]",
    ),
    click.option(
        "--hostname", default="", metavar="NAME", help="The host name inside.  [default: rootgen]",
    ),
    click.option(
        "--net", "network", type=click.Choice(NETWORKS), default="none", show_default=True,
        help="none: loopback and nothing else. host: the network of the caller.",
    ),
    click.option("--read-only", is_flag=True, help="Let nothing of the tree be written."),
    click.option(
        "--memory", default="", metavar="SIZE",
        help="No more memory than this, swap included: 256M, 2G.",
    ),
    click.option(
        "--cpus", type=click.FloatRange(min=0.01, max=65536), default=None, metavar="N",
        help="No more processor time than N processors have: 0.5, 2.",
    ),
    click.option(
        "--pids", type=click.IntRange(1, _PIDS_LIMIT), default=None, metavar="N",
        help="No more than N processes and threads.",
    ),
    click.option(
        "--cap-add", multiple=True, metavar="NAME", help="Add a capability, or ALL: NET_RAW.",
    ),
    click.option("--cap-drop", multiple=True, metavar="NAME", help="Drop a capability, or ALL."),
    click.option(
        "--pivot", type=click.Choice(PIVOT_WAYS), default="auto", show_default=True,
        help="How to change the root. auto: chroot where the kernel refuses pivot_root.",
    ),
    click.option(
        "--explain", is_flag=True,
        help="Do nothing; tell each step, with the shell command that would do the same.",
    ),
    click.option("--json", "as_json", is_flag=True, help="With --explain: the steps as JSON."),
)  # fmt: skip


def launch_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of a launch, as the one keyword argument ``given``."""
    from functools import wraps

    @wraps(command)
    def gathered(root: str, words: tuple[str, ...] = (), **given: Any) -> int:
        return command(root, words, given)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def launch(root: str, command: tuple[str, ...], given: dict[str, Any]) -> int:
    """Perform or explain the launch that the options ask for; return the exit status."""
    explain, as_json = given.pop("explain"), given.pop("as_json")
    if as_json and not explain:
        raise click.UsageError("--json tells the steps of a launch; add --explain")
    request = RunRequest(root, command, _options(**given))
    if not explain:
        sys.stdout.flush()
        # All that was imported stays to the end: the collector, which would go through it in
        # every process and at the exit, need not (8 ms; gc.freeze, on forks).
        gc.freeze()
        return run(request, tell=_tell)
    _explain(request, as_json=as_json)
    return 0


def _explain(request: RunRequest, *, as_json: bool) -> None:
    from rootgen.cli.output import write_json, write_lines
    from rootgen.sandbox.explain import explain_json, explain_lines

    composed = compose_run(request, tell=_tell)
    if as_json:
        write_json({"rootgen": 1, "command": "run", "launch": explain_json(composed)})
    else:
        write_lines(explain_lines(composed))


def _tell(note: str) -> None:
    from rootgen.cli.output import write_notes  # only where there is something to tell
    from rootgen.report.words import printable

    write_notes([printable(note)])


def _options(
    binds: tuple[str, ...],
    tmpfs: tuple[str, ...],
    env: tuple[str, ...],
    hostname: str,
    memory: str,
    **others: Any,
) -> Options:
    return Options(
        binds=tuple(_bind(written) for written in binds),
        tmpfs=tuple(_target(written, "--tmpfs") for written in tmpfs),
        env=tuple(_variable(written) for written in env if _is_set(written)),
        hostname=_hostname(hostname),
        memory=_size(memory) if memory else None,
        **others,
    )


def _bind(written: str) -> Bind:
    rest, read_only = written, False
    for suffix in (":ro", ":rw"):
        if written.endswith(suffix):
            rest, read_only = written[: -len(suffix)], suffix == ":ro"
    source, colon, target = rest.rpartition(":")
    if not colon or not source:
        raise _mistake(f"'{written}': expected SRC:DEST or SRC:DEST:ro", "--bind")
    return Bind(os.path.abspath(source), _target(target, "--bind"), read_only)


def _target(written: str, option: str) -> str:
    """Return a mount point inside, normalised; ``..`` has no place in it."""
    parts = [part for part in written.split("/") if part not in ("", ".")]
    if not written.startswith("/") or not parts or ".." in parts:
        raise _mistake(f"'{written}': DEST must be an absolute path inside, and not /", option)
    return "/" + "/".join(parts)


def _is_set(written: str) -> bool:
    return "=" in written or written in os.environ


def _variable(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not name:
        raise _mistake(f"'{written}': expected NAME=VALUE", "--env")
    return name, value if equals else os.environ[name]


def _hostname(written: str) -> str:
    if len(os.fsencode(written)) > _HOSTNAME_LIMIT or any(one in written for one in "/\n "):
        raise _mistake(f"'{written[:80]}': not a host name, or over 64 bytes", "--hostname")
    return written


def _size(written: str) -> int:
    """Return the bytes that ``256M`` means; units are powers of 1024, as docker's are."""
    lowered = written.lower().removesuffix("ib")
    number = lowered.rstrip("bkmgt")
    unit = lowered[len(number) :]
    unit = unit if unit in _UNITS else unit.removesuffix("b")
    try:
        size = int(float(number) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        size = 0
    if not 0 < size < _LIMIT:
        raise _mistake(f"'{written}': expected a size such as 256M or 2G", "--memory")
    return size


def _mistake(message: str, option: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint=f"'{option}'")
