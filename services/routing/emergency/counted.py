"""What of a scope waits at desks, item by item, beside a preview: boards tell queues by work type, and of regions nothing.

The preview that is hashed and approved goes by proportions where a scope narrows by region or data class; desks' rows tell
each item's branch and class, and routing's HTTP face counts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.contracts.message import Part
from shared.contracts.reroute import RerouteScope, RerouteTerms
from shared.reference.board import ReferenceView
from shared.reroutes import covers_team, covers_work_type


class Counted(Part):
    """How many items of a work type wait in the scope, its regions and data classes heeded."""

    work_type: str
    items: int


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which items lie in a scope that narrows by more than boards tell. Holds: no branches, no classes: all of them."""

    teams: Sequence[str]
    branches: Sequence[str] | None
    data_classes: Sequence[str] | None


def narrowed(terms: RerouteTerms, view: ReferenceView) -> Narrowed | None:
    """The items that the terms mean at desks; `None` where the boards' queues by work type tell them."""
    scope = terms.scope
    if terms.effect == "local" or not (scope.regions or scope.data_classes):
        return None
    branches = sorted(branch.id for branch in view.branches.values() if branch.region in scope.regions)
    return Narrowed(
        sorted(team.id for team in view.teams.values() if covers_team(scope, team)),
        branches if scope.regions else None,
        scope.data_classes or None,
    )


def counted(scope: RerouteScope, items_by_work_type: Mapping[str, int]) -> tuple[Counted, ...]:
    """The counts of the scope's work types, by name."""
    return tuple(
        Counted(work_type=work_type, items=items)
        for work_type, items in sorted(items_by_work_type.items())
        if covers_work_type(scope, work_type)
    )


def counted_words(found: Sequence[Counted] | None) -> str:
    """The count in a sentence; nothing to say where the preview's own figures are exact."""
    if found is None:
        return ""
    parts = ", ".join(f"{one.items:,} of {one.work_type}" for one in found) or "nothing"
    return f"Counted item by item, regions and data classes heeded, the scope has now at desks: {parts}."
