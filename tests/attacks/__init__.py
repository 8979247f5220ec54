"""Attacks on a launcher from inside, and from the tree that it launches.

Each is tried on a launcher as people write it by hand (``naive``), where it
is seen to succeed, and on rootgen, where it has to fail. ``catalogue`` lists
them; ``scene`` is the ground that they are tried on; ``programs/`` is what
runs inside; ``launchers`` and ``peers`` are who launches it. ``table`` runs
them against the launchers of this system and writes docs/security.md.
"""
