"""Running a few lines of Python as process 1 of new namespaces, as root or not.

In a process of its own each time: what these system calls change (mounts,
capabilities, descriptors) must not happen to the test runner, and clone(2)
wants a process without threads.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

_PRELUDE = """
import errno, os, sys
from rootgen.linux import capability, libc, mount, namespace, network, path, process
from rootgen.linux.calls import Recorder, perform

def start(flags):
    user, group = os.geteuid(), os.getegid()
    if user:
        flags |= namespace.CLONE_NEWUSER
    read_end, write_end = os.pipe()
    child = namespace.clone(flags)
    if child == 0:
        os.close(write_end)
        os.read(read_end, 1)
        os.close(read_end)
        return
    if user:
        namespace.deny_setgroups(child)
        namespace.write_id_map(child, "uid_map", [(0, user, 1)])
        namespace.write_id_map(child, "gid_map", [(0, group, 1)])
    os.write(write_end, b"x")
    status = os.waitpid(child, 0)[1]
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)

def status_line(name):
    with open("/proc/self/status") as file:
        lines = dict(line.rstrip("\\n").split(":\\t", 1) for line in file)
    return lines[name]

def now(record, *arguments):
    # What is recorded, at once.
    def failed(values, position, error):
        raise error
    recorder = Recorder()
    record(recorder, *arguments, failed)
    perform(recorder.program())

def failure(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "no error"
"""


def run_python(body: str, *arguments: str) -> list[str]:
    """Run ``body`` after the prelude in a new process; return its lines of output."""
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + textwrap.dedent(body), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
