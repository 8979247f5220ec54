"""``rootgen run TREE -- /bin/true`` beside unshare, bwrap, crun, runc, podman and nspawn.

Usage: ``python -m benchmarks.run [--runs N] [--json]``. As root all of them
can run; as an ordinary user those that can.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from benchmarks import peers
from benchmarks.measure import Case, Outcome, measure
from benchmarks.place import ROOTGEN, Target, options, tell, workplace

_COMMAND = ("/bin/true",)
_NAMES = ("unshare", "bwrap", "crun", "runc", "podman", "systemd-nspawn")
_RUNC_RATIO = 2.5
_PODMAN_RATIO = 0.5


def cases(place: str, tree: str, podman: peers.Podman) -> list[Case]:
    """Return what is timed: rootgen, the peers that are installed, and the floors."""
    made = [Case("rootgen run", (ROOTGEN, "run", tree, "--", *_COMMAND))]
    if shutil.which("unshare"):
        made.append(peers.unshare(tree, _COMMAND))
    if shutil.which("bwrap"):
        made.append(peers.bwrap(tree, _COMMAND))
    if shutil.which("runc"):
        bundle = peers.oci_bundle(place, tree, _COMMAND)
        made.append(peers.runc(place, bundle))
        if shutil.which("crun"):
            made.append(peers.crun(place, bundle))
    if shutil.which("podman"):
        made.append(podman.case(tree, _COMMAND))
    if shutil.which("systemd-nspawn"):
        made.append(peers.nspawn(tree, _COMMAND))
    made.append(Case("rootgen --version", (ROOTGEN, "--version")))
    made.append(Case("bare Python", (sys.executable, "-c", "pass")))
    return made


def targets(outcomes: dict[str, Outcome]) -> list[Target]:
    """Return what is to be reached, with what was."""
    own = outcomes["rootgen run"]
    reached: list[Target] = []
    if own.problem:
        return reached
    for name, ratio in (("runc", _RUNC_RATIO), ("podman", _PODMAN_RATIO)):
        peer = outcomes.get(name)
        if peer is not None and not peer.problem:
            what = f"run /bin/true, against {ratio} of {name}"
            reached.append(Target(what, own.median, ratio * peer.median, "ms"))
    return reached


def main() -> int:
    """Measure, and print."""
    chosen = options("rootgen run beside its peers")
    with workplace() as place:
        tree = os.path.join(place, "tree")
        made = subprocess.run(
            [ROOTGEN, "make", "bash", "ls", "true", "--out", tree], check=False, capture_output=True
        )
        if made.returncode != 0:
            print(f"rootgen make failed: {made.stderr.decode(errors='replace')}", file=sys.stderr)
            return 1
        with peers.Podman(place) as podman:
            outcomes = measure(cases(place, tree, podman), chosen.runs)
    named = {one.name: one for one in outcomes}
    told = [*outcomes, *peers.absent(_NAMES)]
    return tell(told, named["rootgen run"], targets(named), as_data=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
