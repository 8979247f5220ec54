"""URLs of registries: read as curl and browsers read them, or refused."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rootgen.errors import ImageError, UsageError
from rootgen.image.registry.repository import Repository, remote_reference
from rootgen.image.registry.url import Url, parse_url

_BASE = Url("https", "r.example", 443, "/v2/a/blobs/uploads/")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("/v2/a/b?x=1", "https://r.example/v2/a/b?x=1"),
        ("b?x=1", "https://r.example/v2/a/blobs/uploads/b?x=1"),
        ("?x=1", "https://r.example/v2/a/blobs/uploads/?x=1"),
        ("//other.example/b", "https://other.example/b"),
        ("HTTPS://OTHER.example:443/b", "https://other.example/b"),
        ("http://other.example:8080/b#part", "http://other.example:8080/b"),
        ("https://[::1]:5000/b", "https://[::1]:5000/b"),
        ("https://other.example", "https://other.example/"),
        ("../../../../../etc", "https://r.example/etc"),
    ],
)
def test_read(written: str, expected: str) -> None:
    """Relative ones too (RFC 3986, 5.4)."""
    assert str(parse_url(written, _BASE)) == expected


@pytest.mark.parametrize(
    "written",
    [
        "ftp://r.example/b",
        "file:///etc/passwd",
        "gopher://r.example/",
        "unix:///run/docker.sock",
        "https://user:word@r.example/b",
        "https://r.example@evil.example/b",
        "https://:443/b",
        "https://r.example:65536/b",
        "https://r.example:x/b",
        "https://[::1/b",
        "https://../b",
        "https://.hidden/b",
        "https://a%2fb/c",
        "https://a\\b/c",
        "https://r.example/a b",
        "https://r.example/\r\nHost: evil.example",
        "https://r.example/\x7f",
        "https://r.example/ä",
        "https://r.example/" + "a" * 20_000,
    ],
)
def test_refused(written: str) -> None:
    """What is no URL of http or https, or would be read in two ways."""
    with pytest.raises(ImageError, match="which is no URL to ask"):
        parse_url(written, _BASE)


def test_message() -> None:
    """A signature in a query, as clouds have it, is not shown."""
    url = parse_url("https://s.example:8443/blob?Signature=secret")
    assert url.shown() == "https://s.example:8443/blob"


@given(st.text(max_size=60) | st.from_regex(r"(https?:)?//[a-z0-9.:@\[\]\\/%-]{0,20}/[ -~]{0,20}"))
@example("https://a:0/")
def test_any_text(written: str) -> None:
    """Whatever a registry writes: an ImageError, or a URL that can be written into a request."""
    try:
        url = parse_url(written, _BASE)
    except ImageError:
        return
    assert url.scheme in {"http", "https"}
    assert url.host.isascii()
    assert not set(url.host) & set("/\\@%? #")
    assert not url.host.startswith(".")
    assert url.target.startswith("/")
    assert url.target.isprintable()
    assert " " not in url.target
    assert 0 < url.port < 1 << 16
    assert parse_url(str(url)) == url


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1))
def test_query(pairs: list[tuple[str, str]]) -> None:
    """Whatever is put into a query stays a value of it."""
    url = Url("https", "r.example", 443, "/t?first=1").with_query(*pairs)
    query = urlsplit(str(url)).query
    assert parse_qsl(query, keep_blank_values=True) == [("first", "1"), *pairs]


@pytest.mark.parametrize(
    ("written", "plain", "url"),
    [
        ("debian.example/x:1", False, "https://debian.example/v2/x/"),
        ("localhost/x", True, "http://localhost/v2/x/"),
        ("127.0.0.1:5000/a/b@sha256:" + "0" * 64, True, "http://127.0.0.1:5000/v2/a/b/"),
        ("[::1]:5000/x", False, "https://[::1]:5000/v2/x/"),
        ("docker.io/debian", False, "https://registry-1.docker.io/v2/library/debian/"),
        (
            "index.docker.io/library/debian",
            False,
            "https://registry-1.docker.io/v2/library/debian/",
        ),
        ("docker.io/team/app", False, "https://registry-1.docker.io/v2/team/app/"),
        ("R.Example:443/x", False, "https://r.example/v2/x/"),
    ],
)
def test_repository(written: str, plain: bool, url: str) -> None:
    """Where each name leads."""
    repository, _ = remote_reference(written)
    assert str(repository.url("", plain_http=plain)) == url


@pytest.mark.parametrize(
    "written", ["debian", "debian:12", "team/app", "r.example:0/x", "r.example:99999/x"]
)
def test_no_registry(written: str) -> None:
    """A name without a registry, or with a port that cannot be."""
    with pytest.raises(UsageError):
        remote_reference(written)


def test_origin() -> None:
    """Another scheme, host or port is another origin."""
    own = Repository("r.example", "x").url("")
    for other in ("http://r.example:443/", "https://r.example:444/", "https://r.example.evil/"):
        assert parse_url(other).origin() != own.origin()
    assert parse_url("https://R.EXAMPLE/elsewhere").origin() == own.origin()
