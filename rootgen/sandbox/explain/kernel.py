"""What is no act, told: the one kernel under all containers, and whose its knobs are.

Sources: the kernel's Documentation/admin-guide/sysctl/, and which tables of
sysctl files are made for each namespace: ipc/ipc_sysctl.c, ipc/mq_sysctl.c,
kernel/utsname_sysctl.c, kernel/ucount.c, net/sysctl_net.c.
"""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.sandbox.launch import Launch

# Of /proc/sys: what each namespace has a copy of its own of.
OWN = {
    "uts": ("kernel/hostname", "kernel/domainname"),
    "ipc": ("kernel/sem", "kernel/shmmax", "kernel/msgmax", "fs/mqueue/msg_max"),
    "net": ("net/ipv4/ip_forward", "net/ipv4/ip_unprivileged_port_start"),
    "user": ("user/max_user_namespaces", "user/max_mnt_namespaces"),
}
# Of /proc/sys: what there is one of, and what a write there would do to everybody.
GLOBAL = {
    "kernel/core_pattern": "a program that the kernel starts, as root, for each crash",
    "kernel/modprobe": "a program that it starts, as root, for each module it lacks",
    "kernel/sysrq": "whether a key or a file may kill, reboot, unmount",
    "kernel/panic": "whether and when the machine starts anew after a fault",
    "kernel/randomize_va_space": "whether addresses are hard to guess, in every process",
    "fs/suid_dumpable": "whether set-user-ID programs leave their memory in files",
    "fs/file-max": "how many files all may have open",
    "vm/overcommit_memory": "how much memory is promised, and so who runs out of it",
    "vm/drop_caches": "the cache of all files, dropped",
}


def kernel_lines(launch: Launch) -> Iterator[str]:
    """Yield the lines on what the program shares with all others, whatever was done above."""
    yield "A container is no machine: the program calls the host's kernel, and so do all others."
    yield "What that kernel can be told in files is in /proc/sys. Of some a namespace has its own:"
    for name, files in OWN.items():
        if name in launch.namespaces:
            yield f"  {name:<5} {', '.join(_dotted(one) for one in files)}, …"
    yield "Of everything else there is one, and it is the host's:"
    for file, meaning in GLOBAL.items():
        yield f"  {_dotted(file):<26} {meaning}"
    yield "The host's root may write those, whatever namespaces it is in: so all of /proc/sys is"
    yield "read-only inside. Where 0 inside is a user outside, the kernel itself says no as well."
    yield "$ sysctl -a    # inside and outside: what differs is the namespaces' own"


def _dotted(file: str) -> str:
    return file.replace("/", ".")
