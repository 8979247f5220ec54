"""System call numbers of mips_n32, as the kernel's headers have them (asm/unistd_n32.h).

Made by ``python -m tests.tools.syscall_numbers``. A line is the number of its
first name, and the names that are counted on from there.
"""

from __future__ import annotations

NUMBERS = """
6000 read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction
6014 rt_sigprocmask ioctl pread64 pwrite64 readv writev access pipe _newselect sched_yield
6024 mremap msync mincore madvise shmget shmat shmctl dup dup2 pause nanosleep getitimer
6036 setitimer alarm getpid sendfile socket connect accept sendto recvfrom sendmsg recvmsg
6047 shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork
6057 execve exit wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl
6071 flock fsync fdatasync truncate ftruncate getdents getcwd chdir fchdir rename mkdir rmdir
6083 creat link unlink symlink readlink chmod fchmod chown fchown lchown umask gettimeofday
6095 getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid
6106 getegid setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid
6116 getresuid setresgid getresgid getpgid setfsuid setfsgid getsid capget capset
6125 rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod
6132 personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam
6140 sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max
6144 sched_get_priority_min sched_rr_get_interval mlock munlock mlockall munlockall vhangup
6151 pivot_root _sysctl prctl adjtimex setrlimit chroot sync acct settimeofday mount umount2
6162 swapon swapoff reboot sethostname setdomainname create_module init_module delete_module
6170 get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall
6178 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr
6187 llistxattr flistxattr removexattr lremovexattr fremovexattr tkill
6194 futex sched_setaffinity sched_getaffinity cacheflush cachectl sysmips io_setup
6201 io_destroy io_getevents io_submit io_cancel exit_group lookup_dcookie epoll_create
6208 epoll_ctl epoll_wait remap_file_pages rt_sigreturn fcntl64 set_tid_address
6214 restart_syscall semtimedop fadvise64 statfs64 fstatfs64 sendfile64 timer_create
6221 timer_settime timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime
6227 clock_getres clock_nanosleep tgkill utimes mbind get_mempolicy set_mempolicy mq_open
6235 mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr vserver waitid
6243 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch
6249 inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat
6257 unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare
6267 splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list
6274 kexec_load getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd
6283 fallocate timerfd_create timerfd_gettime timerfd_settime signalfd4 eventfd2
6289 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open
6297 accept4 recvmmsg getdents64 fanotify_init fanotify_mark prlimit64 name_to_handle_at
6304 open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev
6311 kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create
6319 bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2
6327 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
6403 clock_gettime64 clock_settime64 clock_adjtime64 clock_getres_time64
6407 clock_nanosleep_time64 timer_gettime64 timer_settime64 timerfd_gettime64
6411 timerfd_settime64 utimensat_time64 pselect6_time64 ppoll_time64
6416 io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64
6420 semtimedop_time64 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64
6424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount
6430 fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd
6439 faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd
6444 landlock_create_ruleset landlock_add_rule landlock_restrict_self
6448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2
6453 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
6459 lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat
6465 listxattrat removexattrat open_tree_attr file_getattr file_setattr listns
6471 rseq_slice_yield
"""
