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


def hindrance(
    order: WorkOrder, operator_id: str, team_id: str, book: Rulebook, *, about_case: bool = True
) -> UnplaceableReason | None:
    """What keeps this member of this team from doing this work; `None` when nothing does.

    Holds:   the rules are asked in the order of `PRECEDENCE`; the first that says no is the answer. Without
             `about_case` whom the case excludes is not asked.
    """
    operator = book.member(team_id, operator_id)
    provider = book.provider_of(team_id)
    if operator is None or provider is None or unqualified(order, operator):
        return "nobody_qualified"
    if barred_to_vendor(order, provider):
        return "vendor_barred"
    if order.data_class not in provider.data_classes:
        return "data_class_barred"
    if about_case and excluded(order, operator):
        return "all_excluded"
    if suspended(operator, provider, book.standing):
        return "standing"
    return None


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


@dataclass(frozen=True, slots=True)
class Muster:
    """A team, asked once about a sort of work for many orders of it: all hard rules but those about the case.

    Holds:   `able` are the members whom only the case or their own standing may keep from it, and whether they are
             suspended; `nearest` is the most telling reason of the others. Good while the rulebook stays as it is.
    """

    able: Mapping[str, tuple[Operator, bool]]
    nearest: UnplaceableReason

    @classmethod
    def of(cls, order: WorkOrder, team_id: str, book: Rulebook) -> Muster:
        """The team's members and the order's sort."""
        able: dict[str, tuple[Operator, bool]] = {}
        nearest: UnplaceableReason = "nobody_qualified"
        provider = book.provider_of(team_id)
        for operator_id in book.reference.operators_by_team.get(team_id, ()):
            reason = hindrance(order, operator_id, team_id, book, about_case=False)
            operator = book.member(team_id, operator_id)
            if operator is not None and provider is not None and reason in (None, "standing"):
                able[operator_id] = operator, reason is not None
            elif reason is not None:
                nearest = most_telling((nearest, reason))
        return cls(able, nearest)

    def count(self, order: WorkOrder, present: Iterable[str]) -> int:
        """How many of those present may do this order of the sort."""
        found = 0
        for person in present:
            known = self.able.get(person)
            found += known is not None and not known[1] and not excluded(order, known[0])
        return found

    def hindrance(self, order: WorkOrder) -> UnplaceableReason | None:
        """The same as `team_hindrance`, of this order of the sort."""
        nearest = self.nearest
        for operator, is_suspended in self.able.values():
            out = excluded(order, operator)
            if not out and not is_suspended:
                return None
            nearest = most_telling((nearest, "all_excluded" if out else "standing"))
        return nearest


Sort = tuple[str, int, bool, str]


def sort_of(order: WorkOrder) -> Sort:
    """What the hard rules ask of an order besides its case: orders alike in this are alike to every `Muster`."""
    return order.work_type, order.grade_min, reserved_for_house(order), order.data_class


def team_hindrance(order: WorkOrder, team_id: str, book: Rulebook) -> UnplaceableReason | None:
    """What keeps every member of the team from the work: the nearest miss; `None` when somebody may do it."""
    nearest: UnplaceableReason = "nobody_qualified"
    for operator_id in book.reference.operators_by_team.get(team_id, ()):
        reason = hindrance(order, operator_id, team_id, book)
        if reason is None:
            return None
        nearest = most_telling((nearest, reason))
    return nearest


def most_telling(reasons: Iterable[UnplaceableReason]) -> UnplaceableReason:
    """The reason that names the nearest miss, by `PRECEDENCE`."""
    return max(reasons, key=PRECEDENCE.__getitem__, default="nobody_qualified")
