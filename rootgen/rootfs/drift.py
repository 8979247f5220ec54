"""What changed in a tree since it was made: the tree as it stands against its manifest."""

from __future__ import annotations

from rootgen.layer.difference import NOT_OF_THE_DIGEST, Difference, change_words, difference
from rootgen.named import TYPE_CHECKING, NamedTuple
from rootgen.rootfs.scan import intended, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rootgen.named import Progress
    from rootgen.plan.manifest import Manifest
    from rootgen.plan.plan import Plan
    from rootgen.rootfs.note import Note


class Drift(NamedTuple):
    """The manifest, the tree as it is now, what differs, and what a Plan cannot hold."""

    manifest: Manifest
    plan: Plan
    change: Difference
    unheld: tuple[Note, ...]

    def is_empty(self) -> bool:
        """Tell whether the tree is as it was made."""
        return self.change.is_empty() and not self.unheld

    def words(self) -> Iterator[str]:
        """Say each thing that differs."""
        yield from change_words(self.change)
        yield from (f"{note.path} is {note.what}" for note in self.unheld)


def drift_of(root: int, manifest: Manifest, *, progress: Progress | None = None) -> Drift:
    """Compare the open tree ``root`` with its manifest.

    Contents are hashed: sizes and times are easily forged. Times are not
    compared, as they are no part of a Plan's identity. Raises TreeError
    where the tree cannot be read.
    """
    seen = look(root, progress=progress)
    plan = intended(seen, manifest.plan)
    change = difference(manifest.plan, plan, ignoring=NOT_OF_THE_DIGEST)
    return Drift(manifest, plan, change, seen.unheld)
