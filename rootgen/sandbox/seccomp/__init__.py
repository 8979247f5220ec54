"""Seccomp: which system calls the program may make (seccomp(2)), as values and as BPF.

Vocabulary: a ``profile`` is a default *action* and *rules*, each of call
names, an action and *conditions* on arguments: the ``linux.seccomp`` of the
OCI runtime specification. A *template* is a profile with rules that count
only for some architectures, capabilities or kernels (moby's and podman's
``includes`` and ``excludes``); ``select`` makes a profile of one for a
``machine``. ``default`` is our own template, ``oci`` reads one from JSON
(``fields`` are its values with their places) and writes a profile as JSON.
``architecture`` is what a machine's kernel takes calls of; ``numbers`` its
calls. ``compiler`` makes a ``bpf`` program of a profile, ``comparison`` the
part that looks at arguments. ``filter`` chooses the filters of a launch, of
which the usual ones are kept ``ready_…``; ``words`` tells a profile. Pure
throughout: ``linux.seccomp`` installs a program.
"""
