"""A template becomes a profile: for one machine, and what its programs may have."""

from __future__ import annotations

from rootgen.named import TYPE_CHECKING
from rootgen.sandbox.seccomp.architecture import ARCHITECTURES
from rootgen.sandbox.seccomp.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Collection

    from rootgen.sandbox.seccomp.machine import Machine
    from rootgen.sandbox.seccomp.profile import Template, Terms


def select(template: Template, machine: Machine, capabilities: Collection[str]) -> Profile:
    """Return the template's profile where only ``capabilities`` may ever be had.

    The machine's own architecture is in every profile. Rules are chosen as
    moby and podman choose them: to be included all of its capabilities and
    one of its architectures must be there, to be excluded one of either.
    """
    companions = dict(template.companions).get(machine.architecture, ())
    named = dict.fromkeys((machine.architecture, *template.architectures, *companions))
    little = ARCHITECTURES[machine.architecture].little
    return Profile(
        default=template.default,
        # A kernel takes no calls in the other byte order.
        architectures=tuple(name for name in named if ARCHITECTURES[name].little == little),
        rules=tuple(
            choice.rule
            for choice in template.choices
            if not _excluded(choice.excludes, machine, capabilities)
            and _included(choice.includes, machine, capabilities)
        ),
        flags=template.flags,
    )


def _included(terms: Terms, machine: Machine, capabilities: Collection[str]) -> bool:
    word = ARCHITECTURES[machine.architecture].word
    return (
        (not terms.architectures or word in terms.architectures)
        and all(name in capabilities for name in terms.capabilities)
        and (terms.kernel is None or machine.kernel >= terms.kernel)
    )


def _excluded(terms: Terms, machine: Machine, capabilities: Collection[str]) -> bool:
    return (
        ARCHITECTURES[machine.architecture].word in terms.architectures
        or any(name in capabilities for name in terms.capabilities)
        or (terms.kernel is not None and machine.kernel >= terms.kernel)
    )
