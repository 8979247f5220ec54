"""Options and facts → the Launch. Pure: nothing is read here and nothing is done."""

from __future__ import annotations

from rootgen.errors import LaunchError
from rootgen.linux.capability import mask
from rootgen.linux.mount import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY
from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.account import find_account
from rootgen.sandbox.allowance import (
    compose_ambient,
    compose_capabilities,
    compose_filters,
    compose_landlock,
    lets_through,
)
from rootgen.sandbox.environment import compose_environment
from rootgen.sandbox.id_map import choose_id_map, is_mapped
from rootgen.sandbox.launch import (
    HOSTNAME,
    Credentials,
    IdMap,
    Launch,
    Mount,
    Protect,
    Step,
    Text,
    TimeLimit,
)
from rootgen.sandbox.mounts import (
    LOCALTIME,
    MACHINE_ID,
    MANIFEST,
    extra_tmpfs,
    protections,
    standard_mounts,
)
from rootgen.sandbox.options import wants_groups
from rootgen.sandbox.rlimit import compose_rlimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rootgen.sandbox.facts import Facts
    from rootgen.sandbox.limits import Limit
    from rootgen.sandbox.options import Options
    from rootgen.sandbox.uplink import Uplink

_UMASK = 0o022
_TTY_GROUP = 5


def compose_launch(command: Sequence[str], options: Options, facts: Facts) -> Launch:
    """Return the Launch of ``command`` in the tree; raise LaunchError or UsageError."""
    id_map = None if facts.privileged else choose_id_map(facts.caller)
    account = find_account(options.user, facts.accounts)
    credentials = checked_credentials(account.credentials, id_map, setgroups=facts.setgroups)
    capabilities = compose_capabilities(options, facts)
    filters = compose_filters(options, facts, capabilities)
    return Launch(
        namespaces=_namespaces(options, facts, user=id_map is not None),
        id_map=id_map,
        hostname=options.hostname or HOSTNAME,
        loopback=options.network != "host",
        uplink=_uplink(options, facts),
        limits=_limits(options, facts),
        rlimits=compose_rlimits(options.rlimits, facts.rlimits, may_raise=_may_raise(facts)),
        root=facts.root,
        missing=facts.missing,
        root_flags=MS_NODEV,
        root_data=_overlay_options(id_map, facts) if facts.root.stacked else "",
        read_only=options.read_only,
        steps=tuple(_steps(options, facts, id_map)),
        pivot=options.pivot,
        credentials=credentials,
        capabilities=capabilities,
        ambient=compose_ambient(options, capabilities, credentials.uid),
        umask=_UMASK,
        environment=compose_environment(
            facts.environ, account.home, options.env, clear=options.clear_env
        ),
        workdir=options.workdir or "/",
        command=tuple(command),
        terminal=facts.terminal,
        filters=filters,
        landlock=compose_landlock(options, facts, capabilities, filters),
        keyring_needed=lets_through(filters, capabilities, "keyctl"),
        fuse=facts.fuse,
        time_limit=_time_limit(options),
    )


def _overlay_options(id_map: IdMap | None, facts: Facts) -> str:
    """Return the options of overlayfs besides the directories.

    Those that this machine may have set otherwise are set so that the upper
    directory is what a layer of an image can be made of: each changed file
    whole, and nothing that leads elsewhere. In a user namespace the notes on
    what is removed are user.* attributes (Linux 5.11), as trusted.* may not
    be written there.
    """
    data = "index=off,metacopy=off,redirect_dir=nofollow"
    user_namespace = id_map is not None or not facts.all_ids
    return f"{data},userxattr" if user_namespace else data


def _time_limit(options: Options) -> TimeLimit | None:
    if options.timeout is None:
        return None
    return TimeLimit(options.timeout, options.kill_after)


def _limits(options: Options, facts: Facts) -> tuple[Limit, ...]:
    if not wants_groups(options):
        return ()
    from rootgen.sandbox.limits import LimitFacts, compose_limits  # few launches have any

    return compose_limits(options, facts.limits or LimitFacts())


