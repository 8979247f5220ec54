"""Which of an index's manifests a machine takes (image-spec, image-index.md)."""

from __future__ import annotations

from rootgen.errors import ImageError, UsageError
from rootgen.image.config import go_platform
from rootgen.image.descriptor import INDEX, MANIFEST, Platform, oci_media_type
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.image.descriptor import Descriptor
    from rootgen.image.manifest import Index

# What a machine runs besides its own, best first (containerd, platforms/compare.go).
_ARM = ("v8", "v7", "v6", "v5")
# What every machine of the architecture has.
_PLAIN = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
_SHOWN = 12


def machine_platform(machine: str) -> Platform:
    """Return the platform of what uname(2) calls a machine."""
    architecture, variant = go_platform(machine)
    return Platform("linux", architecture, variant)


def parse_platform(written: str) -> Platform:
    """Return the platform ``linux/arm64`` or ``linux/arm/v7``; raise UsageError."""
    parts = written.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):  # noqa: PLR2004 - the form
        raise UsageError(
            f"'{written}' is no platform", hint="write it as linux/arm64, linux/arm/v7"
        )
    return Platform(*parts)


def platform_words(platform: Platform) -> str:
    """Return ``linux/arm/v7``."""
    return "/".join(one for one in platform if one)


def choose(index: Index, wanted: Platform, where: str) -> Descriptor:
    """Return the manifest of ``index`` for a platform, or an index within it.

    Raises ImageError, which says what there is.
    """
    images = [one for one in index.manifests if _may_be_image(one)]
    ranked = [(_rank(one.platform, wanted), one) for one in images]
    fitting = [(rank, one) for rank, one in ranked if rank is not None]
    if fitting:
        return min(fitting, key=lambda pair: pair[0])[1]
    if len(images) == 1 and images[0].platform == Platform():
        return images[0]
    there = dict.fromkeys(platform_words(one.platform) or "?" for one in images)
    raise ImageError(
        f"{where} has nothing for {platform_words(wanted)}",
        why=(f"it has {', '.join(list(there)[:_SHOWN]) or 'no image'}",),
        hint="choose one with --platform",
    )


def _may_be_image(one: Descriptor) -> bool:
    # buildx puts what attests an image beside it, for the platform unknown/unknown.
    kind = oci_media_type(one.media_type)
    return kind in {MANIFEST, INDEX} and one.platform.architecture != "unknown"


def _rank(has: Platform, wanted: Platform) -> int | None:
    """Return how well a platform fits, 0 the best, None not at all."""
    if (has.os, has.architecture) != (wanted.os, wanted.architecture):
        return None
    plain = _PLAIN.get(wanted.architecture, "")
    own, other = wanted.variant or plain, has.variant or plain
    if own == other:
        return 0
    if wanted.architecture == "arm" and own in _ARM and other in _ARM[_ARM.index(own) :]:
        return _ARM.index(other)
    return None
