"""How much memory packing takes at the most."""

from __future__ import annotations

import subprocess
import sys

_PACK = """\
import resource, sys
from rootgen.api.pack import pack
from rootgen.api.packable import PackRequest
pack(PackRequest(*sys.argv[1:]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(tree: str, to: str, out: str) -> int:
    """Pack in a process of its own; return the most memory that it had, in KiB."""
    command = [sys.executable, "-c", _PACK, tree, to, out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
