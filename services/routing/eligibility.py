"""The one place of the hard rules: may this person do this work order? Placement and desk both ask here.

Everything unknown is a no: a person, team or provider that the boards do not name may do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.contracts.reference import Operator, Provider
from shared.contracts.routing import UnplaceableReason
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView
from shared.standing import StandingView

PRECEDENCE: Final[Mapping[UnplaceableReason, int]] = {
    "nobody_qualified": 0,
    "vendor_barred": 1,
    "data_class_barred": 2,
    "all_excluded": 3,
    "standing": 4,
    "nobody_present": 5,
    "rerouted": 6,
}
"""The order in which the rules are asked. Of several reasons the highest tells most: it names the nearest miss."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The boards that the hard rules are read from."""

    reference: ReferenceView
    standing: StandingView

    @classmethod
    def of(cls, boards: Mapping[str, Any]) -> Rulebook:
        """The rulebook in a situation's boards."""
        return cls(boards["reference"], boards["standing"])

    def provider_of(self, team_id: str) -> Provider | None:
        """The provider that the team belongs to, or `None` when either is unknown."""
        team = self.reference.teams.get(team_id)
        return None if team is None else self.reference.providers.get(team.provider_id)

    def member(self, team_id: str, operator_id: str) -> Operator | None:
        """The operator, if known and of this team."""
        operator = self.reference.operators.get(operator_id)
        return operator if operator is not None and operator.team_id == team_id else None


def hindrance(order: WorkOrder, operator_id: str, team_id: str, book: Rulebook) -> UnplaceableReason | None:
    """What keeps this member of this team from doing this work; `None` when nothing does.

    Holds:   the rules are asked in the order of `PRECEDENCE`; the first that says no is the answer.
    """
    return _hindrance(order, book.member(team_id, operator_id), book.provider_of(team_id), book.standing)


def able(order: WorkOrder, people: Iterable[str], team_id: str, book: Rulebook) -> int:
    """How many of these members of the team may do the work."""
    if order.work_type not in held(team_id, book):
        return 0
    provider = book.provider_of(team_id)
    return sum(_hindrance(order, book.member(team_id, one), provider, book.standing) is None for one in people)


def _hindrance(
    order: WorkOrder, operator: Operator | None, provider: Provider | None, standing: StandingView
) -> UnplaceableReason | None:
    if operator is None or provider is None or unqualified(order, operator):
        return "nobody_qualified"
    if barred_to_vendor(order, provider):
        return "vendor_barred"
    if order.data_class not in provider.data_classes:
        return "data_class_barred"
    if excluded(order, operator):
        return "all_excluded"
    if suspended(operator, provider, standing):
        return "standing"
    return None


def held(team_id: str, book: Rulebook) -> frozenset[str]:
    """The work types that anybody of the team holds."""
    key = "held", team_id
    known: frozenset[str] | None = book.reference.derived.get(key)
    if known is None:
        people = (book.reference.operators[one] for one in book.reference.operators_by_team.get(team_id, ()))
        known = book.reference.derived[key] = frozenset(name for one in people for name in one.work_types)
    return known


def unqualified(order: WorkOrder, operator: Operator) -> bool:
    """The operator lacks the work type or the grade."""
    return order.work_type not in operator.work_types or operator.grade < order.grade_min


def barred_to_vendor(order: WorkOrder, provider: Provider) -> bool:
    """What is reserved for the house is barred to every outside vendor."""
    return provider.outside and reserved_for_house(order)


def reserved_for_house(order: WorkOrder) -> bool:
    """An outside vendor keys slices that are not reserved for the house, and never sees a whole image."""
    return order.in_house_only or order.step != "entry" or bool(order.whole_images)


def excluded(order: WorkOrder, operator: Operator) -> bool:
    """The case names the person, the team, or comes from the person's own branch."""
    return (
        operator.id in order.excluded_operators
        or operator.team_id in order.excluded_teams
        or operator.branch_id == order.branch_id
    )


def suspended(operator: Operator, provider: Provider, standing: StandingView) -> bool:
    """The bank currently allows the operator, or the vendor that they work for, nothing.

    The bank's own department cannot be suspended as a whole, or a run of keying errors would stop every review in the
    house: its people are suspended one by one.
    """
    return (
        provider.outside and standing.provider(provider.id, provider.initial_standing) == "suspended"
    ) or standing.operator(operator.id, operator.initial_standing) == "suspended"


def team_hindrance(order: WorkOrder, team_id: str, book: Rulebook) -> UnplaceableReason | None:
    """What keeps every member of the team from the work: the nearest miss; `None` when somebody may do it."""
    nearest: UnplaceableReason = "nobody_qualified"
    if order.work_type not in held(team_id, book):
        return nearest
    for operator_id in book.reference.operators_by_team.get(team_id, ()):
        reason = hindrance(order, operator_id, team_id, book)
        if reason is None:
            return None
        nearest = most_telling((nearest, reason))
    return nearest


def most_telling(reasons: Iterable[UnplaceableReason]) -> UnplaceableReason:
    """The reason that names the nearest miss, by `PRECEDENCE`."""
    return max(reasons, key=PRECEDENCE.__getitem__, default="nobody_qualified")
