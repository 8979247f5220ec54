"""How a dynamic loader searches, as pure functions of a root: nothing is executed.

Vocabulary: a *Load* (``load``) is one program's process: the objects that
would be mapped, in the loader's order, and what lacks. ``system`` answers for
one root, ``root`` remembers what was read of it; ``process`` asks ``glibc``
or ``musl``, as the interpreter is. ``glibc`` walks breadth first as
``elf/dl-deps.c`` does, asking ``search`` for one name at a time as
``elf/dl-load.c`` does; ``tokens`` expands ``$ORIGIN``, ``$LIB`` and
``$PLATFORM``. ``cache`` reads and writes ``ld.so.cache``, ``configuration``
reads ``ld.so.conf``; ``machine`` says what differs by architecture, ``cpu``
which ``glibc-hwcaps`` directories a processor takes.
"""
