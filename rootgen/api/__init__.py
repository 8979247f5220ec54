"""The use cases: each command's work as one function over the rooms below.

=============  ===============================================================
``make``       names and profiles → Plan, proven → tree
``build``      a profile's layers → an image's
``splitting``  an image → as many layers, shared and stable
``rebase``     an image and another base → its increments over that, proven (``rebase_proof``)
``run``        a tree and a command → Launch → exit status
``running``    launches that go on: begun, listed, joined, stopped, their output
``launched``   the same as ``run`` for programs in Python: output as bytes, many at once
``server``     how their launches are made, in whichever thread asks
``connection`` and reach a process that is fit to perform them
``collect``    a program's standard streams as bytes
``deps``       files → what their loader maps
``deps_graph`` chains to an object, what it retains, who needs it
``why``        a tree and a path → the chains that brought it
``check``      a tree → drift, and what no longer resolves
``diff``       two trees → what makes one of the other
``pack``       a tree or an image → OCI, tar, squashfs, …, with the manifest's owners
``bundle``     a tree and a command → a directory for an OCI runtime
``sbom``       a tree or image → what it consists of, for others' tools
``materials``  what that is made of: digests, reasons, the tree's own records
``index``      images for several machines → one image
``push``       an image of the store → a registry
``pull``       an image of a registry → the store
``registry``   what both connect by
``profile``    the shipped profiles, and the mistakes of any
``targets``    what people type → paths within the root that is read
``lacking``    what was not found → one message
=============  ===============================================================

The only place where rooms are combined. The public Python API is ``rootgen``
itself, which takes its names from here; each module is imported when one of
them is used.
"""
