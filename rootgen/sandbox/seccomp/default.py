"""The filter that a program gets by default: the reach of Docker's default profile.

What it allows is what moby's ``profiles/seccomp`` allowed in mid-2026 (and
so Docker, containerd and, with small differences, podman): what ordinary
programs call, and not what only administrates a kernel, is obsolete, or was
the way out of a container before. The reasons for each call that is left
out are Docker's: docs.docker.com/engine/security/seccomp.
"""

from __future__ import annotations

from rootgen.sandbox.seccomp.architecture import COMPANIONS
from rootgen.sandbox.seccomp.profile import (
    ALLOW,
    ENOSYS,
    ENOSYS_MIPS,
    EPERM,
    ERRNO,
    MASKED_EQ,
    Choice,
    Condition,
    Rule,
    Template,
    Terms,
)

_ALWAYS = """
    accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32
    clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2
    dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
    epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
    fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat
    fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstat64
    fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64
    futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd
    getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
    getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid
    getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid
    gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
    inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup
    io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr
    listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise
    map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock
    mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
    mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget
    msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep _newselect newfstatat
    open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
    pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease
    pselect6 pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv
    recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat
    rename renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending
    rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64 send sendfile
    sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
    setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid
    setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
    setrlimit setsid setsockopt setuid setuid32 setxattr setxattrat shmat shmctl shmdt shmget
    shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair splice stat
    stat64 statfs statfs64 statmount statx symlink symlinkat sync sync_file_range syncfs sysinfo tee
    tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
    timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat
    uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write
    writev
"""
# Of which seccomp itself was not a way out before Linux 4.8 (ptrace could change the call).
_TRACING = "process_vm_readv process_vm_writev ptrace"

# Calls of one architecture family: what ``includes`` calls it, and the calls.
_OF_ARCHITECTURES = (
    (("ppc64le",), "sync_file_range2 swapcontext"),
    (
        ("arm", "arm64"),
        "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    ),
    (("amd64", "x32"), "arch_prctl"),
    (("amd64", "x32", "x86"), "modify_ldt"),
    (("s390", "s390x"), "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr"),
    (("riscv64",), "riscv_flush_icache"),
)

# What a capability is of no use without.
_WITH_CAPABILITY = (
    ("DAC_READ_SEARCH", "open_by_handle_at"),
    (
        "SYS_ADMIN",
        """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
        lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount
        open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog
        umount umount2 unshare
        """,
    ),
    ("SYS_BOOT", "reboot"),
    ("SYS_CHROOT", "chroot"),
    ("SYS_MODULE", "delete_module finit_module init_module"),
    ("SYS_PACCT", "acct"),
    ("SYS_PTRACE", f"kcmp pidfd_getfd process_madvise {_TRACING}"),
    ("SYS_RAWIO", "ioperm iopl"),
    ("SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
    ("SYS_TTY_CONFIG", "vhangup"),
    ("SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
    ("SYSLOG", "syslog"),
    ("BPF", "bpf"),
    ("PERFMON", "perf_event_open"),
)

_AF_ALG, _AF_VSOCK = 38, 40  # linux/socket.h
# Every new namespace but that of time, whose bit means another thing to clone(2).
_CLONE_NAMESPACES = 0x7E020000
# personality(2): none, UNAME26's neighbours that programs do set, and the question what it is.
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_S390 = ("s390", "s390x")
_MIPS = ("mips", "mipsel", "mips64", "mipsel64", "mips64n32", "mipsel64n32")


def _allow(names: str, *conditions: Condition) -> Rule:
    return Rule(tuple(names.split()), ALLOW, conditions)


def _clone(argument: int) -> Rule:
    return _allow("clone", Condition(argument, MASKED_EQ, _CLONE_NAMESPACES, 0))


_ADMIN = Terms(capabilities=("SYS_ADMIN",))

DEFAULT = Template(
    default=ERRNO | EPERM,
    companions=COMPANIONS,
    choices=(
        Choice(_allow(_ALWAYS)),
        Choice(_allow(_TRACING), includes=Terms(kernel=(4, 8))),
        # AF_ALG is a wide way into the kernel's cryptography, AF_VSOCK is not in any namespace.
        Choice(_allow("socket", Condition(0, "SCMP_CMP_LT", _AF_ALG))),
        Choice(_allow("socket", Condition(0, "SCMP_CMP_EQ", _AF_ALG + 1))),
        Choice(_allow("socket", Condition(0, "SCMP_CMP_GT", _AF_VSOCK))),
        *(
            Choice(_allow("personality", Condition(0, "SCMP_CMP_EQ", value)))
            for value in _PERSONALITIES
        ),
        *(
            Choice(_allow(names), includes=Terms(architectures=words))
            for words, names in _OF_ARCHITECTURES
        ),
        *(
            Choice(_allow(names), includes=Terms(capabilities=(name,)))
            for name, names in _WITH_CAPABILITY
        ),
        Choice(_clone(0), excludes=_ADMIN._replace(architectures=_S390)),
        # clone(2), "C library/kernel differences": there the stack comes first.
        Choice(_clone(1), includes=Terms(architectures=_S390), excludes=_ADMIN),
        # Its flags lie in memory, where no filter sees them; C libraries then use clone(2).
        Choice(Rule(("clone3",), ERRNO | ENOSYS), excludes=_ADMIN._replace(architectures=_MIPS)),
        Choice(
            Rule(("clone3",), ERRNO | ENOSYS_MIPS),
            includes=Terms(architectures=_MIPS),
            excludes=_ADMIN,
        ),
    ),
)

# asm-generic/ioctls.h; mips has its own (arch/mips/include/uapi/asm/ioctls.h).
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_TIOCSTI_MIPS, _TIOCLINUX_MIPS = 0x5472, 0x5483
_LOW = 0xFFFFFFFF


def _no_ioctl(request: int) -> Rule:
    # The kernel looks at the lower 32 bits alone (CVE-2019-10063).
    return Rule(("ioctl",), ERRNO | EPERM, (Condition(1, MASKED_EQ, _LOW, request),))


# A filter beside the other, and not a part of it: OCI rules can allow a call or deny it on
# conditions, and not allow what a condition does not deny, so ioctl would have to be taken apart
# bit by bit. It also stands beside a filter of the user's own.
TERMINAL = Template(
    default=ALLOW,
    companions=COMPANIONS,
    choices=(
        *(
            Choice(_no_ioctl(request), excludes=Terms(architectures=_MIPS))
            for request in (_TIOCSTI, _TIOCLINUX)
        ),
        *(
            Choice(_no_ioctl(request), includes=Terms(architectures=_MIPS))
            for request in (_TIOCSTI_MIPS, _TIOCLINUX_MIPS)
        ),
    ),
)
