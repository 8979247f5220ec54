"""What a registry answered, in people's words (distribution-spec, "Error Codes")."""

from __future__ import annotations

from rootgen.errors import ImageError
from rootgen.image.document import parse_document
from rootgen.image.registry.patience import AgainError, retry_after
from rootgen.named import TYPE_CHECKING

if TYPE_CHECKING:
    from rootgen.image.registry.answer import Answer

_READ = 64 << 10
_PAGE = 8 << 10  # of a page that is looked through for words
_SHOWN = 300
_MESSAGES = 4
# What may be different the next time (RFC 9110, 15; 425, 429: RFC 8470, RFC 6585).
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_WORDS = {
    400: "calls the request malformed",
    403: "does not permit it",
    404: "has nothing of that name",
    405: "does not do that",
    408: "waited too long for us",
    413: "says that it is too large",
    429: "says that it is asked too often",
    500: "failed",
    502: "has nothing behind it that answers",
    503: "is overloaded, or closed",
    504: "has something behind it that does not answer",
}
_NO_TLS_HERE = "HTTP request to an HTTPS server"


def refusal(answer: Answer, what: str) -> ImageError | AgainError:
    """Return the error for an answer that is none of those wanted; reads and closes it.

    ``what`` is what was to be done, after "cannot". What may pass is an
    AgainError.
    """
    status = answer.status
    told = told_by(answer)
    words = _WORDS.get(status, "answered what was not asked for")
    hint = ""
    if any(_NO_TLS_HERE in one for one in told):
        hint = "it has TLS: leave --plain-http out"
    elif status == 403:  # noqa: PLR2004
        hint = f"see who is logged in: podman login --get-login {answer.url.host_port()}"
    error = ImageError(
        f"cannot {what}: {answer.url.host_port()} {words} ({status})", why=told, hint=hint
    )
    if status in _PASSING:
        return AgainError(error, retry_after(answer.field("Retry-After")))
    return error


def told_by(answer: Answer) -> tuple[str, ...]:
    """Return what an answer says of itself: its errors, or how a page begins."""
    try:
        data = answer.document(_READ)
    except (ImageError, AgainError):
        return ()
    try:
        errors = list(parse_document(data, "").each("errors"))[:_MESSAGES]
        told = [(one.text("code", ""), one.text("message", "")) for one in errors]
        return tuple(": ".join(filter(None, one))[:_SHOWN] for one in told if any(one))
    except ImageError:
        return _page(data, answer.media_type())


def _page(data: bytes, media_type: str) -> tuple[str, ...]:
    """Return how a page begins, without its markup."""
    import re

    text = data[:_PAGE].decode("utf-8", "replace")
    if media_type == "text/html" or text.lstrip()[:1] == "<":
        text = re.sub(
            r"<(script|style)\b.{0,10000}?</\1>|<[^>]{0,1000}>",
            " ",
            text,
            flags=re.DOTALL | re.IGNORECASE,
        )
    words = " ".join(text.split())[:_SHOWN]
    return (f"it says ({media_type or 'of no type'}): {words}",) if words else ()
