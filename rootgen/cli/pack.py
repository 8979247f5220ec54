"""``rootgen pack``."""

from __future__ import annotations

import os
import sys

from rootgen.api.pack import pack as pack_root
from rootgen.api.packable import PackRequest
from rootgen.cli.command import Argument, Command, Option, OptionError, flag
from rootgen.cli.epoch import source_date_epoch
from rootgen.cli.launch import LAUNCH_OPTIONS, given_options, tell
from rootgen.cli.output import write_errors, write_json, write_lines, write_notes
from rootgen.cli.store import STORE, store_path
from rootgen.errors import UsageError
from rootgen.image.compress import COMPRESSIONS
from rootgen.named import TYPE_CHECKING
from rootgen.report.make import Remark
from rootgen.report.pack import PackedFile, pack_json, pack_lines
from rootgen.report.progress import ProgressLine
from rootgen.report.words import printable

if TYPE_CHECKING:
    from typing import Any

# Those of api.pack, whose imports a command line need not wait for, and a bundle.
_FORMATS = ("oci", "docker", "tar", "squashfs", "erofs", "cpio", "bundle")
# What an OCI runtime can be told; the rest of a launch's options are the launcher's own.
_RUNTIME = frozenset((
    "binds", "tmpfs", "env", "clear_env", "user", "workdir", "hostname", "network", "read_only",
    "memory", "cpus", "pids", "rlimits", "cap_add", "cap_drop", "seccomp",
))  # fmt: skip
_RUNTIME_OPTIONS = tuple(one for one in LAUNCH_OPTIONS if one.name in _RUNTIME)


