"""OCI documents of any content: read, or refused with an ImageError; never anything else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import ImageError
from rootgen.image.config import Config, History, config_bytes, parse_config
from rootgen.image.descriptor import CONFIG, LAYER, MANIFEST, Descriptor, Platform
from rootgen.image.manifest import (
    ImageManifest,
    check_image,
    manifest_bytes,
    parse_index,
    parse_manifest,
)
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable

_KEYS = st.sampled_from(
    "schemaVersion mediaType config layers manifests digest size annotations platform os "
    "architecture rootfs diff_ids history type Env Entrypoint Labels empty_layer".split()
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from([2, LAYER, CONFIG, MANIFEST, f"sha256:{'a' * 64}", "layers"]),
)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=6)),
    max_leaves=8,
)
_READERS = [parse_manifest, parse_index, parse_config]


@pytest.mark.parametrize("parse", _READERS)
@given(data=st.one_of(st.binary(max_size=60), st.dictionaries(_KEYS, _ANY).map(json.dumps)))
def test_any_bytes(parse: Callable[[bytes, str], object], data: bytes | str) -> None:
    """Nothing but ImageError is raised, whatever is read."""
    with contextlib.suppress(ImageError):
        parse(data if isinstance(data, bytes) else data.encode(), "x")


_TEXT = st.text(max_size=6)
_PAIRS = st.dictionaries(_TEXT, _TEXT, max_size=3).map(lambda pairs: tuple(sorted(pairs.items())))
_DIGESTS = st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}")
_SIZES = st.integers(0, (1 << 63) - 1)
_LAYERS = st.builds(
    Descriptor, st.sampled_from([LAYER, f"{LAYER}+gzip", f"{LAYER}+zstd"]), _DIGESTS, _SIZES, _PAIRS
)
_NAMES = st.text(max_size=6).filter(lambda name: "=" not in name)
_STARTS = st.builds(
    ImageConfig,
    st.lists(_TEXT, max_size=3).map(tuple),
    st.lists(_TEXT, max_size=3).map(tuple),
    _TEXT,
    _TEXT,
    st.lists(st.tuples(_NAMES, _TEXT), max_size=3).map(tuple),
    _PAIRS,
)
_HISTORY = st.lists(st.builds(History, _TEXT, _TEXT, _TEXT, st.booleans()), max_size=3).map(tuple)


@given(
    config=st.builds(Descriptor, st.just(CONFIG), _DIGESTS, _SIZES, _PAIRS, st.just(Platform())),
    layers=st.lists(_LAYERS, max_size=4).map(tuple),
    annotations=_PAIRS,
)
def test_manifests(config: Descriptor, layers: tuple[Descriptor, ...], annotations: object) -> None:
    """A manifest is read as what was written, and written so again."""
    assert isinstance(annotations, tuple)
    manifest = ImageManifest(config, layers, annotations)
    data = manifest_bytes(manifest)
    assert check_image(parse_manifest(data, "x"), "x") == manifest
    assert manifest_bytes(parse_manifest(data, "x")) == data


@given(
    config=st.builds(
        Config,
        _TEXT,
        _TEXT,
        _TEXT,
        _TEXT,
        _STARTS,
        st.lists(_DIGESTS, max_size=4).map(tuple),
        _HISTORY,
    )
)
def test_configs(config: Config) -> None:
    """A config is read as what was written."""
    assert parse_config(config_bytes(config), "x") == config
