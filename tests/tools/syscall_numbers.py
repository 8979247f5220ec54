"""Make the tables of system call numbers: ``python -m tests.tools.syscall_numbers``.

They are made from kernel headers, those of other architectures from Debian's packages
linux-libc-dev-*-cross, unpacked into the tests' cache. Calls that are newer than these headers
stand in ``NEWER``.
"""

from __future__ import annotations

import glob
import re
import shutil
import subprocess
import tempfile
import textwrap
from typing import NamedTuple

from tests.truth.debian import download
from tests.truth.foreign import made_once

# include/uapi/asm-generic/unistd.h of Linux 7.1: since 5.1 a call has one number everywhere.
_FIRST_NEWER = 451
NEWER = {
    name: number
    for number, name in enumerate(
        (
            "cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount "
            "listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat "
            "getxattrat listxattrat removexattrat open_tree_attr file_getattr file_setattr listns "
            "rseq_slice_yield"
        ).split(),
        _FIRST_NEWER,
    )
}


class Source(NamedTuple):
    """Where the numbers of one architecture stand.

    ``package`` is empty for the machine's own headers. ``base`` is added to what is ``NEWER``,
    ``extra`` are calls of this architecture alone that the headers do not have yet, ``absent``
    those that they have and it has not.
    """

    package: str
    header: str
    defines: tuple[str, ...] = ()
    base: int = 0
    extra: tuple[tuple[str, int], ...] = ()


_BIT_64 = "__SIZEOF_POINTER__=8"
SOURCES = {
    "x86_64": Source("", "asm/unistd_64.h", extra=(("uretprobe", 335), ("uprobe", 336))),
    "i386": Source("", "asm/unistd_32.h"),
    "x32": Source(
        "", "asm/unistd_x32.h", ("__X32_SYSCALL_BIT=0x40000000",), 1 << 30,
        extra=(("uretprobe", (1 << 30) + 335), ("uprobe", (1 << 30) + 336)),
    ),
    "aarch64": Source("arm64", "asm/unistd.h", (_BIT_64,)),
    "arm": Source("armhf", "asm/unistd.h", ("__ARM_EABI__",)),
    "riscv64": Source(
        "riscv64", "asm/unistd.h", (_BIT_64, "__LP64__"), extra=(("riscv_hwprobe", 258),)
    ),
    # Its own header is not packaged; it takes the generic one as that is, but for what the
    # kernel's arch/loongarch leaves out of it.
    "loongarch64": Source(
        "arm64", "asm-generic/unistd.h", (_BIT_64, "__ARCH_WANT_SYS_CLONE3", "__ARCH_WANT_NEW_STAT")
    ),
    "s390x": Source("s390x", "asm/unistd_64.h", extra=(("memfd_secret", 447),)),
    "s390": Source("s390x", "asm/unistd_32.h", extra=(("memfd_secret", 447),)),
    "ppc64": Source("ppc64el", "asm/unistd_64.h"),
    "mips_o32": Source("mips", "asm/unistd_o32.h", ("__NR_Linux=4000",), 4000),
    "mips_n64": Source("mips64", "asm/unistd_n64.h", ("__NR_Linux=5000",), 5000),
    "mips_n32": Source("mipsn32", "asm/unistd_n32.h", ("__NR_Linux=6000",), 6000),
}  # fmt: skip
# What a header defines besides calls.
_NO_CALLS = re.compile(
    r"Linux|syscalls|.*_Linux(_syscalls)?|.*BASE|SYSCALL_.*|arch_specific.*|3264_.*|"
    r"(unused|reserved)\d+"
)
_MODULE = '''"""System call numbers of {name}, as the kernel's headers have them ({header}).

Made by ``python -m tests.tools.syscall_numbers``. A line is the number of its
first name, and the names that are counted on from there.
"""

from __future__ import annotations

NUMBERS = """
{lines}
"""
'''


def headers(package: str) -> str:
    """Return the directory of the kernel headers of an architecture's package."""
    if not package:
        return "/usr/include"
    with made_once(f"headers-{package}-1") as (final, fresh):
        if fresh:
            with tempfile.TemporaryDirectory() as scratch:
                for archive in download(("amd64",), [f"linux-libc-dev-{package}-cross"], scratch):
                    subprocess.run(["dpkg-deb", "-x", archive, f"{scratch}/all"], check=True)
                [found] = glob.glob(f"{scratch}/all/usr/*/include")
                shutil.copytree(found, fresh, dirs_exist_ok=True)
    return final


def header_numbers(source: Source) -> dict[str, int]:
    """Return the calls that the headers of ``source`` name, with their numbers."""
    directory = headers(source.package)
    options = ["-I", directory]
    if source.package:
        options = ["-nostdinc", *options]
    options += [f"-D{one}" for one in source.defines]
    include = f"#include <{source.header}>\n"
    defined = _preprocess(["-dM", *options], include)
    names = sorted(set(re.findall(r"^#define __(?:ARM_)?NR_(\w+) ", defined, re.MULTILINE)))
    names = [name for name in names if not _NO_CALLS.fullmatch(name)]
    lines = "".join(f"@{name} __NR_{name}\n@{name} __ARM_NR_{name}\n" for name in names)
    numbers: dict[str, int] = {}
    for name, written in re.findall(
        r"^@(\w+) (.*)$", _preprocess(["-P", *options], include + lines), re.MULTILINE
    ):
        # What was no number is left as the macro's name.
        if re.fullmatch(r"[0-9a-fx+() ]+", written, re.IGNORECASE):
            numbers[name] = sum(int(part, 0) for part in re.findall(r"\w+", written))
    return numbers


def _preprocess(options: list[str], text: str) -> str:
    command = ["gcc", "-E", *options, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def all_numbers(source: Source) -> dict[str, int]:
    """Return what the table of an architecture is to have."""
    newer = {name: source.base + number for name, number in NEWER.items()}
    return {**newer, **dict(source.extra), **header_numbers(source)}


def module(name: str, source: Source) -> str:
    """Return the text of the table's module."""
    runs: list[tuple[int, list[str]]] = []
    for call, number in sorted(all_numbers(source).items(), key=lambda item: (item[1], item[0])):
        if runs and number == runs[-1][0] + len(runs[-1][1]):
            runs[-1][1].append(call)
        else:
            runs.append((number, [call]))
    lines: list[str] = []
    for first, names in runs:
        at = first
        for line in textwrap.wrap(" ".join(names), 88, break_long_words=False):
            lines.append(f"{at} {line}")
            at += len(line.split())
    return _MODULE.format(name=name, header=source.header, lines="\n".join(lines))


if __name__ == "__main__":
    for _name, _source in SOURCES.items():
        _path = f"rootgen/sandbox/seccomp/numbers/{_name}.py"
        with open(_path, "w", encoding="utf-8") as _file:
            _file.write(module(_name, _source))