def pack(  # noqa: PLR0913 - one parameter for each option
    rootfs: str,
    out: str,
    words: tuple[str, ...],
    to: str | None,
    compress: str | None,
    tag: str,
    *,
    attached: bool,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Pack ROOTFS as OUT, the same bytes from every machine and user.

    \b
      rootgen pack ./rootfs --to oci ./layout         an OCI image layout
      rootgen pack ./rootfs --to oci image.tar        the same as one file
      rootgen pack tools/git:1 --to docker - | podman load
      rootgen pack ./rootfs --to tar rootfs.tar
      rootgen pack ./rootfs --to tar --compress zstd rootfs.tar.zst
      rootgen pack ./rootfs --to tar - | ssh host tar -x -C /srv/rootfs
      rootgen pack ./rootfs --to squashfs root.squashfs
      rootgen pack ./rootfs --to erofs root.erofs
      rootgen pack ./rootfs --to cpio --compress gzip initramfs.img

    ROOTFS is a directory; where there is none of that name, an image of the
    store. Owners and devices are those of the manifest, also where an
    ordinary user's tree cannot have them. OUT is written whole or not at
    all; - is standard output, and what was done is then told on standard
    error.

    A directory becomes an image of one layer, an image keeps its layers, so
    that it has the digest it has in the store. The time of an image that is
    made is SOURCE_DATE_EPOCH, or 1970.

    A squashfs (compressed by zstd) and an erofs (as it is) are mounted
    read-only, as the root of a machine as well. They are written by rootgen
    itself, with no tool to install.

    As cpio it is an initramfs: its /init (the tree's own, where it has one)
    mounts /proc, /sys and /dev, and starts the entry point that the tree's
    profile names, or a shell.

    \b
      rootgen pack ./rootfs --to bundle ./bundle --memory 256M -- ls -l /
      runc run --bundle ./bundle NAME      or: crun run --bundle ./bundle NAME

    A bundle is a directory: config.json, which has an OCI runtime do what
    `rootgen run` does with the same options, and a copy of the tree. It is
    for the user who packs it: an ordinary user's has a user namespace.
    Without COMMAND it runs the best shell that the tree has, of an image
    what that is started with.
    """
    if to is None:
        raise UsageError(f"pack as what? --to {', '.join(_FORMATS)}")
    store = given.pop("store")
    if to == "bundle":
        if tag or attached:
            which = "tag" if tag else "attached"
            raise OptionError(f"--{which} means nothing with --to bundle")
        given["store"] = store_path(store)
        _pack_bundle(rootfs, out, words, compress, given, force=force, as_json=as_json)
        return
    _refuse_bundled(words, given, to)
    if as_json and out == "-":
        raise UsageError("--json and what is packed cannot both go to standard output")
    epoch = source_date_epoch(os.environ) or 0
    where = store_path(store)
    request = PackRequest(rootfs, to, out, compress or "", force, where, tag, epoch, attached)
    with ProgressLine(sys.stderr, os.environ) as progress:
        result = pack_root(request, progress=progress)
    packed = PackedFile(out, to, compress or "none", result.size, result.digest, *result[3:])
    notes = tuple(Remark(one.path, one.what) for one in result.notes)
    if as_json:
        write_json(pack_json(packed, notes))
    else:
        (write_errors if out == "-" else write_lines)(pack_lines(packed, notes))


def _refuse_bundled(words: tuple[str, ...], bundled: dict[str, Any], to: str) -> None:
    """Raise OptionError for what only a bundle has."""
    own = (*_BUNDLE_OPTIONS, *_RUNTIME_OPTIONS)
    given = [one.flags[-1] for one in own if bundled[one.name] != one.without()]
    given += ["COMMAND"] if words else []
    if given:
        raise OptionError(f"{given[0]} means nothing with --to {to}: only a bundle is run")


def _pack_bundle(
    rootfs: str,
    out: str,
    words: tuple[str, ...],
    compress: str | None,
    bundled: dict[str, Any],
    *,
    force: bool,
    as_json: bool,
) -> None:
    from rootgen.api.bundle import BundleRequest, pack_bundle

    if compress or as_json or out == "-":
        which = "--json" if as_json else "--compress" if compress else "-"
        raise OptionError(f"{which} means nothing with --to bundle: it is a directory")
    terminal, linked, store = (bundled.pop(one) for one in ("terminal", "linked", "store"))
    options = given_options(bundled)
    request = BundleRequest(rootfs, out, words, options, terminal, linked, force, store)
    with ProgressLine(sys.stderr, os.environ) as progress:
        notes = pack_bundle(request, tell=tell, progress=progress)
    write_notes([printable(f"{note.path}: {note.what}") for note in notes])


_BUNDLE_OPTIONS = (
    flag("--link", "Of a bundle: lead to where ROOTFS is, and copy nothing.", dest="linked"),
    Option(
        ("-t", "--tty"), "terminal", kind="flag",
        help="Of a bundle: have the runtime give COMMAND a terminal of its own.",
    ),
)  # fmt: skip

COMMAND = Command(
    "pack",
    "Write a root file system in another form.",
    pack,
    (
        Argument("rootfs", "ROOTFS"),
        Argument("out", "OUT"),
        Argument("words", "[-- COMMAND [ARG]...]", many=True, required=False),
        Option(
            ("--to",), "to", kind="choice", choices=_FORMATS, default=None,
            help="What OUT is to be: an image, an archive, a file system, an initramfs, a bundle.",
        ),
        Option(
            ("--compress",), "compress", kind="choice", choices=COMPRESSIONS, default=None,
            help="Compress with every core; the bytes are the same on any number.  "
            "[default: gzip for the layer of oci and docker, zstd for the blocks of a squashfs, "
            "else none]",
        ),
        Option(("--tag",), "tag", metavar="NAME:TAG", help="Of oci and docker: the image's name."),
        STORE,
        flag("--attached", "Of oci: bring bills of materials and the like with the image."),
        flag("--force", "Replace OUT if it is there."),
        flag("--json", "Print what was packed as JSON.", dest="as_json"),
        *_BUNDLE_OPTIONS,
        *_RUNTIME_OPTIONS,
    ),
)  # fmt: skip
