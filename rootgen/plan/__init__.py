"""Every path of a target, its content and its reasons, before anything is written.

Vocabulary: an *Entry* (``entry``) is what one path will be, with at least one
*Reason*; a *Plan* (``plan``) is the sorted mapping of them. ``assemble``
makes one from programs and a profile, on top of the ``skeleton``;
``as_sysroot`` lets a Plan be read like a host; ``proof`` resolves every
program again inside it, ``proven`` in another root that takes the place of
the first; ``records`` adds what scanners read of packages;
``manifest`` writes a Plan down and reads it back; ``digest`` is its identity.
"""
