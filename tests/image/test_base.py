"""What an image says of its base, and what it is over another."""

from __future__ import annotations

import pytest

from rootgen.errors import ImageError
from rootgen.image.base import (
    BASE_LAYERS,
    base_annotations,
    is_over,
    layer_histories,
    rebased_start,
    recorded_base,
)
from rootgen.image.config import Config, History
from rootgen.image.descriptor import CONFIG, LAYER, Descriptor
from rootgen.image.manifest import ImageManifest
from rootgen.profile.model import ImageConfig

DIGEST = f"sha256:{'0' * 64}"
ONE = Descriptor(LAYER, DIGEST, 1)


def _manifest(annotations: tuple[tuple[str, str], ...]) -> ImageManifest:
    return ImageManifest(Descriptor(CONFIG, DIGEST, 1), (ONE, ONE, ONE), annotations)


def test_recorded() -> None:
    """What is written is read; no word of it is one too."""
    assert recorded_base(_manifest(base_annotations(2, DIGEST)), "a") == (2, DIGEST)
    assert recorded_base(_manifest(base_annotations(0)), "a") == (0, "")


@pytest.mark.parametrize("count", ["", "-1", "4", "99999999999999999999", "two", "\u0662", "1 "])
def test_lies(count: str) -> None:
    """A number that can be none of its layers is refused."""
    with pytest.raises(ImageError, match="are said to be its base's"):
        recorded_base(_manifest(((BASE_LAYERS, count),)), "a")


def test_over() -> None:
    """An image lies over what its first layers are, and not over itself."""
    image = Config("amd64", diff_ids=("a", "b"))
    assert is_over(image, image._replace(diff_ids=("a",)))
    assert not is_over(image, image)
    assert not is_over(image, image._replace(diff_ids=("b",)))
    assert is_over(image, image._replace(diff_ids=()))


def test_histories() -> None:
    """Each layer has its own steps, whatever the history has too many or too few of."""
    made, empty = History("made"), History("empty", empty=True)
    config = Config("amd64", diff_ids=("a", "b"))
    for history, told in (
        ((empty, made, empty, made, empty), [(empty, made), (empty, made, empty)]),
        ((made,), [(made,), (History(),)]),
        ((made, empty), [(made,), (empty, History())]),
        ((made, made, made, empty), [(made,), (made, empty)]),
        ((), [(History(),), (History(),)]),
    ):
        assert layer_histories(config._replace(history=history)) == told
    assert layer_histories(Config("amd64", history=(empty,))) == []


def test_start() -> None:
    """What an image has otherwise than its old base it keeps; the rest is the new base's."""
    old = ImageConfig(("a",), ("b",), "1", "/1", (("X", "1"), ("GONE", "1"), ("Y", "1")))
    new = ImageConfig(
        ("c",), ("d",), "2", "/2", (("X", "2"), ("GONE", "2"), ("Y", "2"), ("N", "2"))
    )
    assert rebased_start(old, old, new) == new
    assert rebased_start(old, old, old) == old
    mine = ImageConfig(("m",), (), "1", "/m", (("X", "m"), ("Y", "1"), ("M", "m")))
    env = (("X", "m"), ("Y", "2"), ("N", "2"), ("M", "m"))
    assert rebased_start(mine, old, new) == ImageConfig(("m",), (), "2", "/m", env)
    assert rebased_start(mine, old, old) == mine
