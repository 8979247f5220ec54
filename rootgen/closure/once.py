"""What is read of the files of one root, each of them once, however many processes have it."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from rootgen.elf.image import ReadAt
    from rootgen.ldso.load import Mapped
    from rootgen.sysroot.port import Sysroot

    _Content = TypeVar("_Content")


def read_once(
    sysroot: Sysroot, read: Callable[[ReadAt, str], _Content]
) -> Callable[[Mapped], _Content]:
    """Return what gives the content of an object's file, by ``read(read_at, path)`` at first.

    It raises what ``read`` does, and SysrootError.
    """
    known: dict[str, _Content] = {}

    def content(mapped: Mapped) -> _Content:
        path = mapped.found.path
        if path not in known:
            with sysroot.open(path) as file:
                known[path] = read(file.pread, path)
        return known[path]

    return content
