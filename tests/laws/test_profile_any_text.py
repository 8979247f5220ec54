"""Whatever a file holds: a Profile, or ProfileError with a place in every line."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootgen.errors import ProfileError
from rootgen.profile.schema import KEYS
from tests.profile.writing import load, write

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

    from rootgen.profile.model import Profile

_WORDS = [
    *KEYS,
    *("path", "text", "from", "link", "directory", "mode", "owner", "optional", "not", "uid"),
    *("1", "0644", "yes", "~", "/etc/motd", "/a/*", "../x", "git", "p.yaml", "root", "1e3"),
    *("''", '"\\0"', "é", "\u2028", "!!str", "&a", "*a", "<<", "- ", "? ", "| ", "{", "}"),
]
_SIGNS = ["\n", "\n  ", "\n    ", ": ", ", ", "[", "]", " ", "# ", "---\n", "\t"]


def _texts() -> SearchStrategy[str]:
    """Return words of profiles and signs of YAML in any order."""
    return st.lists(st.sampled_from(_WORDS + _SIGNS), max_size=40).map("".join)


def _values() -> SearchStrategy[str]:
    """Return flow-style values that are YAML, whatever they mean."""
    scalar = st.sampled_from(["a", "1", "yes", "~", "'x'", "/etc/a", "0755", "[]", "{}", '"\\n"'])
    return st.recursive(
        scalar,
        lambda inner: (
            st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
            | st.dictionaries(st.sampled_from(_WORDS[:20]), inner, max_size=4).map(
                lambda table: "{" + ", ".join(f"{k}: {v}" for k, v in table.items()) + "}"
            )
        ),
        max_leaves=12,
    )


def _check(directory: Path, data: bytes) -> None:
    write(str(directory), "p.yaml", data)
    started = time.process_time()
    try:
        outcome: Profile | ProfileError = load(str(directory), "p.yaml")
    except ProfileError as error:
        outcome = error
    assert time.process_time() - started < 10
    if isinstance(outcome, ProfileError):
        place = re.compile(r".*p\.yaml:[1-9]\d*:[1-9]\d*: .")
        lines = outcome.why or (outcome.what,)
        assert all(place.match(line) for line in lines), str(outcome)
        assert all(line.isprintable() for line in str(outcome).split("\n")), str(outcome)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """Bytes that are no profile are refused; nothing else is raised."""
    _check(tmp_path, data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_texts())
def test_words_in_any_order(tmp_path: Path, text: str) -> None:
    """Words of the language in any order are read or refused."""
    _check(tmp_path, f"rootgen: 1\n{text}".encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(KEYS), _values(), max_size=5))
def test_any_values(tmp_path: Path, table: dict[str, str]) -> None:
    """Any value under any key is read, or refused by its kind."""
    table["rootgen"] = "1"
    _check(tmp_path, "".join(f"{key}: {value}\n" for key, value in table.items()).encode())
