"""``rootgen inspect``."""

from __future__ import annotations

from rootgen.api.images import find_image
from rootgen.cli.command import Argument, Command
from rootgen.cli.output import write_json
from rootgen.cli.store import STORE, store_path


def inspect(name: str, store: str) -> None:
    """Print what the image NAME is, as JSON: how it is started, its layers and its platform.

    \b
      rootgen inspect tools/git:1.0

    NAME is NAME:TAG; without a tag, latest.
    """
    image = find_image(store_path(store), name)
    config, start = image.config, image.config.start
    layers = zip(image.manifest.layers, config.diff_ids, strict=True)
    write_json(
        {
            "rootgen": 1,
            "command": "inspect",
            "name": image.name,
            "digest": image.digest,
            "config_digest": image.manifest.config.digest,
            "os": config.os,
            "architecture": config.architecture,
            "variant": config.variant,
            "created": config.created,
            "entrypoint": start.entrypoint,
            "command_words": start.command,
            "user": start.user,
            "workdir": start.workdir,
            "env": dict(start.env),
            "labels": dict(start.labels),
            "annotations": dict(image.manifest.annotations),
            "size": image.size(),
            "layers": [
                {
                    "media_type": layer.media_type,
                    "digest": layer.digest,
                    "diff_id": diff_id,
                    "size": layer.size,
                }
                for layer, diff_id in layers
            ],
        }
    )


COMMAND = Command(
    "inspect",
    "Print what an image is.",
    inspect,
    (Argument("name", "NAME"), STORE),
)
