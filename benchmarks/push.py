"""``rootgen push`` of an image that is there, or half there, beside skopeo.

Usage: ``python -m benchmarks.push [--runs N] [--json]``. The registry is
Debian's docker-registry, on this machine and without TLS. *Own work* is the
processor time of a push of what is there, over bare Python's.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.measure import Case, Outcome, measure
from benchmarks.peers import absent
from benchmarks.place import ROOTGEN, Target, options, tell, workplace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OWN_MS = 50.0
_WAIT = 20.0  # seconds for the registry to listen


@contextmanager
def registry(place: str) -> Iterator[str]:
    """Run a registry whose data are in ``place``; give its host and port."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    configuration = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": os.path.join(place, "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "s"},
    }
    os.mkdir(place)
    path = os.path.join(place, "registry.yml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(configuration, file)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    child = subprocess.Popen(["docker-registry", "serve", path], **quiet)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + _WAIT
        while time.monotonic() < until:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def cases(store: str, host: str, place: str, other: str) -> list[Case]:
    """Return what is timed: an image that ``host`` has, and one of which ``other`` has nothing.

    The data of the latter are in ``place``.
    """
    own = (ROOTGEN, "push", "git:1")
    ends = ("--plain-http", "--store", store)
    copy = ("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{store}:git:1")
    made = [Case("rootgen push, there", (*own, f"{host}/own/git:1", *ends))]
    if shutil.which("skopeo"):
        made.append(Case("skopeo copy, there", (*copy, f"docker://{host}/peer/git:1")))
    made.append(Case("rootgen push, anew", (*own, f"{other}/own/git:1", *ends), empty(place)))
    if shutil.which("skopeo"):
        target = f"docker://{other}/peer/git:1"
        made.append(Case("skopeo copy, anew", (*copy, target), empty(place)))
    made.append(Case("rootgen --version", (ROOTGEN, "--version")))
    made.append(Case("bare Python", (sys.executable, "-c", "pass")))
    return made


def empty(place: str) -> Callable[[], None]:
    """Return what takes everything from the registry; it looks at its disk for each request."""

    def remove() -> None:
        shutil.rmtree(os.path.join(place, "data"), ignore_errors=True)

    return remove


def targets(outcomes: dict[str, Outcome]) -> list[Target]:
    """Return what is to be reached, with what was."""
    own, floor = outcomes["rootgen push, there"], outcomes["bare Python"]
    if own.problem or floor.problem:
        return []
    work = own.processor - floor.processor
    return [Target("own work of a push of what is there", work, _OWN_MS, "ms")]


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen push beside skopeo")
    if shutil.which("docker-registry") is None:
        print("docker-registry is not installed", file=sys.stderr)
        return 1
    with workplace() as place:
        tree, store = os.path.join(place, "tree"), os.path.join(place, "store")
        for words in (
            ("make", "git", "bash", "--out", tree),
            ("commit", tree, "-t", "git:1", "--store", store),
        ):
            subprocess.run([ROOTGEN, *words], check=True, capture_output=True)
        places = [os.path.join(place, one) for one in ("there", "anew")]
        with registry(places[0]) as host, registry(places[1]) as other:
            outcomes = measure(cases(store, host, places[1], other), chosen.runs)
    named = {one.name: one for one in outcomes}
    told = [*outcomes, *absent(("skopeo",))]
    return tell(told, named["rootgen push, there"], targets(named), as_data=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
