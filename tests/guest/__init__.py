"""A virtual machine for what this machine's kernel cannot show: boot it, run scripts, read results.

::

    from tests.guest import boot

    results = boot({"memory": "rootgen run --memory 32M /tree -- tail /dev/zero"})
    assert results["memory"].status == 137

The kernel is Debian's ``linux-image-cloud-amd64`` (Linux 6.1 on Debian 12), fetched once with
apt-get and unpacked, never installed; the initramfs is a tree that ``rootgen make`` wrote, so that
each boot is a proof of it too; the machine is emulated (``-accel tcg``), which needs neither root
nor hardware, and is up in about two seconds.

In the guest each script is run by ``sh -e``, in the order given, as root, in ``/root``, with

- ``rootgen`` (this checkout's, run by the host's Python), and ``/tree``, a tree to launch: the one
  of ``tests.sandbox.tree``;
- bash, python3, setpriv, unshare, dd, and the applets of busybox;
- the users ``root`` and ``user`` (1000), with ``as_user COMMAND…`` to become the latter;
- ``/sys/fs/cgroup`` as ``cgroups`` says: ``v2``, ``v1``, ``hybrid``, or ``none``;
- a blank disk ``/dev/vda`` of ``disk`` bytes, where that is asked for;
- the kernel modules named by ``modules`` (``overlay``, ``loop``, …), and what those need;
- what ``files`` has, path to content.

``profile`` is what process 1 is: ``guest``, a script, or ``systemd``, with a manager and a bus for
``user`` as well, and the scripts in a service, which is nobody's group but theirs.

``root`` says what ``/`` is: ``mounted`` (pivot_root works, as on any machine), or ``initramfs``
(the rootfs itself, where the kernel refuses it).

Tests that boot stay few: one boot for many scripts, one test for one boot.
"""

from tests.guest.machine import Result, boot

__all__ = ["Result", "boot"]
