"""A bill of materials as SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/)."""

from __future__ import annotations

from itertools import chain

from rootgen.image.sbom import TOOL, braced, members, raw_bytes, short_hash, shown
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.sbom import Bom, BomFile, BomPackage

_NOTHING = "NOASSERTION"
_DOCUMENT, _ROOT = "SPDXRef-DOCUMENT", "SPDXRef-Rootfs"


def spdx_bytes(bom: Bom) -> bytes:
    """Return the document; files must have their SHA-1, which SPDX demands (8.4)."""
    files: dict[int, list[BomFile]] = {}
    for one in bom.files:
        files.setdefault(one.package, []).append(one)
    packages = (_package(one, files.get(at, [])) for at, one in enumerate(bom.packages))
    body = members({
        "packages": chain((_root(bom, files.get(-1, [])),), packages),
        "files": map(_file, bom.files),
        "relationships": _relationships(bom),
    })  # fmt: skip
    named = f"{bom.name}\0{bom.tool}\0{bom.created}\0".encode() + body
    head = members({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": bom.name,
        # One for each content (6.5): the Plan's digest, and one of all that is said of it.
        "documentNamespace": "https://spdx.org/spdxdocs/rootgen-"
         f"{bom.digest.removeprefix('sha256:')}-{short_hash(named)}",
        "creationInfo": {"created": bom.time(), "creators": [f"Tool: {TOOL}-{bom.tool}"]},
    })  # fmt: skip
    return braced(head, body) + b"\n"


def _root(bom: Bom, own: list[BomFile]) -> dict[str, object]:
    written: dict[str, object] = {
        "SPDXID": _ROOT,
        "name": bom.name,
        "versionInfo": bom.subject,
        "downloadLocation": _NOTHING,
        # The specification's text has a hyphen, its JSON schema an underscore (7.24).
        "primaryPackagePurpose": "CONTAINER" if bom.image else "OPERATING_SYSTEM",
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
    }
    if bom.release.title:
        written["comment"] = shown(f"of {bom.release.title}")
    return written | _analysed(own)


def _analysed(files: list[BomFile]) -> dict[str, object]:
    """Return the verification code (7.9): the SHA-1 of the sorted SHA-1 of the files."""
    if not files:
        return {"filesAnalyzed": False}
    from hashlib import sha1

    text = "".join(sorted(one.sha1 for one in files))
    code = sha1(text.encode("ascii"), usedforsecurity=False).hexdigest()
    return {
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": code},
        "licenseInfoFromFiles": [_NOTHING],
    }


def _package(one: BomPackage, files: list[BomFile]) -> dict[str, object]:
    package = one.package
    comments = [f"the package says: {package.licence}"] if package.licence else []
    comments += [f"licence file: {path}" for path in one.licence_files]
    purl = {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": one.purl,
    }
    written: dict[str, object] = {
        "SPDXID": _package_id(one),
        "name": package.name,
        "versionInfo": f"{package.epoch}:{package.version}" if package.epoch else package.version,
        "downloadLocation": _NOTHING,
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
        "externalRefs": [purl],
    }
    if comments:
        written["licenseComments"] = shown("; ".join(comments))
    supplier = " ".join(shown(package.supplier).split())
    if supplier:
        written["supplier"] = f"Organization: {supplier}"
    if package.source:
        written["sourceInfo"] = shown(
            f"built from {package.source} {package.source_version}"
        ).strip()
    return written | _analysed(files)


def _file(one: BomFile) -> dict[str, object]:
    told = "; ".join(_told(one))
    written: dict[str, object] = {
        "SPDXID": _file_id(one),
        "fileName": shown(f".{one.path}"),
        "checksums": [
            {"algorithm": "SHA1", "checksumValue": one.sha1},
            {"algorithm": "SHA256", "checksumValue": one.sha256},
        ],
        "licenseConcluded": _NOTHING,
        "licenseInfoInFiles": [_NOTHING],
        "copyrightText": _NOTHING,
    }
    return written | ({"comment": told} if told else {})


def _told(one: BomFile) -> Iterator[str]:
    yield from (shown(reason) for reason in one.reasons)
    if one.differs:
        yield f"not as package {one.differs} has it"
    if raw_bytes(one.path):
        yield f"its name in bytes is {raw_bytes(one.path)}"


def _relationships(bom: Bom) -> Iterator[dict[str, str]]:
    yield _relation(_DOCUMENT, "DESCRIBES", _ROOT)
    names = [_package_id(one) for one in bom.packages]
    for name in names:
        yield _relation(_ROOT, "CONTAINS", name)
    for one in bom.files:
        owner = names[one.package] if one.package >= 0 else _ROOT
        yield _relation(owner, "CONTAINS", _file_id(one))
    for name, package in zip(names, bom.packages, strict=True):
        for other in package.depends:
            yield _relation(name, "DEPENDS_ON", names[other])


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _package_id(one: BomPackage) -> str:
    # 3.2: letters, digits, dots and hyphens.
    name = "".join(each if each.isalnum() or each in ".-" else "-" for each in one.package.name)
    return f"SPDXRef-Package-{name}-{short_hash(one.purl)}"


def _file_id(one: BomFile) -> str:
    return f"SPDXRef-File-{short_hash(one.path)}"
