"""The end, told: what the program is given and what is taken from it."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.explain.shell import quote
from rootgen.sandbox.seccomp.filter import DEFAULT_NAME, TERMINAL_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch, TimeLimit

_PURPOSES = {
    TERMINAL_NAME: "no typing into a terminal by ioctl (TIOCSTI, TIOCLINUX)",
    DEFAULT_NAME: "the reach of Docker's default profile",
}
# setpriv(1), --landlock-access
_RIGHTS = (
    "execute,write-file,read-file,read-dir,remove-dir,remove-file,make-char,make-dir,make-reg,"
    "make-sock,make-fifo,make-block,make-sym,refer,truncate"
)


def program_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on credentials, capabilities and the exec."""
    uid, gid, groups = launch.credentials
    kept = ",".join(f"+{name.lower()}" for name in launch.capabilities)
    words = ["setpriv", f"--reuid={uid}", f"--regid={gid}"]
    if groups is not None:
        words.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
    ambient = ",".join(("-all", *(f"+{name.lower()}" for name in launch.ambient)))
    words += [f"--bounding-set={','.join(filter(None, ('-all', kept)))}", f"--inh-caps={ambient}"]
    if launch.ambient:
        words.append(f"--ambient-caps={ambient}")
    words.append("--no-new-privs")
    yield "process 1 is ours: it waits for orphans and passes signals on, and can do no more than"
    yield f"$ umask {launch.umask:03o}; cd {quote(launch.workdir)}"
    if launch.time_limit is not None:
        yield from _time_lines(launch.time_limit)
    yield from _keyring_lines()
    yield from _landlock_lines(launch)
    yield from _filter_lines(launch)
    variables = [quote(f"{name}={value}") for name, value in launch.environment]
    yield f"$ exec {' '.join(words)} env -i {' '.join(variables)} \\"
    yield f"    {' '.join(map(quote, launch.command))}"


def _time_lines(limit: TimeLimit) -> Iterator[str]:
    yield f"after {limit.seconds:g} s it is told to end, {limit.kill_after:g} s later made to"
    yield f"$ timeout --kill-after={limit.kill_after:g} {limit.seconds:g} …"


def _keyring_lines() -> Iterator[str]:
    yield "its session keyring is a new one, without the keys of the caller's login"
    yield "$ keyctl session - …"


def _landlock_lines(launch: Launch) -> Iterator[str]:
    wanted = launch.landlock
    if wanted.files:
        yield "Landlock, a second wall: nothing is opened that is not beneath the new /, whatever"
        yield "descriptor leads there, but the standard streams; and no mount is changed"
        for path in wanted.interpreters:
            yield f"(and {quote(path)}, with which the kernel runs foreign programs)"
        yield f"$ setpriv --landlock-access fs --landlock-rule path-beneath:{_RIGHTS}:/ …"
    elif wanted.version == 0:
        yield "Landlock is not there: this kernel has none, or it is off"
    elif wanted.version == 1:
        yield "Landlock is left out: this kernel's would forbid every move to another directory"
    else:
        yield "Landlock is left out: it forbids all mounts, and the program may make some"
    if wanted.sockets:
        yield "and it reaches no abstract sockets of the caller's network (Landlock scopes)"


def _filter_lines(launch: Launch) -> Iterator[str]:
    if not launch.filters:
        yield "no seccomp filter: all system calls of the kernel are in its reach"
        return
    from rootgen.sandbox.seccomp.filter import profile_of
    from rootgen.sandbox.seccomp.words import profile_lines

    for one in launch.filters:
        yield f"seccomp filter {quote(one.name)}: {_PURPOSES.get(one.name, 'of your own')}"
        for line in profile_lines(profile_of(one, launch.capabilities)):
            yield f"  {line}"
    words = " ".join(f"--seccomp-filter {quote(f'{one.name}.bpf')}" for one in launch.filters)
    yield f"$ setpriv {words} …    # util-linux 2.41; as OCI profiles: --explain --json"
