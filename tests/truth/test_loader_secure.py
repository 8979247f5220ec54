"""Set-user-ID programs: what the real loader of a stranger takes of their paths."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from rootgen.ldso.system import System
from rootgen.sysroot.directory import DirectorySysroot
from tests.truth.compiled import LOADER, Thing, link
from tests.truth.test_loader_musl import LOADER as MUSL

if TYPE_CHECKING:
    from pathlib import Path

_STRANGER = 54321
_LIBRARIES = [
    Thing("usr/lib/app/lib/liba.so", ("libb.so",)),
    Thing("usr/lib/app/lib/libb.so"),
    Thing("usr/lib/app/liba.so"),
    Thing("srv/app/lib/liba.so"),
    Thing("srv/app/liba.so", ("libb.so",), rpath="$ORIGIN/lib"),
    Thing("srv/app/lib/libb.so"),
    Thing("opt/liba.so"),
]
# name of the rule: where the program is, its needed names, its RPATH, LD_LIBRARY_PATH.
RULES = {
    "origin_beneath_a_default_directory": ("usr/lib/app/prog", ("liba.so",), "$ORIGIN/lib", ""),
    "origin_elsewhere": ("srv/app/prog", ("liba.so",), "$ORIGIN/lib", ""),
    "origin_leading_out": ("usr/lib/app/prog", ("liba.so",), "$ORIGIN/../../../srv/app", ""),
    "origin_leading_in": ("srv/app/prog", ("liba.so",), "$ORIGIN/../../usr/lib/app", ""),
    "origin_not_first": ("usr/lib/app/prog", ("liba.so",), "/usr/lib/app/$ORIGIN", ""),
    "origin_with_a_tail": ("usr/lib/app/prog", ("liba.so",), "$ORIGIN.d:$ORIGIN/lib", ""),
    "absolute": ("srv/app/prog", ("liba.so",), "/opt", ""),
    "origin_of_a_library": ("srv/app/prog", ("liba.so",), "/srv/app", ""),
    "library_path_is_ignored": ("usr/lib/app/prog", ("liba.so",), "", "/opt"),
    "tokens_in_a_name": ("usr/lib/app/prog", ("$ORIGIN/liba.so",), "", ""),
}


@pytest.mark.root
@pytest.mark.parametrize("set_user_id", [True, False])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("interpreter", [LOADER, MUSL], ids=["glibc", "musl"])
def test_rule(rule: str, set_user_id: bool, interpreter: str, tmp_path: Path) -> None:
    """Ours is what the loader maps when a stranger runs the program."""
    where, needed, rpath, library_path = RULES[rule]
    program = Thing(where, needed, rpath=rpath, program=True)
    link([*_LIBRARIES, program], tmp_path, interpreter, telling=True)
    loader = tmp_path / interpreter.lstrip("/")
    loader.parent.mkdir()
    shutil.copy(interpreter, loader)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    (tmp_path / where).chmod(0o4755 if set_user_id else 0o755)

    (tmp_path / "proc").mkdir()
    # The program is run: in secure-execution mode there is no trace. /proc tells its $ORIGIN.
    script = f"mount -t proc proc {tmp_path}/proc && exec chroot --userspec={_STRANGER}:{_STRANGER}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"{script} {tmp_path} /{where}"],
        env={"LD_LIBRARY_PATH": library_path, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    paths = (library_path,) if library_path else ()
    load = System(DirectorySysroot(str(tmp_path))).load(f"/{where}", library_path=paths)
    if done.returncode == 0:
        mapped = set(re.findall(r" (/\S+\.so)$", done.stdout, re.MULTILINE))
        # The kernel's paths, without the dots of a path element.
        ours = {os.path.normpath(one.path) for one in load.objects[1:] if one.path != interpreter}
        assert ours == mapped
        assert load.missing == ()
        return
    first = load.missing[0]
    if interpreter == MUSL:
        assert f"Error loading shared library {first.name}: No such file" in done.stderr
        return
    why = "cannot open shared object file" if first.why == "not found" else first.why
    assert why in done.stderr
