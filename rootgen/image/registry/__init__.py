"""Registries: images brought to and from others' machines (OCI distribution specification 1.1).

Vocabulary: a *repository* (``repository``) is a name at a host, whose images have tags; a
*challenge* (``challenge``) is how a registry says that it wants to know who asks, a *credential*
(``credentials``, ``helper``) what a person's ``podman login`` left, and ``authority`` makes of both
what a request carries. ``trust`` says whose certificates are believed,
``proxy`` who connects us. ``transport`` sends one
request to a ``url``; its ``answer`` is bounded in time and size. ``client`` sends it with what the
registry wants, follows redirects, and tries again as ``patience`` has it. ``failure`` says in
people's words why no answer came, ``refusal`` what one says that was not wanted.

``upload`` and ``download`` move one blob, ``documents`` manifests and indexes, ``transfers``
several blobs side by side; ``source`` knows from which repository a registry may take a blob,
``referrers`` has what is about an image listed with it.
"""
