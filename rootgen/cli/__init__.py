"""The command line: options → one call of ``rootgen.api`` → what is printed.

``entry`` is where the process starts and the only place that exits.
``command`` is what a command, an argument and an option are; ``commands``
the table of commands, each in its own module, imported when it is used.
``parse`` reads a well-formed command line; ``with_click`` everything else,
help and mistakes, by the same definitions. ``output`` writes, ``launch``
holds the options that ``run`` and ``shell`` share,
``reference`` renders ``docs/cli-reference.md``.
"""

import gc

# A command lives for some milliseconds, most of which are imports: what they make stays, and
# looking through it again and again is a tenth of their cost.
gc.set_threshold(100_000, 50, 50)

from rootgen.cli.entry import main  # noqa: E402 - imported behind the line above

__all__ = ["main"]
