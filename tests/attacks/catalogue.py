"""The attacks: what each is, who can try it, and how it has to end against rootgen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from tests.attacks import escapes, hostile_tree, kernel_files, processes
from tests.attacks.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.launchers import Launcher
    from tests.attacks.scene import Scene

HELD, REFUSED = Verdict.HELD, Verdict.REFUSED
BOTH, ROOT, NOBODY = ("root", "user"), ("root",), ()


class Attack(NamedTuple):
    """One attack.

    ``naive`` says as whom it succeeds against the naive launcher; the
    kernel itself refuses some to ordinary users. ``needs_root`` says that it
    cannot even be tried without. ``rootgen`` is how it ends there.
    """

    name: str
    title: str
    perform: Callable[[Scene, Launcher], Outcome]
    naive: tuple[str, ...] = BOTH
    rootgen: Verdict = HELD
    needs_root: bool = False


class Elsewhere(NamedTuple):
    """What other tests show; there is nothing in the other launchers that it would be tried on."""

    title: str
    test: str


ATTACKS = (
    Attack("chroot_descriptor", "chroot again, leave by a descriptor", escapes.chroot_descriptor),
    Attack("chroot_dotdot", "chroot again, leave by `..`", escapes.chroot_dotdot),
    Attack("left_descriptor", "a directory that the caller left open (CVE-2024-21626)",
           escapes.left_descriptor),
    Attack("workdir_descriptor", "`--workdir /proc/self/fd/N` (CVE-2024-21626)",
           escapes.workdir_descriptor, rootgen=REFUSED),
    Attack("working_directory", "the working directory is still outside",
           escapes.working_directory),
    Attack("stream_directory", "standard input is a directory of the host",
           escapes.stream_directory, rootgen=REFUSED),
    Attack("reopened_stream", "standard input, open for reading, opened again for writing",
           escapes.reopened_stream),
    Attack("launcher_overwritten", "the launcher overwritten through /proc/self/exe "
           "(CVE-2019-5736)", escapes.launcher_overwritten, rootgen=REFUSED),
    Attack("file_handle", 'open_by_handle_at ("shocker")', escapes.file_handle, ROOT),
    Attack("host_device", "mknod of the host's disk and of /dev/kmsg", escapes.host_device, ROOT),
    Attack("tree_device", "a device node in the tree", escapes.tree_device, ROOT,
           needs_root=True),
    Attack("set_user_id", "a set-user-ID program in the tree", escapes.set_user_id),
    Attack("dev_link", "/dev is a link to the host (nspawn 252, runc 1.1.5, crun 1.8.1)",
           hostile_tree.dev_link, rootgen=REFUSED),
    Attack("proc_link", "/proc is a link: masks miss (CVE-2019-19921)", hostile_tree.proc_link,
           ROOT, rootgen=REFUSED),
    Attack("sys_link", "/sys is a link", hostile_tree.sys_link, ROOT, rootgen=REFUSED),
    Attack("resolv_link", "/etc/resolv.conf is a link to the host", hostile_tree.resolv_link),
    Attack("bind_link", "a link on the way of a bind's target", hostile_tree.bind_link,
           rootgen=REFUSED),
    Attack("bind_swapped", "a bind's target swapped during the launch (CVE-2021-30465)",
           hostile_tree.bind_swapped),
    Attack("proc_moved", "/proc renamed during the launch, before it is masked",
           hostile_tree.proc_moved, ROOT),
    Attack("null_link", "the /dev/null that masks is a link (CVE-2025-31133, -52565, -52881)",
           hostile_tree.null_link, ROOT),
    Attack("fifo", "pipes where files are opened: the launcher waits", hostile_tree.fifo),
    Attack("proc_root", "/proc/PID/root, cwd, fd, exe of another process",
           kernel_files.proc_root, ROOT),
    Attack("core_pattern", "/proc/sys/kernel/core_pattern", kernel_files.core_pattern, ROOT),
    Attack("sysctl", "/proc/sys/vm/swappiness", kernel_files.sysctl, ROOT),
    Attack("sysrq", "/proc/sysrq-trigger", kernel_files.sysrq,
           ROOT if os.path.exists("/proc/sysrq-trigger") else NOBODY),
    Attack("sysfs", "a knob in /sys", kernel_files.sysfs, ROOT),
    Attack("kernel_memory", "kcore, keys, kpageflags, vmallocinfo, … read",
           kernel_files.kernel_memory, ROOT),
    Attack("device_mode", "chmod of the host's devices, also through a mask",
           kernel_files.device_mode, ROOT),
    Attack("keyring", "the caller's keyring", kernel_files.keyring, ROOT),
    Attack("user_namespace", "all capabilities in a user namespace of one's own",
           kernel_files.user_namespace),
    Attack("bpf", "bpf(2)", kernel_files.surface("bpf"), ROOT),
    Attack("perf_event_open", "perf_event_open(2)", kernel_files.surface("perf_event_open")),
    Attack("io_uring", "io_uring_setup(2)", kernel_files.surface("io_uring")),
    Attack("userfaultfd", "userfaultfd(2)", kernel_files.surface("userfaultfd")),
    Attack("add_key", "add_key(2)", kernel_files.surface("add_key")),
    Attack("vsock", "AF_VSOCK: sockets that no network namespace holds",
           kernel_files.surface("vsock")),
    Attack("host_name", "sethostname(2)", kernel_files.host_name, ROOT),
    Attack("clock", "the clock", kernel_files.clock, ROOT),
    Attack("kernel_log", "the kernel's log", kernel_files.kernel_log, ROOT),
    Attack("abstract_socket", "an abstract socket of the host (CVE-2020-15257)",
           kernel_files.abstract_socket),
    Attack("release_agent", "release_agent (CVE-2022-0492)", kernel_files.release_agent, ROOT),
    Attack("leave_group", "cgroup.procs of a group above", kernel_files.leave_group, ROOT),
    Attack("raise_limit", "the limit of one's own group lifted by mounting its hierarchy",
           kernel_files.raise_limit, ROOT, needs_root=True),
    Attack("kill_process", "kill a process of the host", processes.kill_process),
    Attack("kill_parent", "kill the parent", processes.kill_parent),
    Attack("kill_one", "kill process 1", processes.kill_one, NOBODY),
    Attack("trace", "ptrace a process of the host, or process 1", processes.trace, ROOT),
    Attack("outlive_daemon", "two forks, every descriptor closed: outlive the launch",
           processes.outlive("daemon")),
    Attack("outlive_deaf", "ignore SIGTERM, outlive the launcher", processes.outlive("deaf")),
    Attack("outlive_stopped", "stop oneself, outlive the launcher",
           processes.outlive("stopped")),
    Attack("forks", "a fork bomb under a limit", processes.forks, needs_root=True),
    Attack("memory", "a memory hog under a limit", processes.memory, needs_root=True),
    Attack("environment", "a secret in the caller's environment", processes.environment),
    Attack("push_input", "TIOCSTI (CVE-2017-5226)", processes.push_input("push_input")),
    Attack("push_input_high", "TIOCSTI with high bits set (CVE-2019-10063)",
           processes.push_input("push_input_high")),
    Attack("take_terminal", "a terminal on standard input that is nobody's: TIOCSCTTY, TIOCSTI",
           processes.take_terminal),
    Attack("controlling", "/dev/tty of the caller", processes.controlling),
)  # fmt: skip

ELSEWHERE = (
    Elsewhere("up from / where something lay over the old root (`--ephemeral`)",
              "tests/attacks/test_old_root.py::test_dotdot"),
    Elsewhere("the caller's terminal through process 1 (`--cap-add SYS_PTRACE`)",
              "tests/attacks/test_process_one.py::test_has_no_terminal"),
    Elsewhere("thirty of these by a command that joins a launch (`rootgen exec`)",
              "tests/attacks/test_attacks.py::test_joining"),
    Elsewhere("a manifest in the tree that sets user, environment, directory",
              "tests/sandbox/test_defaults.py::test_gives_no_privilege"),
    Elsewhere("a manifest that is none, endless, a link",
              "tests/sandbox/test_defaults.py::test_malformed"),
    Elsewhere("a manifest's directory that leads through procfs",
              "tests/sandbox/test_defaults.py::test_hostile_directory"),
    Elsewhere("a million names in the tree's /dev, /proc and /tmp",
              "tests/sandbox/test_hostile.py::test_many_entries"),
    Elsewhere("a mount point beneath 1,500 directories, and beneath more than a path can name",
              "tests/sandbox/test_hostile.py::test_deep"),
    Elsewhere("passwd and group of the tree: malformed",
              "tests/sandbox/test_privileges.py::test_hostile_passwd"),
    Elsewhere("passwd and group of the tree: a pipe, endless",
              "tests/sandbox/test_privileges.py::test_passwd_that_never_ends"),
    Elsewhere("passwd as the program rewrote it: a pipe, a link of procfs (`exec --user`)",
              "tests/sandbox/test_detach.py::test_exec_with_hostile_accounts"),
    Elsewhere("a standard stream that is a directory, from Python",
              "tests/api/test_launched.py::test_stream_directory"),
    Elsewhere("memory by way of files, the disk, the processors, under limits",
              "tests/attacks/test_exhaustion.py::test_exhaustion"),
    Elsewhere("memory, processes, processors as a user, in a group of one's own",
              "tests/guest/test_limits.py::test_version_2"),
    Elsewhere("setgroups(2) with one id only (CVE-2014-8989)",
              "tests/sandbox/test_privileges.py::test_groups_are_frozen_without_ranges"),
)  # fmt: skip
