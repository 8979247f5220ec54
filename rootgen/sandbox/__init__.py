"""A tree as a running process: the Launch, which is a value, and what performs it.

Vocabulary: ``options`` (what was asked for) and ``facts`` (what the machine
and the tree say, read beforehand) are composed into a ``launch``: every
step, in its order, as data. ``explain`` tells it; ``perform`` does it.

Pure: ``options``, ``launch``, ``compose``, ``mounts``, ``id_map``,
``account`` (passwd and group), ``environment``, ``limits`` (which groups hold
them), ``limit_files`` (in which files), ``rlimit`` (those of each process),
``dbus_wire`` (messages of D-Bus as bytes), ``allowance``
(what the program may do at most), ``seccomp`` (filters of system calls),
``explain``, ``oci`` (a runtime's configuration), ``uplink`` (the way out of
its network), ``deadline`` (what a launch whose time is over is sent).
Reading: ``facts``, ``caller`` (who calls, and its ids), ``cgroup_facts``, ``reading``
(a root before it is mounted), ``device``. Doing: ``perform`` (the launcher, outside),
``start`` (its child made and let begin), ``inside`` (that child, process 1 of the new
namespaces, up to the exec), ``build`` (the steps that make its root), ``place`` (places
beneath a tree that nobody trusts), ``mounter`` (mounts made before they are anywhere),
``overlay`` (a stack of directories as one root), ``root`` (the change of root),
``privileges`` and ``confine`` (what is given up for good), ``command`` (the program,
found and looked at), ``program`` (the program, started), ``cgroup`` (groups made),
``cgroup_file``, ``cgroup_end`` (groups removed, whatever happened), ``scope`` (a group
that systemd makes), ``dbus`` (a connection to its bus), ``relay`` (the terminal),
``fuse`` (fuse-overlayfs, where the kernel refuses), ``attach`` (the program of an
uplink), ``beside`` (how such programs are started and ended), ``text`` (files of a
launch's own), ``report`` (errors from inside), ``nearest`` (what a name that was not
found may have meant).

Several at once, and without the caller: ``serve`` (the launcher of the
Python API), ``supervise`` (the process that keeps a launch that goes on),
``remembered`` (what is known of those, as files), ``log`` (what they print),
``join`` (a command in one that runs), ``stored`` (values as JSON), ``stored_launch``
(a Launch as bytes).
``root_use`` (that layers are in use) and ``mapped`` (work on files of a
launch's ids) are for roots that are images.
"""
