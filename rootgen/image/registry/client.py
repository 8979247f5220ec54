"""Requests to one repository: with what the registry wants to know, redirected, tried again."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.registry.patience import AgainError, Attempts
from rootgen.image.registry.refusal import refusal
from rootgen.image.registry.transport import SAFE
from rootgen.image.registry.url import parse_url
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeVar

    from rootgen.image.registry.answer import Answer
    from rootgen.image.registry.authority import Authority
    from rootgen.image.registry.repository import Repository
    from rootgen.image.registry.transport import Body, Transport
    from rootgen.image.registry.url import Url

    Result = TypeVar("Result")

_REDIRECTS = 5
_REDIRECTED = frozenset((301, 302, 303, 307, 308))
_UNAUTHORIZED = 401


class Client:
    """One repository at one registry; shared by threads."""

    def __init__(
        self,
        repository: Repository,
        transport: Transport,
        authority: Authority,
        *,
        plain_http: bool = False,
    ) -> None:
        self.repository = repository
        self.transport = transport
        self.authority = authority
        self._plain_http = plain_http

    def url(self, path: str) -> Url:
        """Return where ``path`` of the repository is asked for."""
        return self.repository.url(path, plain_http=self._plain_http)

    def attempts(self) -> Attempts:
        """Begin to count attempts."""
        return Attempts(self.transport.patience, self.transport.stop)

    def ask(
        self,
        method: str,
        url: Url,
        what: str,
        wanted: Collection[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Return an answer of one of the statuses ``wanted``, after as many attempts as it takes.

        ``what`` is what is being done, after "cannot". Raises ImageError, StoppedError.
        """
        return self.persist(
            lambda: self.once(method, url, what, wanted, headers=headers, body=body)
        )

    def persist(self, attempt: Callable[[], Result]) -> Result:
        """Return what ``attempt`` returns, called again, as often as may be, after an AgainError.

        Raises ImageError, StoppedError.
        """
        attempts = self.attempts()
        while True:
            try:
                return attempt()
            except AgainError as failure:
                attempts.again(failure)

    def once(
        self,
        method: str,
        url: Url,
        what: str,
        wanted: Collection[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Do the same with one attempt; raise AgainError where another may go better."""
        for _ in range(1 + _REDIRECTS):
            answer = self._authorised(method, url, headers or {}, body)
            sent_on = answer.status in _REDIRECTED and answer.field("Location")
            if method not in SAFE or not sent_on:
                return self._wanted(answer, what, wanted)
            with answer:
                url = self.location(answer)
        raise ImageError(f"cannot {what}: redirected more than {_REDIRECTS} times")

    def _wanted(self, answer: Answer, what: str, wanted: Collection[int]) -> Answer:
        if answer.status in wanted:
            return answer
        with answer:
            refused = answer.status == _UNAUTHORIZED
            raise self.authority.refused() if refused else refusal(answer, what)

    def location(self, answer: Answer) -> Url:
        """Return where an answer sends us; raise ImageError where that has no TLS any more."""
        written = answer.field("Location")
        if not written:
            raise ImageError(f"{answer.url.shown()} does not say where it goes on (no Location)")
        url = parse_url(written, answer.url)
        if answer.url.scheme == "https" and url.scheme == "http":
            here = answer.url.host_port()
            raise ImageError(f"{here} sends us to {url.shown()}, which has no TLS: not followed")
        return url

    def _authorised(
        self, method: str, url: Url, headers: Mapping[str, str], body: Body | None
    ) -> Answer:
        """Send a request; where the registry itself wants to know who asks, tell it, once."""
        used = self.authority.field(url)
        answer = self.transport.send(method, url, _with(headers, used), body)
        if answer.status != _UNAUTHORIZED or url.origin() != self.url("").origin():
            return answer
        with answer:
            again = self.authority.answer_to(answer, used)
        if not again:
            return answer
        return self.transport.send(method, url, _with(headers, self.authority.field(url)), body)


def _with(headers: Mapping[str, str], authorization: str) -> Mapping[str, str]:
    return {**headers, "Authorization": authorization} if authorization else headers
