"""Coverage-guided fuzzing: `python -m tests.laws.guided TARGET RUNS CORPUS`.

Atheris instruments the reader, keeps each input that reaches a new branch,
and mutates those. An exception that is not the reader's own ends it.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["rootgen"]):
    from rootgen.elf.reader import read_facts
    from rootgen.errors import ElfError, LayerError, LoaderError
    from rootgen.layer.apply import apply_layer
    from rootgen.layer.read import read_archive
    from rootgen.ldso.cache import CACHE_PATH, Record, encode_cache, parse_cache
    from rootgen.ldso.configuration import read_configuration
    from rootgen.ldso.cpu import Cpu
    from rootgen.sysroot.memory import draw

from rootgen.plan.plan import Plan
from tests.elf.image import DT_NEEDED, DT_SONAME, Recipe, build
from tests.laws.test_fuzz_archives import BASE, LIMITS, archives, check, mended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CPU = Cpu(("x86-64-v3", "x86-64-v2"))
_X86_64 = 0x0303
# Of all reads of one file; the reader's own bound is lower.
_ASKED_LIMIT = 8 << 20


def elf(data: bytes) -> None:
    """Read an ELF file; what is asked for stays bounded."""
    asked = 0

    def read_at(size: int, offset: int) -> bytes:
        nonlocal asked
        asked += size
        return data[offset : offset + size]

    try:
        read_facts(read_at, "f")
    except ElfError:
        return
    finally:
        assert asked <= _ASKED_LIMIT


def cache(data: bytes) -> None:
    """Read a cache, and look something up in it."""
    try:
        loaded = parse_cache(data, CACHE_PATH)
    except LoaderError:
        return
    loaded.lookup("liba.so", _X86_64, _CPU, lambda bits: bool(bits & 1))
    for _ in loaded.records():
        break


def configuration(data: bytes) -> None:
    """Read a ld.so.conf among others that it may include."""
    root = draw("etc/\n  ld.so.conf.d/\n    a.conf = /opt/a", {"/etc/ld.so.conf": data})
    read_configuration(root)


def archive(data: bytes) -> None:
    """Read an archive, its checksums mended, and apply it to nothing and to a tree."""
    try:
        found = read_archive(io.BytesIO(mended(data)).read, limits=LIMITS)
        check(apply_layer(Plan(), found))
        check(apply_layer(BASE, found))
    except LayerError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "archive": archive,
    "elf": elf,
    "cache": cache,
    "configuration": configuration,
}


def seeds(target: str) -> Iterator[bytes]:
    """Give inputs to start from."""
    if target == "archive":
        yield from archives()
    elif target == "elf":
        dynamic = ((DT_NEEDED, b"liba.so"), (DT_SONAME, b"libb.so"))
        for elf_class in (32, 64):
            for byte_order in ("little", "big"):
                yield build(
                    Recipe(elf_class, byte_order, interpreter=b"/lib/ld.so", dynamic=dynamic)
                ).data
        with open("/bin/sh", "rb") as file:
            yield file.read(1 << 14)
    elif target == "cache":
        records = [("liba.so", Record(_X86_64, "/lib/liba.so")), ("libb.so", Record(3, "/b"))]
        levels = [("liba.so", Record(_X86_64, "/lib/v2/liba.so", "x86-64-v2"))]
        for order in ("little", "big"):
            yield encode_cache([*records, *levels], order)
    else:
        yield b"/opt/a\ninclude ld.so.conf.d/*.conf\nhwcap 1 x\n/opt/b=libc6 # c\n"


def main() -> None:
    """Fuzz the target named on the command line."""
    target, runs, corpus = sys.argv[1:4]
    for number, seed in enumerate(seeds(target)):
        with open(os.path.join(corpus, f"seed{number}"), "wb") as file:
            file.write(seed)
    # What it is compared with begins at the peak of who started us (getrusage(2), RUSAGE_SELF).
    limit = 1024 + resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    memory = f"-rss_limit_mb={limit}"
    options = [f"-runs={runs}", "-max_len=65536", "-seed=1", "-timeout=20", memory]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}/", corpus], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
