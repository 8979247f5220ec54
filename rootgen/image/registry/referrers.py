"""What is about an image, listed by the registry where whoever has the image finds it.

A registry of the specification's version 1.1 lists by itself what has a
``subject``; for an older one who pushes keeps an index under a tag that is
made of the subject's digest (distribution-spec, "Referrers Tag Schema").
"""

from __future__ import annotations

from functools import partial

from rootgen.errors import ImageError
from rootgen.image.artifact import referrers_tag
from rootgen.image.blob import digest_bytes
from rootgen.image.descriptor import INDEX, Descriptor, oci_media_type
from rootgen.image.document import LIMIT
from rootgen.image.manifest import Index, index_bytes, parse_index
from rootgen.image.registry.documents import find_document, put_document
from rootgen.image.registry.url import parse_url
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rootgen.image.registry.answer import Answer
    from rootgen.image.registry.client import Client
    from rootgen.image.registry.url import Url

# What registries answer to who asks for what they have not heard of.
_OK, _UNKNOWN = 200, (400, 404, 405, 501)
_PAGES = 64


def list_referrers(client: Client, subject: str, artifacts: Sequence[Descriptor]) -> None:
    """Have the repository list ``artifacts``, pushed before, with the manifest ``subject``.

    Two who do it at once for the same one may each forget the other's, as
    the specification has it. Raises ImageError.
    """
    page = client.persist(partial(_page, client, client.url(f"referrers/{subject}"), subject))
    if page is not None:
        return
    tag = referrers_tag(subject)
    index = _kept(client, tag)
    there = {one.digest for one in index.manifests}
    lacking = tuple(one for one in artifacts if one.digest not in there)
    if lacking:
        data = index_bytes(index._replace(manifests=(*index.manifests, *lacking)))
        put_document(client, tag, Descriptor(INDEX, digest_bytes(data), len(data)), data)


def referrers(client: Client, subject: str) -> tuple[Descriptor, ...]:
    """Return the artifacts that the repository lists with the manifest ``subject``.

    Raises ImageError.
    """
    found: list[Descriptor] = []
    url: Url | None = client.url(f"referrers/{subject}")
    for _ in range(_PAGES):
        if url is None:
            return tuple(found)
        page = client.persist(partial(_page, client, url, subject))
        if page is None:
            return _kept(client, referrers_tag(subject)).manifests
        data, url = page
        found += parse_index(data, f"what is about {subject}").manifests
    raise ImageError(f"what is about {subject} goes on for over {_PAGES} pages")


def _page(client: Client, url: Url, subject: str) -> tuple[bytes, Url | None] | None:
    """Return a page of the registry's own list, and where it goes on; None where it has none."""
    what = f"ask {client.repository} what is about {subject}"
    with client.once("GET", url, what, (_OK, *_UNKNOWN)) as answer:
        if answer.status != _OK or answer.media_type() != INDEX:
            return None
        return answer.document(LIMIT), _next(answer)


def _next(answer: Answer) -> Url | None:
    """Return where an answer goes on (RFC 8288): ``<URL>; rel="next"``."""
    for field in answer.fields("Link"):
        target, _, parameters = field.partition(">")
        if target.startswith("<") and "next" in parameters:
            return parse_url(target[1:], answer.url)
    return None


def _kept(client: Client, tag: str) -> Index:
    # Not by the digest that a HEAD answers with: one that says none would lose its list.
    fetched = find_document(client, tag)
    if fetched is None:
        return Index()
    if oci_media_type(fetched.descriptor.media_type) != INDEX:
        raise ImageError(
            f"{client.repository}:{tag} is no index",
            hint="what is about an image is listed under that tag: remove what is there",
        )
    return parse_index(fetched.data, fetched.descriptor.digest)
