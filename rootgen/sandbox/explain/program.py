"""The end, told: what the program is given and what is taken from it."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch, TimeLimit


def program_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on credentials, capabilities and the exec."""
    uid, gid, groups = launch.credentials
    kept = ",".join(f"+{name.lower()}" for name in launch.capabilities)
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
    if groups is not None:
        words.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
    words += [f"--bounding-set={','.join(filter(None, ('-all', kept)))}", "--inh-caps=-all"]
    words.append("--no-new-privs")
    yield "process 1 is ours: it waits for orphans and passes signals on, and can do no more than"
    yield f"$ umask {launch.umask:03o}; cd {quote(launch.workdir)}"
    if launch.time_limit is not None:
        yield from _time_lines(launch.time_limit)
    variables = [quote(f"{name}={value}") for name, value in launch.environment]
    yield f"$ exec {' '.join(words)} env -i {' '.join(variables)} \\"
    yield f"    {' '.join(map(quote, launch.command))}"


def _time_lines(limit: TimeLimit) -> Iterator[str]:
    yield f"after {limit.seconds:g} s it is told to end, {limit.kill_after:g} s later made to"
    yield f"$ timeout --kill-after={limit.kill_after:g} {limit.seconds:g} …"
