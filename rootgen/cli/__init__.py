"""The command line: options → one call of ``rootgen.api`` → what is printed.

``entry`` is where the process starts and the only place that exits;
``commands`` is the table of commands, each in its own module, imported when
it is used; ``group`` makes click live with that. ``output`` writes,
``launch`` holds the options that ``run`` and ``shell`` share,
``reference`` renders ``docs/cli-reference.md``.
"""

from rootgen.cli.entry import main

__all__ = ["main"]
