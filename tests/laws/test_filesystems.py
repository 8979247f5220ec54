"""Of any Plan: its squashfs is read back by another reader, its EROFS image is sound."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from hypothesis import given

from tests.image.mountable import erofs, squashfs
from tests.laws.examples import at_most
from tests.laws.test_layer import whole_plans
from tests.layer.archives import bare, unpacked

if TYPE_CHECKING:
    from rootgen.plan.plan import Plan


@at_most(40)
@given(plan=whole_plans())
def test_read_back(plan: Plan) -> None:
    """``sqfs2tar`` makes of the image the archive that unpacks to the Plan."""
    with tempfile.NamedTemporaryFile() as image:
        image.write(squashfs(plan, "gzip"))
        image.flush()
        command = ["sqfs2tar", "--root-becomes", ".", image.name]
        done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unpacked(done.stdout) == bare(plan)


@at_most(40)
@given(plan=whole_plans())
def test_sound(plan: Plan) -> None:
    """``fsck.erofs`` finds nothing wrong, and what it lists is what the Plan has."""
    with tempfile.NamedTemporaryFile() as image:
        image.write(erofs(plan))
        image.flush()
        assert os.stat(image.name).st_size % 4096 == 0
        command = ["fsck.erofs", "-d3", image.name]
        done = subprocess.run(command, capture_output=True, check=False)
    said = done.stdout + done.stderr
    assert b"No errors found" in said, said
    assert b"<E>" not in said, said
