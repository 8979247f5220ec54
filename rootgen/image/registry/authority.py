"""What a request carries so that a registry knows who asks.

A registry is asked without credentials first; its challenge says what it
wants. ``basic`` is a user and a password (RFC 7617), ``bearer`` a token that
another server gives for them (distribution: "Token Authentication
Specification" and "OAuth2 Token Authentication").

The token server (the challenge's *realm*) is named by the registry, and is
often another host: docker.io's is auth.docker.io. Who names it is believed
(TLS), and could have asked for the password itself; so the password goes
there. But never without TLS: a realm of plain http is asked only where
``--plain-http`` was said, and it is the registry's own host.
"""

from __future__ import annotations

import threading
import time

from rootgen.errors import ImageError
from rootgen.image.document import parse_document
from rootgen.image.registry.challenge import parse_challenges
from rootgen.image.registry.refusal import refusal, told_by
from rootgen.image.registry.transport import body_of
from rootgen.image.registry.url import parse_url
from rootgen.named import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from rootgen.image.registry.answer import Answer
    from rootgen.image.registry.challenge import Challenge
    from rootgen.image.registry.credentials import Credential
    from rootgen.image.registry.repository import Repository
    from rootgen.image.registry.transport import Transport
    from rootgen.image.registry.url import Url

_CLIENT = "rootgen"
_DOCUMENT = 256 << 10
_OK, _UNAUTHORIZED, _FORBIDDEN = 200, 401, 403
# Tokens without a time are good for a minute; one that soon ends is as good as none.
_SECONDS, _SOON, _LONGEST = 60.0, 10.0, 86400.0
_FORM = "application/x-www-form-urlencoded"


class _Token(NamedTuple):
    field: str
    until: float


class Authority:
    """What one repository's requests carry; shared by threads."""

    def __init__(
        self,
        site: Url,
        repository: Repository,
        actions: str,
        find: Callable[[], Credential | None],
        transport: Transport,
    ) -> None:
        """Know nothing yet; ``find`` is called when the registry first wants to know who asks.

        ``site`` is the registry; ``actions`` will be done in the repository: ``pull,push``.
        """
        self._site = site
        self._host = repository.host  # as people call it, and log in
        scope = f"repository:{repository.name}:{actions}"
        self._scopes: tuple[str, ...] = (scope,)
        self._more: tuple[str, ...] = ()
        self._find = find
        self._transport = transport
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._credential: Credential | None = None
        self._known = False

    def field(self, url: Url) -> str:
        """Return the field Authorization for a request to ``url``; nothing for another host."""
        token = self._token
        if token is None or url.origin() != self._site.origin():
            return ""
        return token.field if token.until > time.monotonic() else ""

    def widen(self, scopes: tuple[str, ...]) -> None:
        """Ask for more from now on, where the registry gives tokens: to read other repositories."""
        with self._lock:
            if self._token is not None and self._token.field.startswith("Bearer"):
                self._more, self._token = scopes, None

    def answer_to(self, answer: Answer, used: str) -> bool:
        """Get what a refusal (401) asks for; tell whether there is something new to try.

        ``used`` is the field that was refused. Raises ImageError where the
        registry wants a login and there is none, AgainError.
        """
        challenges = parse_challenges(answer.fields("WWW-Authenticate"))
        with self._lock:
            current = self._token.field if self._token is not None else ""
            if current and current != used:
                return True  # another thread was here before
            offered = {one.scheme: one for one in challenges}
            if "bearer" in offered and offered["bearer"].get("realm"):
                token = self._bearer(offered["bearer"])
            elif "basic" in offered:
                token = self._basic()
            else:
                raise ImageError(
                    f"{self._host} wants to know who asks, in a way that is not known here",
                    why=told_by(answer),
                )
            self._token = token
            return token is not None and token.field != used

    def refused(self) -> ImageError:
        """Return the error of a registry that does not take what it asked for."""
        host = self._host
        known = self._credential
        if known is None:
            return ImageError(
                f"{host} wants a login", hint=f"podman login {host} (or docker, or skopeo login)"
            )
        return ImageError(
            f"{host} does not take the login of {known.source}",
            hint=f"log in again: podman login {host}",
        )

    def _known_credential(self) -> Credential | None:
        if not self._known:
            self._credential = self._find()
            self._known = True
        return self._credential

    def _basic(self) -> _Token | None:
        from base64 import b64encode

        known = self._known_credential()
        if known is None or not (known.user or known.password):
            return None
        encoded = b64encode(f"{known.user}:{known.password}".encode()).decode()
        return _Token(f"Basic {encoded}", float("inf"))

    def _bearer(self, challenge: Challenge) -> _Token | None:
        known = self._known_credential()
        if known is not None and known.registry_token:
            return _Token(f"Bearer {known.registry_token}", float("inf"))
        realm = self._realm(challenge)
        scopes = dict.fromkeys((*challenge.get("scope").split(), *self._scopes, *self._more))
        answer = self._ask(realm, challenge.get("service"), tuple(scopes), known)
        if answer.status in {_UNAUTHORIZED, _FORBIDDEN} and self._more:
            # It gives nothing to who asks for too much: then without what only spares sending.
            answer.close()
            scopes = {one: None for one in scopes if one not in self._more}
            self._more = ()
            answer = self._ask(realm, challenge.get("service"), tuple(scopes), known)
        with answer:
            if answer.status in {_UNAUTHORIZED, _FORBIDDEN}:
                error = self.refused()
                raise ImageError(error.what, why=told_by(answer), hint=error.hint)
            if answer.status != _OK:
                raise refusal(answer, "get a token")
            return _parse_token(answer)

    def _realm(self, challenge: Challenge) -> Url:
        realm = parse_url(challenge.get("realm"), self._site)
        own = realm.host == self._site.host and self._site.scheme == "http"
        if realm.scheme == "http" and not own:
            raise ImageError(
                f"{self._host} has its tokens from {realm.shown()}, which has no TLS: "
                "no password goes there"
            )
        return realm

    def _ask(
        self, realm: Url, service: str, scopes: tuple[str, ...], known: Credential | None
    ) -> Answer:
        from base64 import b64encode
        from urllib.parse import urlencode

        if known is not None and known.identity_token:
            form = urlencode(
                {
                    "grant_type": "refresh_token",
                    "service": service,
                    "client_id": _CLIENT,
                    "scope": " ".join(scopes),
                    "refresh_token": known.identity_token,
                }
            )
            return self._transport.send("POST", realm, {}, body_of(form.encode(), _FORM))
        pairs = [("scope", one) for one in scopes]
        if service:
            pairs.insert(0, ("service", service))
        headers = {}
        if known is not None and known.user:
            pairs.append(("account", known.user))
            encoded = b64encode(f"{known.user}:{known.password}".encode()).decode()
            headers = {"Authorization": f"Basic {encoded}"}
        return self._transport.send("GET", realm.with_query(*pairs), headers)


def _parse_token(answer: Answer) -> _Token:
    where = f"the token of {answer.url.shown()}"
    document = parse_document(answer.document(_DOCUMENT), where)
    token = document.text("token", "") or document.text("access_token", "")
    if not token.isascii() or not token.isprintable() or not token:
        raise ImageError(f"{where} is none")
    seconds = _SECONDS
    if "expires_in" in document:
        seconds = min(float(document.size("expires_in")), _LONGEST)
    return _Token(f"Bearer {token}", time.monotonic() + max(seconds - _SOON, _SOON))
