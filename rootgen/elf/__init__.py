"""Bytes of one file → facts: what an ELF file says of how it wants to be loaded.

Vocabulary: ``facts`` holds the value (*interpreter*, *DT_NEEDED*, *SONAME*,
*RPATH*, *RUNPATH*, …); ``reader`` makes it from bytes and is the hot path;
``image`` is the file being read; ``versions``, ``symbols`` and ``notes`` are read on request;
``names`` says what the numbers are called; ``second_opinion`` is the one
door to pyelftools, for tests.
"""
