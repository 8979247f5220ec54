"""How much memory packing takes at the most."""

from __future__ import annotations

import subprocess
import sys

# Not by getrusage(2): what it says begins with the size of the process that forked this one.
_PACK = """\
import sys
from rootgen.api.pack import pack
from rootgen.api.packable import PackRequest
pack(PackRequest(*sys.argv[1:]))
with open("/proc/self/status") as status:
    [line] = [line for line in status if line.startswith("VmHWM:")]
print(line.split()[1])
"""


def peak_memory(tree: str, to: str, out: str) -> int:
    """Pack in a process of its own; return the most memory that it had, in KiB."""
    command = [sys.executable, "-c", _PACK, tree, to, out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
