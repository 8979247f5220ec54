"""Image layouts judged by the JSON schemas of the OCI image specification."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent / "schemas"


def layout_mistakes(layout: Path) -> list[str]:
    """Return what is wrong with the layout and with each document that its index leads to."""
    return list(_mistakes(layout))


def _mistakes(layout: Path) -> Iterator[str]:
    yield from _judged("image-layout-schema", json.loads((layout / "oci-layout").read_bytes()))
    index = json.loads((layout / "index.json").read_bytes())
    yield from _judged("image-index-schema", index)
    used = set()
    for one in index["manifests"]:
        manifest = json.loads(_blob(layout, one))
        if "manifests" in manifest:
            yield from _judged("image-index-schema", manifest)
            used.add(one["digest"].removeprefix("sha256:"))
            continue
        yield from _judged("image-manifest-schema", manifest)
        if "artifactType" not in manifest:
            yield from _judged("config-schema", json.loads(_blob(layout, manifest["config"])))
        for descriptor in (one, manifest["config"], *manifest["layers"]):
            used.add(descriptor["digest"].removeprefix("sha256:"))
            data = _blob(layout, descriptor)
            found = (len(data), f"sha256:{hashlib.sha256(data).hexdigest()}")
            if found != (descriptor["size"], descriptor["digest"]):
                yield f"{descriptor['digest']}: {found}"
    there = {path.name for path in (layout / "blobs/sha256").iterdir()}
    yield from (f"{name}: a blob that nothing names" for name in there - used)
    files = {path.name for path in layout.iterdir()}
    yield from (f"{name}: no file of a layout" for name in files - {"oci-layout", "index.json",
                                                                     "blobs"})  # fmt: skip


def _blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    digest: str = descriptor["digest"]
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def _judged(schema: str, document: object) -> Iterator[str]:
    registry: Registry[Any] = Registry(retrieve=_retrieve)  # type: ignore[call-arg]  # mypy does not know attrs' aliases
    validator = Draft4Validator(_schema(schema), registry=registry)
    for error in validator.iter_errors(document):
        yield f"{schema}: {error.json_path}: {error.message}"


def _retrieve(uri: str) -> Resource[Any]:
    """Return the schema that another refers to, wherever its ``id`` says that it is."""
    name = uri.rpartition("/")[2].removesuffix(".json")
    return DRAFT4.create_resource(_schema(name))


def _schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((_HERE / f"{name}.json").read_bytes())
    return read
