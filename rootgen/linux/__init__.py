"""System calls that Python lacks, one function each, over ctypes.

Nothing else in rootgen imports ctypes. A function here takes and returns
plain values (descriptors, names, flags), does one thing, and raises OSError
whose ``filename`` names what it was about; what to advise is the caller's.

Vocabulary: ``libc`` (the C library, raw system calls and their numbers);
``calls`` (calls *recorded* to be made later, as ``descriptor``, ``entry`` and
others record theirs); ``spawn`` (*posix_spawn*), ``signal_set``;
``copy`` (*reflink*, holes), ``rename`` (*exchange*), ``sync``;
``path`` (*open beneath* a directory, no link followed: openat2);
``mount`` (mounts, their flags, *pivot_root*); ``namespace`` (*clone* into
new namespaces, set their ids' maps, join them); ``process`` (prctl,
descriptors, signals as descriptors); ``capability`` (the sets of
``capabilities(7)``); ``seccomp`` (a *filter* of system calls),
``landlock`` (a *domain* that opens only some files), ``keyring``;
``network`` (the loopback interface); ``message`` (messages that carry descriptors);
``stream`` (a connection to somebody's Unix socket).
"""
