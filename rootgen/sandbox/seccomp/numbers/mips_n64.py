"""System call numbers of mips_n64, as the kernel's headers have them (asm/unistd_n64.h).

Made by ``python -m tests.tools.syscall_numbers``. A line is the number of its
first name, and the names that are counted on from there.
"""

from __future__ import annotations

NUMBERS = """
5000 read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction
5014 rt_sigprocmask ioctl pread64 pwrite64 readv writev access pipe _newselect sched_yield
5024 mremap msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer
5036 setitimer alarm getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg
5047 shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork
5057 execve exit wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl
5071 flock fsync fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir
5083 creat link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday
5095 getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid
5106 getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid
5116 getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset
5125 rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod
5132 personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam
5140 sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max
5144 sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall vhangup
5151 pivot_root _sysctl prctl adjtimex setrlimit chroot sync acct settimeofday mount umount2
5162 swapon swapoff reboot sethostname setdomainname create_module init_module delete_module
5170 get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall
5178 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr
5187 llistxattr flistxattr removexattr lremovexattr fremovexattr tkill
5194 futex sched_setaffinity sched_getaffinity cacheflush cachectl sysmips io_setup
5201 io_destroy io_getevents io_submit io_cancel exit_group lookup_dcookie epoll_create
5208 epoll_ctl epoll_wait remap_file_pages rt_sigreturn set_tid_address restart_syscall
5214 semtimedop fadvise64 timer_create timer_settime timer_gettime timer_getoverrun
5220 timer_delete clock_settime clock_gettime clock_getres clock_nanosleep tgkill utimes
5227 mbind get_mempolicy set_mempolicy mq_open mq_unlink mq_timedsend mq_timedreceive
5234 mq_notify mq_getsetattr vserver waitid
5239 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch
5245 inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat
5253 unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare
5263 splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list
5270 kexec_load getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd
5279 fallocate timerfd_create timerfd_gettime timerfd_settime signalfd4 eventfd2
5285 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open
5293 accept4 recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
5299 open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev
5306 kcmp finit_module getdents64 sched_setattr sched_getattr renameat2 seccomp getrandom
5314 memfd_create bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2
5323 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
5424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount
5430 fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd
5439 faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd
5444 landlock_create_ruleset landlock_add_rule landlock_restrict_self
5448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2
5453 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
5459 lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat
5465 listxattrat removexattrat open_tree_attr file_getattr file_setattr listns
5471 rseq_slice_yield
"""
