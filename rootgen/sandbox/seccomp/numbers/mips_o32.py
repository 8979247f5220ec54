"""System call numbers of mips_o32, as the kernel's headers have them (asm/unistd_o32.h).

Made by ``python -m tests.tools.syscall_numbers``. A line is the number of its
first name, and the names that are counted on from there.
"""

from __future__ import annotations

NUMBERS = """
4000 syscall exit fork read write open close waitpid creat link unlink execve chdir time
4014 mknod chmod lchown break
4019 lseek getpid mount umount setuid getuid stime ptrace alarm
4029 pause utime stty gtty access nice ftime sync kill rename mkdir rmdir dup pipe times prof
4045 brk setgid getgid signal geteuid getegid acct umount2 lock ioctl fcntl mpx setpgid
4058 ulimit
4060 umask chroot ustat dup2 getppid getpgrp setsid sigaction sgetmask ssetmask setreuid
4071 setregid sigsuspend sigpending sethostname setrlimit getrlimit getrusage gettimeofday
4079 settimeofday getgroups setgroups
4083 symlink
4085 readlink uselib swapon reboot readdir mmap munmap truncate ftruncate fchmod fchown
4096 getpriority setpriority profil statfs fstatfs ioperm socketcall syslog setitimer
4105 getitimer stat lstat fstat
4110 iopl vhangup idle vm86 wait4 swapoff sysinfo ipc fsync sigreturn clone setdomainname
4122 uname modify_ldt adjtimex mprotect sigprocmask create_module init_module delete_module
4130 get_kernel_syms quotactl getpgid fchdir bdflush sysfs personality afs_syscall setfsuid
4139 setfsgid _llseek getdents _newselect flock msync readv writev cacheflush cachectl
4149 sysmips
4151 getsid fdatasync _sysctl mlock munlock mlockall munlockall sched_setparam sched_getparam
4160 sched_setscheduler sched_getscheduler sched_yield sched_get_priority_max
4164 sched_get_priority_min sched_rr_get_interval nanosleep mremap accept bind connect
4171 getpeername getsockname getsockopt listen recv recvfrom recvmsg send sendmsg sendto
4181 setsockopt shutdown socket socketpair setresuid getresuid query_module poll nfsservctl
4190 setresgid getresgid prctl rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending
4197 rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend pread64 pwrite64 chown getcwd capget
4205 capset sigaltstack sendfile getpmsg putpmsg mmap2 truncate64 ftruncate64 stat64 lstat64
4215 fstat64 pivot_root mincore madvise getdents64 fcntl64
4222 gettid readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr
4231 llistxattr flistxattr removexattr lremovexattr fremovexattr tkill sendfile64 futex
4239 sched_setaffinity sched_getaffinity io_setup io_destroy io_getevents io_submit io_cancel
4246 exit_group lookup_dcookie epoll_create epoll_ctl epoll_wait remap_file_pages
4252 set_tid_address restart_syscall fadvise64 statfs64 fstatfs64 timer_create timer_settime
4259 timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres
4265 clock_nanosleep tgkill utimes mbind get_mempolicy set_mempolicy mq_open mq_unlink
4273 mq_timedsend mq_timedreceive mq_notify mq_getsetattr vserver waitid
4280 add_key request_key keyctl set_thread_area inotify_init inotify_add_watch
4286 inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat fstatat64
4294 unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare
4304 splice sync_file_range tee vmsplice move_pages set_robust_list get_robust_list
4311 kexec_load getcpu epoll_pwait ioprio_set ioprio_get utimensat signalfd timerfd eventfd
4320 fallocate timerfd_create timerfd_gettime timerfd_settime signalfd4 eventfd2
4326 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev rt_tgsigqueueinfo perf_event_open
4334 accept4 recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
4340 open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv process_vm_writev
4347 kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create
4355 bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2 pwritev2
4363 pkey_mprotect pkey_alloc pkey_free statx rseq io_pgetevents
4393 semget semctl shmget shmctl shmat shmdt msgget msgsnd msgrcv msgctl clock_gettime64
4404 clock_settime64 clock_adjtime64 clock_getres_time64 clock_nanosleep_time64
4408 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 utimensat_time64
4413 pselect6_time64 ppoll_time64
4416 io_pgetevents_time64 recvmmsg_time64 mq_timedsend_time64 mq_timedreceive_time64
4420 semtimedop_time64 rt_sigtimedwait_time64 futex_time64 sched_rr_get_interval_time64
4424 pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount
4430 fsopen fsconfig fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd
4439 faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd
4444 landlock_create_ruleset landlock_add_rule landlock_restrict_self
4448 process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2
4453 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
4459 lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat
4465 listxattrat removexattrat open_tree_attr file_getattr file_setattr listns
4471 rseq_slice_yield
"""
