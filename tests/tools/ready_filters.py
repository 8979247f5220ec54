"""Compile the default filters that are kept ready: ``python -m tests.tools.ready_filters``."""

from __future__ import annotations

import os
import textwrap

from rootgen.sandbox.seccomp.compiler import compile_profile
from rootgen.sandbox.seccomp.default import DEFAULT, TERMINAL
from rootgen.sandbox.seccomp.filter import READY_KERNEL
from rootgen.sandbox.seccomp.machine import Machine
from rootgen.sandbox.seccomp.select import select

# By the capabilities kept that a rule asks about: podman's eleven have one of them.
KEPT = ("SYS_CHROOT", "")
PLACE = os.path.join("rootgen", "sandbox", "seccomp")
# The machines that there is one for; its module is named like the word.
READY = ("X86_64", "AARCH64", "RISCV64", "LOONGARCH64", "S390X", "PPC64LE")
_HEAD = '''"""The filters of {word}, ready for seccomp(2), in hexadecimal digits.

Made by ``python -m tests.tools.ready_filters`` of ``rootgen/sandbox/seccomp/default.py``.
"""

from __future__ import annotations

# By the capabilities kept that a rule of the default filter asks about; and that of terminals.
PROGRAMS = {{
'''


def programs(word: str) -> dict[str, bytes]:
    """Return the programs for a machine, by the names that they are kept under."""
    machine = Machine(f"SCMP_ARCH_{word}", READY_KERNEL)
    made = {kept: compile_profile(select(DEFAULT, machine, kept.split())) for kept in KEPT}
    return {**made, "terminal": compile_profile(select(TERMINAL, machine, ()))}


def module(word: str) -> str:
    """Return the text of the module for a machine."""
    text = _HEAD.format(word=word.lower())
    for name, program in programs(word).items():
        lines = "\n".join(textwrap.wrap(program.hex(), 96))
        text += f'    "{name}": """\n{lines}\n""",\n'
    return text + "}\n"


def main() -> None:
    """Write all of them."""
    for word in READY:
        with open(os.path.join(PLACE, f"ready_{word.lower()}.py"), "w", encoding="utf-8") as file:
            file.write(module(word))


if __name__ == "__main__":
    main()
