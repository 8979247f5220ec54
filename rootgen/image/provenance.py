"""Where a tree or image came from, as an in-toto statement with SLSA provenance v1.

https://in-toto.io/Statement/v1, https://slsa.dev/spec/v1.0/provenance. It is
not signed: what signs it (cosign attest) wraps these bytes. It names no host,
user or time of day.
"""

from __future__ import annotations

from rootgen.image.sbom import TOOL, braced, members, shown
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.sbom import Bom

_BUILD_TYPE = "urn:rootgen:tree:1"
_PREDICATE = "https://slsa.dev/provenance/v1"
MANIFEST = "var/lib/rootgen/manifest.json"


def provenance_bytes(bom: Bom) -> bytes:
    """Return the statement: its subject is the image, or a tree's manifest file.

    A tree without one has only a Plan, whose digest is that of the tree.
    """
    name = bom.name if bom.image or bom.subject == bom.digest else MANIFEST
    definition = members({
        "buildType": _BUILD_TYPE,
        "externalParameters": {"programs": [shown(one) for one in bom.programs]},
        "internalParameters": {"plan": bom.digest, "distribution": bom.release.name()},
        "resolvedDependencies": _materials(bom),
    })  # fmt: skip
    details = {"builder": {"id": "urn:rootgen", "version": {TOOL: bom.tool}}}
    head = members({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": bom.subject.removeprefix("sha256:")}}],
        "predicateType": _PREDICATE,
    })  # fmt: skip
    predicate = braced(
        b'"buildDefinition": ' + braced(definition), members({"runDetails": details})
    )
    return braced(head, b'"predicate": ' + predicate) + b"\n"


def _materials(bom: Bom) -> Iterator[dict[str, object]]:
    """Return every package, and every file as a part of its own (purl's subpath)."""
    from urllib.parse import quote

    for one in bom.packages:
        yield {"uri": one.purl, "name": one.package.name}
    for file in bom.files:
        if file.path == f"/{MANIFEST}":
            continue
        path = quote(file.path.encode("utf-8", "surrogateescape"))
        place = f"{bom.packages[file.package].purl}#{path[1:]}" if file.package >= 0 else ""
        yield {
            "uri": place or f"file://{path}",
            "digest": {"sha256": file.sha256},
        }
