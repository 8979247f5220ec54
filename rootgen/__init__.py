"""rootgen: names of programs in, the smallest root file system that runs them out.

The Python API has the commands' shape::

    import rootgen

    result = rootgen.make(rootgen.MakeRequest(programs=("bash", "ls"), out="./rootfs"))
    print(rootgen.run("./rootfs", ["ls", "/"]).stdout.decode())
    for one in rootgen.deps(["git"]):
        print([mapped.path for mapped in one.load.objects])

What fails raises a ``RootgenError`` (``rootgen.errors``).
"""

from __future__ import annotations

TYPE_CHECKING = False  # checkers know better; typing costs 5 ms

if TYPE_CHECKING:
    from rootgen.api.build import BuildRequest, BuildResult, build, build_together
    from rootgen.api.bundle import BundleRequest, pack_bundle
    from rootgen.api.check import check
    from rootgen.api.deps import Asked, Resolver, deps
    from rootgen.api.deps_graph import chains_to, dependents, retained
    from rootgen.api.diff import diff
    from rootgen.api.index import IndexRequest, IndexResult, index
    from rootgen.api.launched import Completed, Launched, launch, run
    from rootgen.api.make import MakeRequest, MakeResult, make
    from rootgen.api.pack import PackResult, pack
    from rootgen.api.packable import PackRequest
    from rootgen.api.pull import PullRequest, PullResult, pull
    from rootgen.api.push import PushRequest, PushResult, push
    from rootgen.api.rebase import RebaseRequest, RebaseResult, rebase
    from rootgen.api.registry import Access
    from rootgen.api.run import ImageName
    from rootgen.api.sbom import SbomRequest, SbomResult, sbom
    from rootgen.api.why import why
    from rootgen.errors import RootgenError
    from rootgen.sandbox.options import Bind, IoLimit, Options, Port, Rlimit

__all__ = [
    "Access",
    "Asked",
    "Bind",
    "BuildRequest",
    "BuildResult",
    "BundleRequest",
    "Completed",
    "ImageName",
    "IndexRequest",
    "IndexResult",
    "IoLimit",
    "Launched",
    "MakeRequest",
    "MakeResult",
    "Options",
    "PackRequest",
    "PackResult",
    "Port",
    "PullRequest",
    "PullResult",
    "PushRequest",
    "PushResult",
    "RebaseRequest",
    "RebaseResult",
    "Resolver",
    "Rlimit",
    "RootgenError",
    "SbomRequest",
    "SbomResult",
    "build",
    "build_together",
    "chains_to",
    "check",
    "dependents",
    "deps",
    "diff",
    "index",
    "launch",
    "make",
    "pack",
    "pack_bundle",
    "pull",
    "push",
    "rebase",
    "retained",
    "run",
    "sbom",
    "why",
]
__version__ = "0.1.0"

_PLACES = {
    "Access": "rootgen.api.registry",
    "IndexRequest": "rootgen.api.index",
    "IndexResult": "rootgen.api.index",
    "index": "rootgen.api.index",
    "PullRequest": "rootgen.api.pull",
    "PullResult": "rootgen.api.pull",
    "PushRequest": "rootgen.api.push",
    "PushResult": "rootgen.api.push",
    "pull": "rootgen.api.pull",
    "push": "rootgen.api.push",
    "Asked": "rootgen.api.deps",
    "Bind": "rootgen.sandbox.options",
    "BuildRequest": "rootgen.api.build",
    "BuildResult": "rootgen.api.build",
    "BundleRequest": "rootgen.api.bundle",
    "Completed": "rootgen.api.launched",
    "ImageName": "rootgen.api.run",
    "IoLimit": "rootgen.sandbox.options",
    "Launched": "rootgen.api.launched",
    "MakeRequest": "rootgen.api.make",
    "MakeResult": "rootgen.api.make",
    "PackRequest": "rootgen.api.packable",
    "PackResult": "rootgen.api.pack",
    "Options": "rootgen.sandbox.options",
    "Port": "rootgen.sandbox.options",
    "RebaseRequest": "rootgen.api.rebase",
    "RebaseResult": "rootgen.api.rebase",
    "Resolver": "rootgen.api.deps",
    "Rlimit": "rootgen.sandbox.options",
    "RootgenError": "rootgen.errors",
    "build": "rootgen.api.build",
    "build_together": "rootgen.api.build",
    "SbomRequest": "rootgen.api.sbom",
    "SbomResult": "rootgen.api.sbom",
    "chains_to": "rootgen.api.deps_graph",
    "check": "rootgen.api.check",
    "dependents": "rootgen.api.deps_graph",
    "deps": "rootgen.api.deps",
    "diff": "rootgen.api.diff",
    "launch": "rootgen.api.launched",
    "make": "rootgen.api.make",
    "pack": "rootgen.api.pack",
    "pack_bundle": "rootgen.api.bundle",
    "rebase": "rootgen.api.rebase",
    "retained": "rootgen.api.deps_graph",
    "run": "rootgen.api.launched",
    "sbom": "rootgen.api.sbom",
    "why": "rootgen.api.why",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is (PEP 562): ``import rootgen`` itself costs nothing."""
    if name not in _PLACES:
        raise AttributeError(f"module 'rootgen' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
