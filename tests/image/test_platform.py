"""Platforms: of an index that which this machine runs, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import ImageError, UsageError
from rootgen.image.descriptor import INDEX, MANIFEST, Descriptor, Platform
from rootgen.image.manifest import Index
from rootgen.image.platform import choose, machine_platform, parse_platform, platform_words

_WORD = st.sampled_from(["amd64", "arm64", "arm", "386", "vax"])
_VARIANT = st.sampled_from(["", "v1", "v5", "v6", "v7", "v8"])
_PLATFORMS = st.builds(Platform, st.sampled_from(["linux", "windows"]), _WORD, _VARIANT)


def _index(*written: str, media_type: str = MANIFEST) -> Index:
    return Index(
        tuple(
            Descriptor(
                media_type,
                f"sha256:{number:064}",
                1,
                platform=Platform(*one.split("/")) if one else Platform(),
            )
            for number, one in enumerate(written)
        )
    )


def _chosen(index: Index, wanted: str) -> str:
    return platform_words(choose(index, parse_platform(wanted), "x").platform)


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        ("linux/amd64 linux/arm64", "linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64", "linux/arm64/v8"),
        ("linux/arm64", "linux/arm64/v8", "linux/arm64"),
        # A later ARM runs what is for an earlier one (containerd, platforms/compare.go).
        ("linux/arm/v5 linux/arm/v6", "linux/arm/v7", "linux/arm/v6"),
        ("linux/arm/v6 linux/arm/v7", "linux/arm", "linux/arm/v7"),
        ("linux/amd64/v3 linux/amd64", "linux/amd64", "linux/amd64"),
        ("unknown/unknown linux/amd64", "linux/amd64", "linux/amd64"),
    ],
)
def test_chosen(there: str, wanted: str, expected: str) -> None:
    """The best of those that run."""
    assert _chosen(_index(*there.split()), wanted) == expected
    assert _chosen(_index(*there.split(), media_type=INDEX), wanted) == expected


@pytest.mark.parametrize(
    ("there", "wanted", "told"),
    [
        ("linux/arm64", "linux/amd64", "it has linux/arm64"),
        ("linux/arm/v8", "linux/arm/v7", "it has linux/arm/v8"),
        ("linux/amd64/v3", "linux/amd64", "it has linux/amd64/v3"),
        ("windows/amd64", "linux/amd64", "it has windows/amd64"),
        ("unknown/unknown", "linux/amd64", "it has no image"),
    ],
)
def test_nothing(there: str, wanted: str, told: str) -> None:
    """Where nothing runs, it says what there is."""
    with pytest.raises(ImageError, match=f"has nothing for {wanted}") as error:
        _chosen(_index(*there.split()), wanted)
    assert told in error.value.why


def test_one_of_none() -> None:
    """A single manifest that says nothing of its machine is taken; of several none is guessed."""
    assert _chosen(_index(""), "linux/amd64") == ""
    with pytest.raises(ImageError):
        _chosen(_index("", ""), "linux/amd64")
    with pytest.raises(ImageError, match="has nothing for"):
        choose(_index("", media_type="application/x"), Platform("linux", "amd64"), "x")


@given(st.lists(_PLATFORMS, max_size=6), _PLATFORMS)
def test_order_is_nothing(there: list[Platform], wanted: Platform) -> None:
    """What is chosen fits, is the same in any order, and is the wanted one where that is there."""
    manifests = [
        Descriptor(MANIFEST, f"sha256:{one:064}", 1, platform=p) for one, p in enumerate(there)
    ]
    try:
        chosen = choose(Index(tuple(manifests)), wanted, "x").platform
    except ImageError:
        assert wanted not in there
        return
    assert (chosen.os, chosen.architecture) == (wanted.os, wanted.architecture)
    again = choose(Index(tuple(reversed(manifests))), wanted, "x").platform
    plain = {"amd64": "v1", "arm64": "v8", "arm": "v7"}.get(wanted.architecture, "")
    assert (again.variant or plain) == (chosen.variant or plain)
    if wanted in there:
        assert (chosen.variant or plain) == (wanted.variant or plain)


@given(_PLATFORMS)
def test_round_trip(platform: Platform) -> None:
    """What is written is read."""
    assert parse_platform(platform_words(platform)) == platform


@pytest.mark.parametrize("written", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux//v7"])
def test_malformed(written: str) -> None:
    """What is no platform."""
    with pytest.raises(UsageError):
        parse_platform(written)


def test_machines() -> None:
    """What uname(2) says of machines in Go's words."""
    assert platform_words(machine_platform("x86_64")) == "linux/amd64"
    assert platform_words(machine_platform("aarch64")) == "linux/arm64/v8"
    assert platform_words(machine_platform("armv7l")) == "linux/arm/v7"
    assert platform_words(machine_platform("i686")) == "linux/386"
