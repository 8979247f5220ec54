"""Resolving inside a root is what the kernel does with that root."""

from __future__ import annotations

import os
import shutil
import tempfile

from hypothesis import given
from hypothesis import strategies as st

from rootgen.linux.path import open_beneath, open_in_root
from rootgen.sysroot.directory import DirectorySysroot
from rootgen.sysroot.port import Kind, Sysroot

# Few names, so that paths, links and what is there meet often.
_NAMES = st.sampled_from(["a", "b", "c", "\udcff"])
_STEPS = st.sampled_from(["a", "b", "c", "\udcff", "..", ".", "", "..", "a"])


def _joined(steps: list[str], *, absolute: bool, slash: bool) -> str:
    return ("/" if absolute else "") + "/".join(steps) + ("/" if slash else "")


_PATHS = st.builds(
    _joined, st.lists(_STEPS, min_size=1, max_size=6), absolute=st.booleans(), slash=st.booleans()
)
_THINGS = st.lists(
    st.tuples(
        st.lists(_NAMES, min_size=1, max_size=3),
        st.just("directory") | st.just("file") | _PATHS.filter(bool).map(lambda path: f"->{path}"),
    ),
    max_size=14,
)


def _make(top: int, things: list[tuple[list[str], str]]) -> None:
    for (*parents, name), thing in things:
        # Beneath the descriptor: a parent may be a link that leads out of the tree.
        try:
            parent = open_beneath(top, "/".join(parents), os.O_PATH | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            if thing == "directory":
                os.mkdir(name, dir_fd=parent)
            elif thing == "file":
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, dir_fd=parent))
            else:
                os.symlink(thing[2:], name, dir_fd=parent)
        except FileExistsError:
            continue
        finally:
            os.close(parent)


def _by_the_kernel(directory: int, top: str, path: str) -> str | None:
    try:
        descriptor = open_in_root(directory, path, os.O_PATH)
    except OSError:
        return None
    try:
        real = os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return real.removeprefix(top) or "/"


def _check_hops(root: Sysroot, path: str) -> None:
    found = root.lookup(path)
    if found is None:
        return
    assert found.node.kind is not Kind.SYMLINK
    assert found.node == root.node(found.path)
    for link in found.links:
        node = root.node(link.path)
        assert node is not None
        assert (node.kind, node.target) == (Kind.SYMLINK, link.target)


@given(_THINGS, st.lists(_PATHS, min_size=4, max_size=12))
def test_as_openat2_in_root(things: list[tuple[list[str], str]], paths: list[str]) -> None:
    """Random trees of links, loops and `..`: the same end, or nowhere, as RESOLVE_IN_ROOT."""
    # Another directory for each example: a Sysroot remembers what it has seen.
    top = os.path.realpath(tempfile.mkdtemp(prefix="rootgen-laws-"))
    directory = os.open(top, os.O_PATH)
    try:
        _make(directory, things)
        root = DirectorySysroot(top)
        for path in [*paths, *("/".join(names) for names, _ in things)]:
            found = root.lookup(path)
            ours = None if found is None else found.path
            assert ours == _by_the_kernel(directory, top, path), path
            _check_hops(root, path)
    finally:
        os.close(directory)
        shutil.rmtree(top)
