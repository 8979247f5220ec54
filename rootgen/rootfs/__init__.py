"""Plan ↔ directory: written whole or not at all, scanned, checked.

Vocabulary: the *destination* (``destination``) is where a tree goes; the
*temporary* is the hidden directory beside it in which the tree is built, and
a *leftover* one whose maker is gone. ``write`` joins the steps: ``populate``
makes the entries (bytes from ``content``, owners and the like from
``metadata``), ``commit`` puts the tree in its place, ``remove`` takes the old
one away. A *Note* (``note``) says what a file system or an ordinary user could
not keep. ``scan`` reads a tree back into a Plan; ``drift`` is what changed in
it since it was made. ``unpack`` makes a layer of an image a directory that
overlayfs stacks.

Every write and removal is relative to an open directory and follows no link.
"""
