"""The one place of the hard rules: may this person do this work order? Placement and desk both ask here.

Everything unknown is a no: a person, team or provider that the boards do not name may do nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final

from services.routing.rows import row
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


@row
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
    operator = allowed(order, team_id, book).get(operator_id)
    if operator is not None:
        return "all_excluded" if excluded(order, operator) else None
    operator, provider = book.member(team_id, operator_id), book.provider_of(team_id)
    if operator is None or provider is None or unqualified(order, operator):
        return "nobody_qualified"
    return _kept_from_provider(order, provider) or _kept_from_person(order, operator, provider, book.standing)


def able(order: WorkOrder, people: Sequence[str], team_id: str, book: Rulebook, sort: Sort | None = None) -> int:
    """How many of these members of the team may do the work; `sort` is that of the order where it is known already."""
    there = _there(order, people, team_id, book, sort or sort_of(order))
    if order.excluded_teams or order.branch_id in there.branches:
        return sum(not excluded(order, one) for one in there.operators.values())
    named = order.excluded_operators
    return len(there.operators) - (len(there.operators.keys() & named) if named else 0)


@row
class _There:
    """Who of some people is allowed a sort of work by a standing in one version of it, and the branches that they come from."""

    people: Sequence[str]
    standing: StandingView
    version: int
    operators: Mapping[str, Operator]
    branches: frozenset[str | None]


def _there(order: WorkOrder, people: Sequence[str], team_id: str, book: Rulebook, sort: Sort) -> _There:
    """Found once for each sort of work, until others are there, or the reference data or a standing changes."""
    key, standing = (__name__, "there", team_id, sort), book.standing
    known: _There | None = book.reference.derived.get(key)
    if (
        known is not None
        and known.standing is standing
        and known.version == standing.version
        and (known.people is people or known.people == people)
    ):
        return known
    those = allowed(order, team_id, book)
    operators = {one: those[one] for one in people if one in those}
    branches = frozenset(one.branch_id for one in operators.values())
    known = book.reference.derived[key] = _There(people, standing, standing.version, operators, branches)
    return known


def allowed(order: WorkOrder, team_id: str, book: Rulebook) -> Mapping[str, Operator]:
    """The team's people whom nothing but the case itself keeps from the work, by id.

    Holds:   found once for each sort of work, until the reference data or a standing changes.
    """
    key = __name__, "allowed", team_id, sort_of(order)
    known = _known(key, book)
    return _keep(key, book, _allowed(order, team_id, book)) if known is None else known


def _allowed(order: WorkOrder, team_id: str, book: Rulebook) -> Mapping[str, Operator]:
    provider = book.provider_of(team_id)
    if provider is None or _kept_from_provider(order, provider) is not None:
        return {}
    people = qualified(order, team_id, book.reference).items()
    return {one: operator for one, operator in people if not suspended(operator, provider, book.standing)}


@row
class _Found:
    """Who was found by a standing in one version of it."""

    standing: StandingView
    version: int
    people: Mapping[str, Operator]


def unsuspended(team_id: str, book: Rulebook) -> Mapping[str, Operator]:
    """Who of the team may work at all, by id; found once, until the reference data or a standing changes."""
    key = __name__, "unsuspended", team_id
    known = _known(key, book)
    if known is not None:
        return known
    provider, members = book.provider_of(team_id), members_of(team_id, book.reference)
    fit = {one.id: one for one in members if provider and not suspended(one, provider, book.standing)}
    return _keep(key, book, fit)


def _known(key: Hashable, book: Rulebook) -> Mapping[str, Operator] | None:
    """Who was found, unless the reference data or a standing have changed since."""
    found: _Found | None = book.reference.derived.get(key)
    if found is None or found.standing is not book.standing or found.version != book.standing.version:
        return None
    return found.people


def _keep(key: Hashable, book: Rulebook, people: Mapping[str, Operator]) -> Mapping[str, Operator]:
    book.reference.derived[key] = _Found(book.standing, book.standing.version, people)
    return people


def qualified(order: WorkOrder, team_id: str, reference: ReferenceView) -> Mapping[str, Operator]:
    """The team's people who hold the work type and the grade, by id; looked up once for each work type and grade."""
    key = (__name__, team_id, order.work_type, order.grade_min)
    known: Mapping[str, Operator] | None = reference.derived.get(key)
    if known is None:
        members = members_of(team_id, reference)
        known = {operator.id: operator for operator in members if not unqualified(order, operator)}
        reference.derived[key] = known
    return known


def members_of(team_id: str, reference: ReferenceView) -> Iterable[Operator]:
    """The team's people, in the order in which they came."""
    return (reference.operators[one] for one in reference.operators_by_team.get(team_id, ()))


def _kept_from_provider(order: WorkOrder, provider: Provider) -> UnplaceableReason | None:
    if barred_to_vendor(order, provider):
        return "vendor_barred"
    return None if order.data_class in provider.data_classes else "data_class_barred"


def _kept_from_person(
    order: WorkOrder, operator: Operator, provider: Provider, standing: StandingView
) -> UnplaceableReason | None:
    if excluded(order, operator):
        return "all_excluded"
    return "standing" if suspended(operator, provider, standing) else None


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


def excludes_somebody(order: WorkOrder, book: Rulebook) -> bool:
    """Whether a rule about the case may keep somebody on the floor from it."""
    return _names_somebody(order) or order.branch_id in _staff_branches(book.reference)


def _names_somebody(order: WorkOrder) -> bool:
    return bool(order.excluded_operators or order.excluded_teams)


def _staff_branches(reference: ReferenceView) -> frozenset[str | None]:
    key = __name__, "branches"
    known: frozenset[str | None] | None = reference.derived.get(key)
    if known is None:
        known = frozenset(operator.branch_id for operator in reference.operators.values())
        reference.derived[key] = known
    return known


def suspended(operator: Operator, provider: Provider, standing: StandingView) -> bool:
    """The bank currently allows the operator, or the vendor that they work for, nothing.

    The bank's own department cannot be suspended as a whole, or a run of keying errors would stop every review in the
    house: its people are suspended one by one.
    """
    return (
        provider.outside and standing.provider(provider.id, provider.initial_standing) == "suspended"
    ) or standing.operator(operator.id, operator.initial_standing) == "suspended"


Sort = tuple[str, int, bool, str]


def sort_of(order: WorkOrder) -> Sort:
    """What the hard rules ask of an order besides its case: orders alike in this are alike to everybody not excluded."""
    return order.work_type, order.grade_min, reserved_for_house(order), order.data_class


def team_hindrance(order: WorkOrder, team_id: str, book: Rulebook) -> UnplaceableReason | None:
    """What keeps every member of the team from the work: the nearest miss; `None` when somebody may do it."""
    provider, people = book.provider_of(team_id), qualified(order, team_id, book.reference)
    if provider is None or not people:
        return "nobody_qualified"
    kept = _kept_from_provider(order, provider)
    if kept is not None:
        return kept
    if any(not excluded(order, operator) for operator in allowed(order, team_id, book).values()):
        return None
    reasons = (_kept_from_person(order, operator, provider, book.standing) for operator in people.values())
    return most_telling(reason for reason in reasons if reason is not None)


def most_telling(reasons: Iterable[UnplaceableReason]) -> UnplaceableReason:
    """The reason that names the nearest miss, by `PRECEDENCE`."""
    return max(reasons, key=PRECEDENCE.__getitem__, default="nobody_qualified")
