"""A file system being read: every name is looked up inside it.

Vocabulary: a *Sysroot* (``port``) is the host's ``/``, a directory
(``directory``), a drawing (``memory``) or, elsewhere, a Plan. *resolve* walks
a name through its symbolic links and keeps every hop (``Found.links``);
``program`` looks a command up on the root's own PATH; ``owner`` says which
*package* (``package``) a file belongs to, by the databases of ``dpkg``,
``apk`` and ``rpm``.

An absolute link in a sysroot points into the sysroot, ``..`` stops at its
top, and nothing that is read is ever executed.
"""
