"""Challenges: what servers write is read; what nobody should write ends, and harms nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootgen.image.registry.challenge import Challenge, parse_challenges

_TOKEN = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,8}", fullmatch=True)
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
_PARAMETERS = st.lists(
    st.tuples(_TOKEN.map(str.lower), _TEXT), max_size=4, unique_by=lambda pair: pair[0]
).map(tuple)
_CHALLENGES = st.lists(st.builds(Challenge, _TOKEN.map(str.lower), _PARAMETERS), max_size=4)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            ['Bearer realm="https://a.example/t",service="s",scope="repository:x:pull,push"'],
            [
                (
                    "bearer",
                    {
                        "realm": "https://a.example/t",
                        "service": "s",
                        "scope": "repository:x:pull,push",
                    },
                )
            ],
        ),
        (["Basic realm=x"], [("basic", {"realm": "x"})]),
        # RFC 9110, 11.6.1: several in one field.
        (
            ['Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple"'],
            [
                ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
                ("basic", {"realm": "simple"}),
            ],
        ),
        (
            ["Basic realm=x", "Bearer realm=y"],
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y"})],
        ),
        (["Negotiate", ", ,Basic"], [("negotiate", {}), ("basic", {})]),
        (["Basic realm = x"], [("basic", {"realm": "x"})]),
        # What is malformed ends its field, and no other.
        (['Bearer realm="open', "Basic realm=x"], [("bearer", {}), ("basic", {"realm": "x"})]),
        (["=", "", "\x00", '"'], []),
        (["realm=x"], []),
    ],
)
def test_written(fields: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    """Each form of RFC 9110."""
    found = [(one.scheme, dict(one.parameters)) for one in parse_challenges(fields)]
    assert found == expected


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(_CHALLENGES)
def test_round_trip(challenges: list[Challenge]) -> None:
    """What is written by the grammar is read as it was meant, in one field."""
    field = ", ".join(
        " ".join(
            [one.scheme, ", ".join(f"{name}={_quoted(text)}" for name, text in one.parameters)]
        ).strip()
        for one in challenges
    )
    assert list(parse_challenges([field])) == challenges


@given(st.lists(st.text(max_size=300), max_size=5))
def test_any_text(fields: list[str]) -> None:
    """Whatever comes is read to an end."""
    for one in parse_challenges(fields):
        assert one.scheme
        assert one.scheme == one.scheme.lower()


@pytest.mark.parametrize("unit", ["a ", "a=", 'a="', "a=\\", '\\"', ",", "a,", 'a="b\\', " "])
def test_bounded(unit: str) -> None:
    """A field of http.client's greatest length, made to make one look again, takes no time."""
    field = f'Bearer a="{unit * (65536 // len(unit))}'
    begun = time.monotonic()
    found = parse_challenges([field, unit * (65536 // len(unit))] * 50)
    assert time.monotonic() - begun < 2
    assert len(found) <= 16
