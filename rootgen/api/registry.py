"""What ``push`` and ``pull`` share: a registry that is connected to."""

from __future__ import annotations

import os
from contextlib import contextmanager

from rootgen.image.registry.authority import Authority
from rootgen.image.registry.client import Client
from rootgen.image.registry.credentials import auth_files, find_credential
from rootgen.image.registry.patience import Patience
from rootgen.image.registry.proxy import user_proxies
from rootgen.image.registry.transport import Transport
from rootgen.image.registry.trust import user_trust
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.image.registry.repository import Repository


class Access(NamedTuple):
    """How a registry is come to.

    ``plain_http``: without TLS; ``ca`` a file of certificates to believe
    besides the system's; ``authfile`` the file of a login, "" for the usual
    ones; ``patience`` how long, and how often.
    """

    plain_http: bool = False
    ca: str = ""
    authfile: str = ""
    patience: Patience = Patience()


@contextmanager
def connected(repository: Repository, access: Access, actions: str) -> Iterator[Client]:
    """Give a client for one repository, to do ``actions`` there: ``pull`` or ``pull,push``.

    Nothing is asked yet. Connections end with it.
    """
    trust = user_trust(access.ca, os.environ)
    transport = Transport(trust, access.patience, user_proxies(os.environ))
    files = auth_files(access.authfile, os.environ)
    authority = Authority(
        repository.url("", plain_http=access.plain_http),
        repository,
        actions,
        lambda: find_credential(files, repository),
        transport,
    )
    try:
        yield Client(repository, transport, authority, plain_http=access.plain_http)
    finally:
        transport.close()
