"""What one Plan has and another has not, and as the bytes of a tar archive.

Vocabulary: a *Difference* (``difference``) is what was added, removed and
changed between a base and a new Plan. A *Layer* (``whiteout``) is that as
unpackers want it: the entries to write, with their parents, and the
*whiteouts*, the paths to remove. ``write`` makes tar bytes of entries, each
by its ``header``, with ``pax`` records where ustar has no room. The digest of
those bytes is the layer's *diff ID*. ``split`` divides a Plan into several
layers, by the *units* (``unit``) that change together.

An *Archive* (``read``) is any layer or tarball read back: ``decompress`` and
``limits`` bound what it may cost, ``member`` takes it apart (``fields``,
``pax``, ``sparse``), ``read`` judges its names, and ``apply`` is what is there
once it has been unpacked over a base; ``reliance`` is what it takes for granted of that base, held
against another one. ``overlay`` is a layer as one directory
of an overlayfs stack.
"""
