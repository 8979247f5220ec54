"""The public Python API: the commands' shape, imported when it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import rootgen

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", rootgen.__all__)
def test_name(name: str) -> None:
    """Every public name is there and says what it is."""
    assert getattr(rootgen, name).__doc__


def test_no_such_name() -> None:
    """Any other is an AttributeError, as of every module."""
    with pytest.raises(AttributeError, match="no attribute 'amke'"):
        rootgen.__getattr__("amke")


def test_import_costs_nothing() -> None:
    """`import rootgen` imports none of the rooms."""
    script = "import sys, rootgen; print([one for one in sys.modules if 'rootgen.' in one])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_make_deps_why_check_diff(tmp_path: Path) -> None:
    """One tree made, asked about and compared by functions."""
    out = str(tmp_path / "rootfs")
    result = rootgen.make(rootgen.MakeRequest(programs=("bash",), out=out))
    assert result.digest.startswith("sha256:")
    assert "/usr/bin/bash" in result.plan
    (one,) = rootgen.deps(["bash"], sysroot=out)
    assert one.load.objects[0].found.path == "/usr/bin/bash"
    assert rootgen.why(out, "/bin/bash").chains[0][0].path == "/usr/bin/bash"
    assert not rootgen.check(out).lacks
    assert rootgen.diff(out, out).is_empty()


def test_errors_are_values(tmp_path: Path) -> None:
    """What fails says what, why and what to do."""
    with pytest.raises(rootgen.RootgenError) as raised:
        rootgen.make(rootgen.MakeRequest(programs=("bahs",), out=str(tmp_path / "rootfs")))
    assert raised.value.what == "no such program: bahs"
    assert "bash" in raised.value.hint
    assert list(tmp_path.iterdir()) == []
