"""The guards of controls, each one named function, so that a test can take one out and see what breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from services.audit.controls.state import Case
from shared.contracts.audit import Doer
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView


def segregation_breach(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    """Why this person's result on this order must not count, or `None` when it may.

    Holds:   fails closed: a person or provider that the reference data do not know is excluded.
    """
    for check in _CHECKS:
        breach = check(case, order, doer, reference)
        if breach is not None:
            return breach
    return None


def draft_breach(case: Case, order: WorkOrder, drafted_by: Sequence[str]) -> str | None:
    """Why a result that somebody else began must not count: they hold another role on the case, and would have two."""
    for author in drafted_by:
        held = case.roles.get(author)
        if held is not None and held != order.role:
            return f"Expected a draft by nobody with another role, found one by {author} with {held} and {order.role}"
    return None


def posting_due(case: Case) -> bool:
    """Whether the posting may be requested: never a second time, whatever else arrives."""
    return case.posting_id is None


def _second_role(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    held = case.roles.get(doer.operator_id)
    if held is None or held == order.role:
        return None
    return f"Expected one role per person on a case, found {doer.operator_id} with {held} and {order.role}"


def _excluded_by_name(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    if doer.operator_id not in order.excluded_operators:
        return None
    return f"Expected nobody whom the item excludes, found {doer.operator_id}"


def _excluded_team(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    if doer.team_id not in order.excluded_teams:
        return None
    return f"Expected a team that the item does not exclude, found {doer.team_id}"


def _own_branch(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    operator = reference.operators.get(doer.operator_id)
    if operator is None:
        return f"Expected a person of the reference data, found {doer.operator_id}"
    if operator.branch_id != order.branch_id:
        return None
    return f"Expected nobody of branch {order.branch_id} on its own case, found {doer.operator_id}"


def _outside(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    provider = reference.providers.get(doer.provider_id)
    if provider is None:
        return f"Expected a provider of the reference data, found {doer.provider_id}"
    if not (order.in_house_only and provider.outside):
        return None
    return f"Expected the bank's own staff for {order.role}, found {doer.operator_id} of {doer.provider_id}"


def _grade(case: Case, order: WorkOrder, doer: Doer, reference: ReferenceView) -> str | None:
    operator = reference.operators.get(doer.operator_id)
    if operator is None or operator.grade >= order.grade_min:
        return None
    return f"Expected grade {order.grade_min} or above for {order.role}, found {doer.operator_id} of {operator.grade}"


_Check = Callable[[Case, WorkOrder, Doer, ReferenceView], str | None]

_CHECKS: Final[tuple[_Check, ...]] = (
    _second_role,
    _excluded_by_name,
    _excluded_team,
    _own_branch,
    _outside,
    _grade,
)
