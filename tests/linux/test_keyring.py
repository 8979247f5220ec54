"""A session keyring of one's own."""

from __future__ import annotations

from tests.linux.contained import run_python


def test_new_each_time() -> None:
    """Each is another one."""
    lines = run_python(
        """
        from rootgen.linux import keyring
        first, second = (keyring.join_new_session_keyring() for _ in range(2))
        print(first > 0, second > 0, first != second)
        """
    )
    assert lines == ["True True True"]
