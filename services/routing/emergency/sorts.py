"""Which sorts of work a work type is made of, and in which proportions: by its template, and by the plan. Pure.

Boards know queues by work type alone. Who may be given what waits goes by more: what is kept in the house, what a provider's
contract lets it see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.routing.kinds import Kind
from shared.reference.board import ReferenceView

Mix = Mapping[Kind, float]
"""The sorts of one work type. Holds: shares sum to 1; one of share 0 may come, though none is expected."""

FIELD_STEPS: Final = frozenset({"entry", "arbitration", "inspection"})
"""Steps whose items show one field each, and so are of its data class."""


def mix_of_template(view: ReferenceView, work_type: str) -> Mix | None:
    """What a case asks for, by the keyings of its fields; of a step on the whole case one sort; `None`: an unknown template.

    Holds:   an outside vendor keys what the template names, and does no other step (`eligibility.reserved_for_house`).
    """
    business_type, _, step = work_type.rpartition("/")
    template = view.business_types.get(business_type)
    if template is None:
        return None
    if step not in FIELD_STEPS:
        return {Kind(work_type, in_house_only=True): 1.0}
    counts: dict[Kind, float] = {}
    for field in template.fields:
        for keying in range(1, field.keyings + 1):
            open_to_vendors = step == "entry" and keying in field.vendor_keyings
            kind = Kind(work_type, not open_to_vendors, field.data_class)
            counts[kind] = counts.get(kind, 0.0) + 1
    return scaled(counts)


def grades_asked(view: ReferenceView, work_type: str) -> tuple[int, ...]:
    """The grades above the lowest that some of the work asks for, rising: an authorisation by its amount."""
    business_type, _, step = work_type.rpartition("/")
    template = view.business_types.get(business_type)
    tiers = () if template is None or step != "authorisation" else template.tiers
    return tuple(sorted({tier.grade_min for tier in tiers if tier.authorisers and tier.grade_min}))


def unheard_of(work_type: str) -> Mix:
    """What is taken of a work type of which neither template nor plan tells: entries are open to all."""
    return {Kind(work_type, in_house_only=not work_type.endswith("/entry")): 1.0}


def mixed(template: Mix | None, planned: Mapping[Kind, float]) -> Mix:
    """The plan's proportions, and what the template alone names by the template's: too many sorts rather than too few.

    Units:   `planned` in items per hour.
    """
    expected = scaled(planned)
    return scaled({**(template or {}), **expected})


def scaled(amounts: Mapping[Kind, float]) -> Mix:
    """The amounts as shares; nothing of nothing."""
    total = sum(amounts.values())
    return {kind: amount / total for kind, amount in amounts.items()} if total > 0 else {}


def sort_words(kind: Kind) -> str:
    """A sort of a work type in words."""
    house = ", in the house alone" if kind.in_house_only else ""
    return f"{kind.work_type} ({kind.data_class}{house})"


def grade_words(work_type: str, grade: int) -> str:
    """What of a work type asks for a grade, in words."""
    return f"{work_type} (grade {grade} or above)"
