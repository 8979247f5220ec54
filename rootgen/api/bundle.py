"""``pack --to bundle``: a directory that an OCI runtime (runc, crun) runs.

Its ``config.json`` is the same Launch that ``run`` would perform.
"""

from __future__ import annotations

import os

from rootgen.api.run import (
    RunRequest,
    best_shell,
    manifest_start,
    root_of,
    root_or_image,
    with_defaults,
)
from rootgen.errors import UsageError
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.sandbox.compose import compose_launch
from rootgen.sandbox.environment import callers_variables
from rootgen.sandbox.facts import read_facts
from rootgen.sandbox.launch import Root
from rootgen.sandbox.oci import runtime_config
from rootgen.sandbox.options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rootgen.api.run import ImageName
    from rootgen.named import Progress, Tell
    from rootgen.profile.model import ImageConfig
    from rootgen.rootfs.note import Note


class BundleRequest(NamedTuple):
    """What becomes a bundle, and where.

    ``root`` is a directory, or the name of an image of the store at ``store``.
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
    store: str = ""


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
    from rootgen.rootfs.bundle import ROOTFS, copied_tree, write_bundle

    what = root_or_image(request.root, request.store)
    if not isinstance(what, str):
        return _pack_image(request, what, progress=progress, environ=environ)
    config = config_bytes(bundle_config(request, ROOTFS, tell=tell, environ=environ))
    return write_bundle(
        request.out,
        lambda copy: config,  # noqa: ARG005 - it is that of the tree
        None if request.linked else copied_tree(request.root, progress),
        apart=request.root,
        force=request.force,
        progress=progress,
    )


def _pack_image(
    request: BundleRequest,
    image: ImageName,
    *,
    progress: Progress | None,
    environ: Mapping[str, str],
) -> tuple[Note, ...]:
    """Write a bundle of an image, which without a command runs what that says.

    What its config depends on is read in the copy: the image is nowhere unpacked before.
    """
    from rootgen.api.packable import named_store, packable
    from rootgen.rootfs.bundle import ROOTFS, Copied, by_path, write_bundle

    if request.linked:
        raise UsageError(f"{image.name} is an image: there is no directory to lead to with --link")
    with packable(image, progress) as source:
        start = source.start

        def config(copy: str) -> bytes:
            root = Root((copy,), None, image.name)
            words = request.command or start.entrypoint + start.command
            asked = request._replace(command=words)
            return config_bytes(_config_of(root, asked, start, ROOTFS, environ=environ))

        return write_bundle(
            request.out,
            config,
            Copied(by_path(source.plan), source.root),
            apart=named_store(image),
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
    return _config_of(root, request, manifest_start(root, tell), rootfs, environ=environ)


def _config_of(
    root: Root,
    request: BundleRequest,
    start: ImageConfig | None,
    rootfs: str,
    *,
    environ: Mapping[str, str],
) -> dict[str, object]:
    options = with_defaults(start, request.options)
    # The runtime makes the groups, in its own way and place: none of ours is looked for.
    composed = options._replace(memory=None, cpus=None, pids=None)
    facts = read_facts(root, composed, callers_variables(environ))
    # What is this machine's own, and changes with each launch, is not for a bundle.
    facts = facts._replace(terminal=request.terminal, machine_id="", localtime="")
    command = request.command or best_shell(root, dict(options.env).get("PATH", ""))
    launch = compose_launch(command, composed, facts)
    return runtime_config(launch, options, launch.root.top if request.linked else rootfs)


def config_bytes(config: dict[str, object]) -> bytes:
    """Return ``config.json``: the same bytes for the same values."""
    import json

    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
