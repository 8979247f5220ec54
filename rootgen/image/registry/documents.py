"""Manifests and indexes of a repository: what they say they are, and what they are."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import DOCKER_TYPES, INDEX, MANIFEST, Descriptor, oci_media_type
from rootgen.image.document import LIMIT, parse_document
from rootgen.image.registry.transport import body_of
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rootgen.image.registry.client import Client

# One value of Accept: some registries look at the first field alone.
_ACCEPTED = ", ".join(
    [
        MANIFEST,
        INDEX,
        *(one for one, oci in DOCKER_TYPES.items() if oci in {MANIFEST, INDEX}),
    ]
)
_OLD = "application/vnd.docker.distribution.manifest.v1+"
_OK, _CREATED, _MISSING = 200, 201, 404


class Fetched(NamedTuple):
    """A manifest or an index as it came, and what names it."""

    descriptor: Descriptor
    data: bytes


def fetch_document(client: Client, which: str, expected: Descriptor | None = None) -> Fetched:
    """Return the manifest or index of the tag or digest ``which``, its digest verified.

    Raises ImageError where there is none, and as ``find_document``.
    """
    found = find_document(client, which, expected)
    if found is None:
        hint = "is its name right, and are you logged in, if it is private?"
        raise ImageError(f"no image {_shown(client, which)}", hint=hint)
    return found


def find_document(client: Client, which: str, expected: Descriptor | None = None) -> Fetched | None:
    """Do the same; return None where there is none.

    Raises ImageError where it is not what ``expected`` or the digest says,
    or where it is said to be two things at once (distribution-spec;
    CVE-2021-41190).
    """
    shown = _shown(client, which)
    read = client.persist(lambda: _read(client, which, shown))
    if read is None:
        return None
    kind, promised, data = read
    if ":" in which:
        promised = which
    digest = digest_bytes(data)
    if promised.startswith("sha256:") and promised != digest:
        raise ImageError(f"what came for {shown} has the digest {digest}, not {promised[:100]}")
    if expected is not None and len(data) != expected.size:
        raise ImageError(f"what came for {shown} has {len(data)} bytes, not {expected.size}")
    return Fetched(Descriptor(_media_type(data, kind, shown), digest, len(data)), data)


def _shown(client: Client, which: str) -> str:
    return f"{client.repository}{'@' if ':' in which else ':'}{which}"


def _read(client: Client, which: str, shown: str) -> tuple[str, str, bytes] | None:
    """Return what a document is said to be, its promised digest if any, and its bytes."""
    url, headers = client.url(f"manifests/{which}"), {"Accept": _ACCEPTED}
    with client.once("GET", url, f"pull {shown}", (_OK, _MISSING), headers=headers) as answer:
        if answer.status == _MISSING:
            return None
        promised = answer.field("Docker-Content-Digest")
        return answer.media_type(), promised, answer.document(LIMIT)


def present_digest(client: Client, which: str) -> str:
    """Return the digest that a tag (or digest) has in the repository, nothing where it has none."""
    answer = client.ask(
        "HEAD",
        client.url(f"manifests/{which}"),
        f"look for {client.repository}:{which}",
        (_OK, _MISSING),
        headers={"Accept": _ACCEPTED},
    )
    with answer:
        return answer.field("Docker-Content-Digest") if answer.status == _OK else ""


def put_document(client: Client, which: str, descriptor: Descriptor, data: bytes) -> None:
    """Give the repository a manifest or an index, as the tag or digest ``which``.

    Raises ImageError where it does not take it, or says it is another.
    """
    shown = _shown(client, which)
    answer = client.ask(
        "PUT",
        client.url(f"manifests/{which}"),
        f"push {shown}",
        (_OK, _CREATED),
        body=body_of(data, descriptor.media_type),
    )
    with answer:
        check_stored(
            answer.field("Docker-Content-Digest"), descriptor.digest, answer.url.host_port()
        )


def check_stored(answered: str, digest: str, host: str) -> None:
    """Raise ImageError where a registry says that what it stored has another digest."""
    if answered.startswith("sha256:") and answered != digest:
        raise ImageError(
            f"{host} stored {answered[:100]}, and {digest} was sent",
            hint="something between here and there changes what is sent",
        )


def _media_type(data: bytes, kind: str, shown: str) -> str:
    """Return what a document is: what it says itself, and the registry says too."""
    if kind.startswith(_OLD):
        raise ImageError(
            f"{shown} is of docker's first kind of image, which nobody reads any more",
            hint="push it again with a docker of 1.10 or later",
        )
    try:
        document = parse_document(data, shown)
    except ImageError as error:
        if kind == "text/html":
            raise ImageError(
                f"cannot pull {shown}: a page (text/html) came where a manifest was asked for",
                hint="is there a registry at that address, or a gateway that wants a login?",
            ) from error
        raise
    own = document.text("mediaType", "")
    said = own or kind
    oci = oci_media_type(said)
    if oci not in {MANIFEST, INDEX}:
        raise ImageError(f"{shown} is of the type '{said[:100]}': neither a manifest nor an index")
    known = oci_media_type(kind) in {MANIFEST, INDEX}
    if known and oci_media_type(kind) != oci:
        raise ImageError(f"{shown}: it says that it is '{said[:100]}', the registry '{kind[:100]}'")
    if ("manifests" in document) and ("layers" in document or "config" in document):
        raise ImageError(f"{shown} is a manifest and an index at once")
    return said