def _may_raise(facts: Facts) -> bool:
    """Say whether hard limits may be raised: setrlimit(2) asks the initial user namespace."""
    return facts.all_ids and bool(facts.capabilities & mask(["SYS_RESOURCE"]))


def _uplink(options: Options, facts: Facts) -> Uplink | None:
    if options.network == "none" and not options.publish:
        return None
    from rootgen.sandbox.uplink import compose_uplink  # few launches have any

    return compose_uplink(options, dict(facts.uplinks))


def _resolver(options: Options, facts: Facts) -> Iterator[Step]:
    """Yield how names are resolved, where there is a network: the tree's own file is of no host."""
    path = "/etc/resolv.conf"
    if options.network == "none" or path in {bind.target for bind in options.binds}:
        return
    text = facts.resolver
    if options.network != "host":
        from rootgen.sandbox.uplink import resolver_text

        text = resolver_text(text)
    if text:
        yield Text(path, text)


def _identity(options: Options, facts: Facts) -> Iterator[Step]:
    """Yield what tells one machine from another, where the tree keeps an empty file for it.

    The number is another at each launch, and never the host's, which is a secret
    (machine-id(5)); the time zone is the host's.
    """
    taken = {bind.target for bind in options.binds}
    if facts.machine_id and MACHINE_ID not in taken:
        yield Text(MACHINE_ID, f"{facts.machine_id}\n")
    if facts.localtime and LOCALTIME not in taken:
        flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
        yield Mount(facts.localtime, LOCALTIME, "", flags, bind=True, file=True)


def _namespaces(options: Options, facts: Facts, *, user: bool) -> tuple[str, ...]:
    names = ["mount", "pid", "uts", "ipc", "cgroup"]
    if options.network != "host":
        names.append("net")
    # Left away, and told by --explain, where the kernel has none or the clocks may not be set.
    may_set = user or facts.capabilities & mask(["SYS_TIME"])
    if options.uptime == "own" and facts.time_namespaces and may_set:
        names.append("time")
    return ("user", *names) if user else tuple(names)


def _steps(options: Options, facts: Facts, id_map: IdMap | None) -> Iterator[Step]:
    yield from standard_mounts(
        device_nodes=facts.device_nodes,
        own_network=options.network != "host",
        user_namespace=id_map is not None or not facts.all_ids,
        tty_group=facts.all_ids if id_map is None else is_mapped(_TTY_GROUP, id_map.gids),
        terminal=facts.terminal,
    )
    yield from protections()
    yield from extra_tmpfs(options.tmpfs)
    for bind in options.binds:
        flags = MS_NOSUID | MS_NODEV | (MS_RDONLY if bind.read_only else 0)
        is_file = bind.source not in facts.directories
        yield Mount(bind.source, bind.target, "", flags, bind=True, file=is_file)
    yield from facts.devices
    yield from _resolver(options, facts)
    yield from _identity(options, facts)
    yield Protect(MANIFEST, masked=False)


def checked_credentials(
    wanted: Credentials, id_map: IdMap | None, *, setgroups: bool
) -> Credentials:
    """Return the credentials as far as the map has them; raise LaunchError for the main ids.

    ``setgroups``: without a map, the groups may be chosen.
    """
    uid, gid, groups = wanted
    if id_map is None:
        return Credentials(uid, gid, groups if setgroups else None)
    for kind, number, lines in (("user", uid, id_map.uids), ("group", gid, id_map.gids)):
        if not is_mapped(number, lines):
            raise LaunchError(
                f"{kind} {number} is not one of the ids that this user may have inside",
                why=(f"the id map has {_map_words(lines)}",),
                hint="install newuidmap and newgidmap (package uidmap), and give the user ranges "
                "in /etc/subuid and /etc/subgid; or be root",
            )
    if id_map.deny_setgroups:
        return Credentials(uid, gid, None)
    mapped = tuple(group for group in groups or () if is_mapped(group, id_map.gids))
    return Credentials(uid, gid, mapped)


def _map_words(lines: Iterable[tuple[int, int, int]]) -> str:
    return ", ".join(
        f"{inside} to {inside + count - 1}" if count > 1 else f"{inside}"
        for inside, _, count in lines
    )
