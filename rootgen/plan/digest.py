"""The identity of a Plan: one digest over what its target holds, and nothing else."""

from __future__ import annotations

from rootgen.errors import PlanError
from rootgen.named import TYPE_CHECKING
from rootgen.plan.entry import EntryKind

if TYPE_CHECKING:
    from rootgen.plan.entry import Entry
    from rootgen.plan.plan import Plan


def plan_digest(plan: Plan) -> str:
    """Return ``sha256:…`` over paths, kinds, modes, owners, contents, targets, attributes.

    Times and reasons do not count (DESIGN, rule 5). Raises PlanError for a
    file whose bytes have not been read yet.
    """
    from hashlib import sha256  # OpenSSL costs 3 ms: only where there are bytes to digest

    digest = sha256(b"rootgen plan 1\n")
    for entry in plan.entries():
        digest.update(_line(entry))
    return f"sha256:{digest.hexdigest()}"


def _line(entry: Entry) -> bytes:
    if entry.kind is EntryKind.FILE and not entry.sha256:
        message = f"{entry.path} has no digest yet"
        raise PlanError(message)
    fields = [
        entry.path,
        entry.kind.value,
        f"{entry.mode:o}",
        str(entry.uid),
        str(entry.gid),
        entry.sha256,
        entry.target,
        f"{entry.device[0]},{entry.device[1]}",
        *(f"{name}={value.hex()}" for name, value in entry.xattrs),
    ]
    # Lengths, because a path may hold any byte but NUL and "/".
    raw = [field.encode(errors="surrogateescape") for field in fields]
    return b"".join(b"%d:%s" % (len(field), field) for field in raw) + b"\n"
