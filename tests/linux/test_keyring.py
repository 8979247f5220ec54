"""A session keyring of one's own."""

from __future__ import annotations

from tests.linux.contained import run_python


def test_new_each_time() -> None:
    """Each is another one."""
    lines = run_python(
        """
        from rootgen.linux import keyring
        def joined():
            now(keyring.record_joining_new_session)
            # KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING (keyctl(2))
            return libc.system_call(libc.numbers().keyctl, 0, -3, 0)
        first, second = joined(), joined()
        print(first > 0, second > 0, first != second)
        """
    )
    assert lines == ["True True True"]
