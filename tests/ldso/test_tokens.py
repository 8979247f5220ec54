"""Tokens and path strings, case by case."""

from __future__ import annotations

import pytest

from rootgen.ldso.tokens import Tokens, expand_tokens, split_path

TOKENS = Tokens("/opt/app", "lib/x86_64-linux-gnu", "x86_64")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$ORIGIN", "/opt/app"),
        ("${ORIGIN}/../lib", "/opt/app/../lib"),
        ("$ORIGIN$LIB", "/opt/applib/x86_64-linux-gnu"),
        ("/a/$PLATFORM/b", "/a/x86_64/b"),
        ("${ORIGIN", "${ORIGIN"),
        ("$ORIGINS", "$ORIGINS"),
        ("$ORIGIN_", "$ORIGIN_"),
        ("$ORIGIN-", "/opt/app-"),
        ("${ORIGIN}x", "/opt/appx"),
        ("$", "$"),
        ("$$ORIGIN", "$/opt/app"),
        ("${}", "${}"),
        ("$origin", "$origin"),
    ],
)
def test_expand(text: str, expected: str) -> None:
    """What is a token is replaced, what is not stays."""
    assert expand_tokens(text, TOKENS) == expected


def test_unknown_value() -> None:
    """A token with no value makes the whole element nothing."""
    assert expand_tokens("/a/$PLATFORM", TOKENS._replace(platform=None)) is None
    assert expand_tokens("/a/$PLATFORMS", TOKENS._replace(platform=None)) == "/a/$PLATFORMS"


@pytest.mark.parametrize(
    ("text", "separators", "expected"),
    [
        ("/a:/b", ":", ("/a", "/b")),
        ("/a:/a/:/a//", ":", ("/a",)),
        (":/a:", ":", ("", "/a")),
        ("/", ":", ("/",)),
        ("//", ":", ("/",)),
        ("a;b:c", ":;", ("a", "b", "c")),
        ("a;b", ":", ("a;b",)),
        ("$ORIGIN/x:/y", ":", ("/opt/app/x", "/y")),
    ],
)
def test_split(text: str, separators: str, expected: tuple[str, ...]) -> None:
    """Each directory once, in order, an empty element being the working directory."""
    assert split_path(text, lambda: TOKENS, separators) == expected
