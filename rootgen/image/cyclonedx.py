"""A bill of materials as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

from itertools import chain

from rootgen.image.sbom import TOOL, braced, members, raw_bytes, short_hash, shown
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.image.sbom import Bom, BomFile, BomPackage, Release

_ROOT = "rootfs"


def cyclonedx_bytes(bom: Bom) -> bytes:
    """Return the document."""
    files: dict[int, list[BomFile]] = {}
    for one in bom.files:
        files.setdefault(one.package, []).append(one)
    system = (_system(bom.release),) if bom.release.identity else ()
    depends = (
        {"ref": one.purl, "dependsOn": [bom.packages[other].purl for other in one.depends]}
        for one in bom.packages
    )
    body = members({
        "version": 1,
        "metadata": {
            "timestamp": bom.time(),
            "tools": {"components": [{"type": "application", "name": TOOL, "version": bom.tool}]},
            "component": {
                "bom-ref": _ROOT,
                "type": "container" if bom.image else "operating-system",
                "name": bom.name,
                "version": bom.subject,
                "properties": [{"name": "rootgen:plan", "value": bom.digest}],
            },
        },
        "components": chain(
            (_package(one, files.get(at, [])) for at, one in enumerate(bom.packages)),
            system,
            map(_file, files.get(-1, [])),
        ),
        "dependencies": chain(
            ({"ref": _ROOT, "dependsOn": [one.purl for one in bom.packages]},), depends
        ),
    })  # fmt: skip
    head = members({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": _serial(body),
    })  # fmt: skip
    return braced(head, body) + b"\n"


def _serial(body: bytes) -> str:
    """Return a UUID that follows from the content (RFC 9562, 5.8: version 8)."""
    from hashlib import sha256

    raw = bytearray(sha256(body).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x80
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _package(one: BomPackage, files: list[BomFile]) -> dict[str, object]:
    package = one.package
    version = f"{package.epoch}:{package.version}" if package.epoch else package.version
    written: dict[str, object] = {
        "bom-ref": one.purl,
        "type": "library",
        "name": package.name,
        "version": version,
        "purl": one.purl,
    }
    if package.supplier.strip():
        written["supplier"] = {"name": " ".join(shown(package.supplier).split())}
    if package.licence.strip():
        written["licenses"] = [{"license": {"name": shown(package.licence)}}]
    if one.licence_files:
        written["properties"] = [
            {"name": "rootgen:licence-file", "value": shown(path)} for path in one.licence_files
        ]
    if files:
        written["components"] = [_file(file) for file in files]
    return written


def _system(release: Release) -> dict[str, object]:
    written = {
        "bom-ref": "operating-system",
        "type": "operating-system",
        "name": shown(release.identity),
        "version": shown(release.version),
        "description": shown(release.title),
    }
    return {name: value for name, value in written.items() if value}


def _file(one: BomFile) -> dict[str, object]:
    properties = [{"name": "rootgen:size", "value": str(one.size)}]
    properties += [{"name": "rootgen:reason", "value": shown(each)} for each in one.reasons]
    if one.differs:
        properties.append({"name": "rootgen:differs-from", "value": one.differs})
    if raw_bytes(one.path):
        properties.append({"name": "rootgen:name-in-bytes", "value": raw_bytes(one.path)})
    hashes = [{"alg": "SHA-1", "content": one.sha1}] if one.sha1 else []
    return {
        "bom-ref": f"file-{short_hash(one.path)}",
        "type": "file",
        "name": shown(one.path),
        "hashes": [*hashes, {"alg": "SHA-256", "content": one.sha256}],
        "properties": properties,
    }
