"""``pack --to bundle``: a directory that an OCI runtime (runc, crun) runs.

Its ``config.json`` is the same Launch that ``run`` would perform.
"""

from __future__ import annotations

import os

from rootgen.api.run import RunRequest, best_shell, manifest_start, root_of, with_defaults
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.facts import read_facts
from rootgen.sandbox.oci import runtime_config
from rootgen.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rootgen.rootfs.note import Note

    Tell = Callable[[str], None]
    Progress = Callable[[str, int, int], None]


class BundleRequest(NamedTuple):
    """What becomes a bundle, and where.

    ``terminal``: the runtime gives the program one of its own. ``linked``:
    ``config.json`` leads to the tree where it is, which is not copied.
    """

    root: str
    out: str
    command: tuple[str, ...] = ()
    options: Options = Options()
    terminal: bool = False
    linked: bool = False
    force: bool = False


def pack_bundle(
    request: BundleRequest,
    *,
    tell: Tell | None = None,
    progress: Progress | None = None,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Note, ...]:
    """Write an OCI bundle that runs ``command`` in the tree; return what could not be kept.

    It is for the user who packs it: an ordinary user's has the user namespace
    and the ids that ``run`` would give. Raises LaunchError and UsageError as
    ``run`` does, and for what a bundle cannot say; TreeError.
    """
    from rootgen.rootfs.bundle import ROOTFS, write_bundle

    config = bundle_config(request, ROOTFS, tell=tell, environ=environ)
    return write_bundle(
        request.out,
        config_bytes(config),
        request.root,
        copied=not request.linked,
        force=request.force,
        progress=progress,
    )


def bundle_config(
    request: BundleRequest,
    rootfs: str,
    *,
    tell: Tell | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, object]:
    """Return the ``config.json`` of a bundle whose copied tree is called ``rootfs``."""
    root = root_of(RunRequest(request.root, options=request.options))
    options = with_defaults(manifest_start(root, tell), request.options)
    # The runtime makes the groups, in its own way and place: none of ours is looked for.
    composed = options._replace(memory=None, cpus=None, pids=None)
    facts = read_facts(root, composed, environ)
    # What is this machine's own, and changes with each launch, is not for a bundle.
    facts = facts._replace(terminal=request.terminal, machine_id="", localtime="")
    command = request.command or best_shell(root, dict(options.env).get("PATH", ""))
    launch = compose_launch(command, composed, facts)
    return runtime_config(launch, options, launch.root.top if request.linked else rootfs)


def config_bytes(config: dict[str, object]) -> bytes:
    """Return ``config.json``: the same bytes for the same values."""
    import json

    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
