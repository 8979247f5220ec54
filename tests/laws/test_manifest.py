"""Manifests: what is written is read back; what is not ours is an error, and no other exception."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.errors import PlanError
from rootgen.plan.manifest import Manifest, manifest_bytes, manifest_of
from rootgen.plan.manifest_reader import parse_manifest
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from tests.laws.examples import at_most
from tests.laws.plans import hashed, plans

if TYPE_CHECKING:
    from tests.laws.plans import Drawn

_WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
_PAIRS = st.lists(st.tuples(st.sampled_from(["A", "é"]), st.just('"\\\n\u2028'))).map(tuple)
IMAGES = st.builds(
    ImageConfig,
    _WORDS.map(tuple),
    _WORDS.map(tuple),
    st.sampled_from(["", "app", "1000:5"]),
    st.sampled_from(["", "/srv"]),
    _PAIRS,
    _PAIRS,
)


def manifests() -> st.SearchStrategy[Manifest]:
    """Return manifests of any Plan."""
    programs = st.lists(st.sampled_from(["/usr/bin/a", "/bin/\udcff"])).map(tuple)
    return st.builds(
        lambda drawn, programs, image: manifest_of(programs, hashed(drawn), image),
        plans(),
        programs,
        IMAGES,
    )


@at_most(1000)
@given(manifest=manifests())
def test_round_trip(manifest: Manifest) -> None:
    """What is written is read back; the form is JSON, in ASCII, as json.dumps has it."""
    data = manifest_bytes(manifest)
    assert parse_manifest(data) == manifest
    document = json.loads(data)
    entries = document.pop("entries")
    compact = [json.dumps(entry, separators=(",", ":")) for entry in entries]
    head = json.dumps(document, separators=(",", ":"))
    expected = head[:-1] + ',"entries":[\n' + ",\n".join(compact) + "\n]}\n"
    assert data == expected.encode("ascii")


@at_most(1000)
@given(drawn=plans(), place=st.integers(0), value=st.integers(0, 255), cut=st.booleans())
def test_damaged(drawn: Drawn, place: int, value: int, *, cut: bool) -> None:
    """A byte that changed, or an end that is missing, is an error or changes nothing but words."""
    data = bytearray(manifest_bytes(manifest_of((), hashed(drawn), ImageConfig())))
    place %= len(data)
    if cut:
        del data[place:]
    else:
        data[place] = value
    try:
        found = parse_manifest(bytes(data))
    except PlanError:
        return
    # Times, reasons and sizes are no part of the digest.
    assert found.digest == manifest_of((), hashed(drawn), ImageConfig()).digest


@given(lines=st.lists(st.text() | st.sampled_from(['{"a":[{}', "[" * 5000, "1" * 5000, "NaN"])))
def test_anything(lines: list[str]) -> None:
    """No text makes it raise anything but PlanError."""
    head = manifest_bytes(manifest_of((), Plan(), ImageConfig())).split(b"\n")[0]
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    for data in (text, head + b"\n" + text, head + b"\n" + text + b"\n]}\n"):
        try:
            parse_manifest(data)
        except PlanError:
            continue
