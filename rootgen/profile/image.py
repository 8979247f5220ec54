"""``image:`` of a profile → ImageConfig, and which of its keys were written."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.profile import field
from rootgen.profile.document import Table
from rootgen.profile.model import ImageConfig

if TYPE_CHECKING:
    from rootgen.profile.document import Value
    from rootgen.profile.mistakes import Mistakes

_KEYS = ("entrypoint", "command", "user", "workdir", "env", "labels")


def read_image(value: Value, mistakes: Mistakes) -> tuple[ImageConfig, frozenset[str]]:
    """Return the config, and the keys that were written: only they override others."""
    fields = field.table(value, "image", _KEYS, mistakes)
    config = ImageConfig()
    if "entrypoint" in fields:
        entrypoint = _words(fields["entrypoint"][1], "entrypoint", mistakes)
        config = config._replace(entrypoint=entrypoint)
    if "command" in fields:
        config = config._replace(command=_words(fields["command"][1], "command", mistakes))
    if "user" in fields:
        user = field.text(fields["user"][1], "user", mistakes)
        config = config._replace(user=user or "")
    if "workdir" in fields:
        workdir = field.path(fields["workdir"][1], "workdir", mistakes)
        config = config._replace(workdir=workdir or "")
    if "env" in fields:
        config = config._replace(env=_pairs(fields["env"][1], "env", mistakes))
    if "labels" in fields:
        config = config._replace(labels=_pairs(fields["labels"][1], "labels", mistakes))
    return config, frozenset(fields)


def _words(value: Value, what: str, mistakes: Mistakes) -> tuple[str, ...]:
    words = field.sequence(value, what, mistakes)
    texts = (field.text(word, what, mistakes, empty=True) for word in words)
    return tuple(one for one in texts if one is not None)


def _pairs(value: Value, what: str, mistakes: Mistakes) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Table):
        mistakes.add(value.place, f"{what} must be a mapping, not {field.described(value)}")
        return ()
    pairs: list[tuple[str, str]] = []
    for key, content in value.entries:
        if not key.text or (what == "env" and "=" in key.text):
            mistakes.add(key.place, f"'{key.text}' is no name for a variable")
        written = field.text(content, f"{what} {key.text}", mistakes, empty=True)
        if written is not None:
            pairs.append((key.text, written))
    return tuple(pairs)
