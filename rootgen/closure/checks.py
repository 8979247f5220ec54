"""What is checked of a process on request: versions, symbols, the processor."""

from __future__ import annotations

from rootgen.closure.isa import IsaReader
from rootgen.closure.symbols import SymbolReader
from rootgen.closure.versions import VersionReader
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.sysroot.port import Sysroot


class Checks:
    """The readers of one root; what one process made them read serves the next."""

    def __init__(self, sysroot: Sysroot) -> None:
        """Read nothing yet."""
        self.versions = VersionReader(sysroot)
        self.symbols = SymbolReader(sysroot)
        self.isa = IsaReader(sysroot)
