"""Images: layers and a config as OCI documents, and the store that holds them.

Vocabulary, all of the OCI image specification: a *descriptor*
(``descriptor``) names content by media type, digest and size; a *manifest*
(``manifest``) lists a config and layers, an *index* manifests; a *config*
(``config``) says how an image is started, and the diff ID of each layer, the
digest of its tar uncompressed; a *reference* (``reference``) is what people
call an image. ``base`` is what an image says of the one it began as, and how it is started over
another. ``document`` reads JSON that nobody vouches for.

``store`` is an OCI image layout directory, shared by processes; ``blob`` its contents, read and
written; ``reuse`` what of it was packed of what; ``unpacked`` the layers of it that launches stack.

``sbom`` is what a tree or image consists of, which ``spdx``, ``cyclonedx`` and ``provenance``
(SLSA) write in others' forms; ``artifact`` keeps one in the store, about an image.

``layout`` is an image as the files of a layout or of docker's archive, whose blobs wait in a
``spool``. What is packed into one file goes through ``compress`` to an ``output``; ``cpio`` is the
format of an ``initramfs``, whose first process is in ``init/``; ``squashfs`` (``squashfs_data``,
``squashfs_tables``) and ``erofs`` are file systems of ``inodes`` (tar is ``layer/write``).

``walk`` goes from a manifest or an index to all that it leads to, ``platform`` chooses from an
index; ``registry/`` brings images to and from other machines.
"""
