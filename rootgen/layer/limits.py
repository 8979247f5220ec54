"""How much an archive that anyone may have made can cost us."""

from __future__ import annotations

from rootgen.named import NamedTuple


class Limits(NamedTuple):
    """Bounds of reading one archive; past one of them it is refused.

    ``entries`` counts members. ``size`` is in bytes, decompressed and with
    the holes of sparse files. ``ratio`` is how many times its compressed
    size an archive may be, once it is larger than ``free`` bytes.
    """

    entries: int = 8_000_000
    size: int = 1 << 40
    ratio: int = 250
    free: int = 1 << 30
