"""Programs → graph: every file they load, and the reason for each edge.

Vocabulary: a *Program* is what was asked for; an *Edge* says that one file
brings another, by which field (``DT_NEEDED``, ``PT_INTERP``, ``#!``) and by
which search rule it was found; a *LinkUse* is a symbolic link that a lookup
went through; *Lacking* is a name that no rule found, with the chain of
files that led to it. ``resolve`` gathers, ``script`` reads ``#!`` lines,
``united`` unites what was resolved one by one, ``view`` is the same graph for
networkx (loaded only when analysis is asked). On request ``dlopen`` follows
notes, and ``checks`` tells what ``versions`` and ``symbols`` lack and what an
``isa`` level could not run.
"""
