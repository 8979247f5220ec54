"""The config of an image: how it is started, and what it is made of (OCI image-spec, config.md)."""

from __future__ import annotations

from rootgen.image.descriptor import check_digest
from rootgen.image.document import parse_document, render
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from rootgen.image.document import Document

# Go's names for what uname(2) calls a machine: GOARCH, and its variant (image-index.md).
_PLATFORMS = {
    "x86_64": ("amd64", ""),
    "i386": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", "v8"),
    "arm": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "riscv64": ("riscv64", ""),
    "ppc64le": ("ppc64le", ""),
    "ppc64": ("ppc64", ""),
    "s390x": ("s390x", ""),
    "mips64el": ("mips64le", ""),
    "mips64": ("mips64", ""),
    "mipsel": ("mipsle", ""),
    "mips": ("mips", ""),
    "loongarch64": ("loong64", ""),
}


class History(NamedTuple):
    """How one layer came to be; ``empty`` made none. ``created`` is RFC 3339, or nothing."""

    created_by: str = ""
    created: str = ""
    comment: str = ""
    empty: bool = False


class Config(NamedTuple):
    """What an image is: ``start`` is how, ``diff_ids`` are its layers' from the bottom."""

    architecture: str
    variant: str = ""
    os: str = "linux"
    created: str = ""
    start: ImageConfig = ImageConfig()
    diff_ids: tuple[str, ...] = ()
    history: tuple[History, ...] = ()


def go_platform(machine: str) -> tuple[str, str]:
    """Return GOARCH and variant of what uname(2) calls a machine; that where Go has no name."""
    return _PLATFORMS.get(machine, (machine, ""))


def parse_config(data: bytes, where: str) -> Config:
    """Return the config that ``data`` is; raise ImageError."""
    document = parse_document(data, where)
    layers = document.inner("rootfs")
    if layers.text("type", "layers") != "layers":
        raise layers.wrong("'type' is not layers")
    diff_ids = tuple(check_digest(one, layers.where) for one in layers.texts("diff_ids"))
    history = tuple(
        History(
            one.text("created_by", ""),
            one.text("created", ""),
            one.text("comment", ""),
            one.flag("empty_layer"),
        )
        for one in document.each("history")
    )
    return Config(
        document.text("architecture"),
        document.text("variant", ""),
        document.text("os"),
        document.text("created", ""),
        _start(document.inner("config")),
        diff_ids,
        history,
    )


def config_bytes(config: Config) -> bytes:
    """Write a config; equal ones give equal bytes."""
    document: dict[str, object] = {
        "architecture": config.architecture,
        "os": config.os,
        "config": _start_json(config.start),
        "rootfs": {"type": "layers", "diff_ids": list(config.diff_ids)},
        "history": [_history_json(one) for one in config.history],
    }
    optional = {"variant": config.variant, "created": config.created}
    return render(document | {name: value for name, value in optional.items() if value})


def _start(document: Document) -> ImageConfig:
    pairs = [one.partition("=") for one in document.texts("Env")]
    return ImageConfig(
        document.texts("Entrypoint"),
        document.texts("Cmd"),
        document.text("User", ""),
        document.text("WorkingDir", ""),
        tuple((name, value) for name, _, value in pairs),
        document.pairs("Labels"),
    )


def _start_json(start: ImageConfig) -> dict[str, object]:
    written: dict[str, object] = {
        "Entrypoint": list(start.entrypoint),
        "Cmd": list(start.command),
        "User": start.user,
        "WorkingDir": start.workdir,
        "Env": [f"{name}={value}" for name, value in start.env],
        "Labels": dict(start.labels),
    }
    return {name: value for name, value in written.items() if value}


def _history_json(one: History) -> dict[str, object]:
    written: dict[str, object] = {
        "created": one.created,
        "created_by": one.created_by,
        "comment": one.comment,
        "empty_layer": one.empty,
    }
    return {name: value for name, value in written.items() if value}
