"""What is about an image, listed by the registry where whoever has the image finds it.

A registry of the specification's version 1.1 lists by itself what has a
``subject``; for an older one who pushes keeps an index under a tag that is
made of the subject's digest (distribution-spec, "Referrers Tag Schema").
"""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.artifact import referrers_tag
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import INDEX, Descriptor, oci_media_type
from rootgen.image.manifest import Index, index_bytes, parse_index
from rootgen.image.registry.documents import fetch_document, present_digest, put_document
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.image.registry.client import Client

# What registries answer to who asks for what they have not heard of.
_OK, _UNKNOWN = 200, (400, 404, 405, 501)


def list_referrers(client: Client, subject: str, artifacts: Sequence[Descriptor]) -> None:
    """Have the repository list ``artifacts``, pushed before, with the manifest ``subject``.

    Two who do it at once for the same one may each forget the other's, as
    the specification has it. Raises ImageError.
    """
    if _lists_itself(client, subject):
        return
    tag = referrers_tag(subject)
    index = _kept(client, tag)
    there = {one.digest for one in index.manifests}
    lacking = tuple(one for one in artifacts if one.digest not in there)
    if lacking:
        data = index_bytes(index._replace(manifests=(*index.manifests, *lacking)))
        put_document(client, tag, Descriptor(INDEX, digest_bytes(data), len(data)), data)


def _lists_itself(client: Client, subject: str) -> bool:
    url = client.url(f"referrers/{subject}")
    what = f"ask {client.repository} what is about {subject}"
    with client.ask("GET", url, what, (_OK, *_UNKNOWN)) as answer:
        return answer.status == _OK and answer.media_type() == INDEX


def _kept(client: Client, tag: str) -> Index:
    if not present_digest(client, tag):
        return Index()
    fetched = fetch_document(client, tag)
    if oci_media_type(fetched.descriptor.media_type) != INDEX:
        raise ImageError(
            f"{client.repository}:{tag} is no index",
            hint="what is about an image is listed under that tag: remove what is there",
        )
    return parse_index(fetched.data, fetched.descriptor.digest)
