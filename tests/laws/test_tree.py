"""Plan → Tree → Plan is the identity, whoever writes."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rootgen.plan.digest import plan_digest
from rootgen.plan.plan import Plan
from rootgen.profile.model import ImageConfig
from rootgen.rootfs.drift import drift_of
from rootgen.rootfs.packing import PackedTree
from rootgen.rootfs.remove import remove_tree
from rootgen.rootfs.scan import open_tree, read_manifest, scan_tree
from rootgen.rootfs.write import hash_plan, write_tree
from tests.laws.examples import at_most
from tests.laws.plans import has_attributes, hashed, plans

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from rootgen.rootfs.write import Written
    from tests.laws.plans import Drawn

ATTRIBUTES = has_attributes(tempfile.gettempdir())


@contextmanager
def scratch() -> Iterator[str]:
    """Return a directory for one example; our own removal takes it away, whatever its modes."""
    top = tempfile.mkdtemp()
    try:
        yield top
    finally:
        parent = os.open(os.path.dirname(top), os.O_RDONLY)
        left = remove_tree(parent, os.path.basename(top))
        os.close(parent)
    assert left == []
    assert not os.path.lexists(top)


def write(drawn: Drawn, out: str) -> Written:
    """Write a drawn Plan."""
    return write_tree(
        drawn.plan,
        out,
        sysroot=drawn.sysroot,
        host=drawn.sysroot,
        programs=(),
        image=ImageConfig(),
        force=False,
    )


@at_most(300)
@given(drawn=plans(attributes=ATTRIBUTES))
def test_identity(drawn: Drawn) -> None:
    """What is scanned is what was to be written; a dry run says the same; nothing has drifted."""
    with scratch() as top:
        written = write(drawn, f"{top}/tree")
        assert written.plan == hash_plan(drawn.plan, sysroot=drawn.sysroot, host=drawn.sysroot)
        bare = Plan(entry._replace(content=None) for entry in written.plan.entries())
        assert bare == hashed(drawn)
        assert scan_tree(f"{top}/tree") == bare
        root = open_tree(f"{top}/tree")
        manifest = read_manifest(root)
        assert manifest is not None
        assert manifest.digest == plan_digest(bare)
        assert drift_of(root, manifest).is_empty()
        os.close(root)
        assert os.listdir(top) == ["tree"]


@at_most(300)
@given(first=plans(attributes=ATTRIBUTES), second=plans(attributes=ATTRIBUTES))
def test_replaced(first: Drawn, second: Drawn) -> None:
    """Any tree replaces any other, and nothing of the first is left."""
    with scratch() as top:
        write(first, f"{top}/tree")
        write(second, f"{top}/tree")
        assert scan_tree(f"{top}/tree") == hashed(second)
        assert os.listdir(top) == ["tree"]


@at_most(300)
@given(drawn=plans(attributes=ATTRIBUTES), umask=st.sampled_from([0, 0o022, 0o077]))
def test_umask(drawn: Drawn, umask: int) -> None:
    """Modes are the Plan's, whatever the caller's umask."""
    before = os.umask(umask)
    try:
        with scratch() as top:
            write(drawn, f"{top}/tree")
            assert scan_tree(f"{top}/tree") == hashed(drawn)
    finally:
        os.umask(before)


@at_most(300)
@given(drawn=plans(attributes=ATTRIBUTES), dice=st.randoms(use_true_random=False))
def test_read_while_it_is_packed(drawn: Drawn, dice: random.Random) -> None:
    """Entry by entry a tree is what it is as a whole, with its manifest or without."""
    with scratch() as top:
        write(drawn, f"{top}/tree")
        files = sorted(
            os.path.join(directory, name)
            for directory, _, names in os.walk(f"{top}/tree")
            for name in names
        )
        for path in dice.sample(files, dice.randrange(len(files) + 1)):
            if os.access(os.path.dirname(path), os.W_OK):
                os.unlink(path)  # a device, perhaps, or the manifest
        with PackedTree(f"{top}/tree") as tree:
            meant, stream = tree.meant(), tree.stream()
            assert list(stream.entries((0, 0))) == list(meant.plan.entries())
            assert stream.count == len(meant.plan)
            assert stream.notes() == meant.notes
