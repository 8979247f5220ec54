"""passwd and group of a tree: numbers, names, and lines that are none."""

from __future__ import annotations

import pytest

from rootgen.errors import LaunchError
from rootgen.sandbox.account import Account, Accounts, find_account
from rootgen.sandbox.launch import Credentials
from tests.sandbox.case import GROUP, PASSWD


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", Account(Credentials(0, 0, (0,)), "/root")),
        ("root", Account(Credentials(0, 0, (0,)), "/root")),
        ("app", Account(Credentials(1000, 1000, (1000, 2000, 70000)), "/home/app")),
        ("1000", Account(Credentials(1000, 1000, (1000, 2000, 70000)), "/home/app")),
        ("77", Account(Credentials(77, 0, (0,)), "/")),
        ("app:audio", Account(Credentials(1000, 2000, ()), "/home/app")),
        ("app:7", Account(Credentials(1000, 7, ()), "/home/app")),
        (":audio", Account(Credentials(0, 2000, ()), "/root")),
        ("4294967294", Account(Credentials(2**32 - 2, 0, (0,)), "/")),
    ],
)
def test_find(written: str, expected: Account) -> None:
    """As docker and podman understand it."""
    assert find_account(written, Accounts(PASSWD, GROUP)) == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("apq", "no user 'apq'"),
        ("app:", "no group ''"),
        ("app:sound", "no group 'sound'"),
        ("-1", "no user '-1'"),
        ("4294967295", "no user '4294967295'"),
        ("99999999999999999999", "no user '9999"),
        ("1000\n", "no user"),
        ("\u0663", "no user"),
    ],
)
def test_unknown(written: str, message: str) -> None:
    """What is no number of Linux, and no name of the tree, is an error; never user 0."""
    with pytest.raises(LaunchError, match=message):
        find_account(written, Accounts(PASSWD, GROUP))


@pytest.mark.parametrize(
    "line",
    [
        b"app:x:-1:0::/:/bin/sh",
        b"app:x:4294967295:0::/:/bin/sh",
        b"app:x:0x10:0::/:/bin/sh",
        b"app:x: 7:0::/:/bin/sh",
        b"app:x::0::/:/bin/sh",
        b"app:x:7:0:",
        b"app",
        b"+app:x:7:7::/:/bin/sh",
        b"#app:x:7:7::/:/bin/sh",
        b"app\0:x:7:7::/:/bin/sh",
        b":x:7:7::/:/bin/sh",
    ],
)
def test_malformed_lines(line: bytes) -> None:
    """A malformed line is no line: the next good one counts, and no other is disturbed."""
    with pytest.raises(LaunchError, match="no user 'app'"):
        find_account("app", Accounts(line + b"\n" + b"other:x:5:5::/:/bin/sh"))
    good = Accounts(line + b"\napp:x:8:9::/srv:/bin/sh")
    assert find_account("app", good) == Account(Credentials(8, 9, (9,)), "/srv")


def test_home_is_absolute() -> None:
    """A home that is no absolute path is /."""
    accounts = Accounts(b"app:x:7:7::home/../../x:/bin/sh")
    assert find_account("app", accounts).home == "/"


def test_reason() -> None:
    """Why a file was not read is told to who needs it."""
    accounts = Accounts(why_no_passwd="not a regular file")
    with pytest.raises(LaunchError, match="/etc/passwd of the tree: not a regular file"):
        find_account("app", accounts)
    assert find_account("", accounts).home == "/root"
