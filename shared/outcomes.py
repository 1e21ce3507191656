"""Whether a result answers what its work item asked: the desk asks while it is in hand, controls when it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contracts.message import Step
from shared.contracts.work import AuthorisationVerdict, Outcome, ReviewVerdict, WorkOrder

FORM_BY_STEP: Final[Mapping[Step, str]] = {
    "entry": "keyed",
    "arbitration": "ruling",
    "review": "review",
    "authorisation": "authorisation",
    "inspection": "inspection",
}


def fault_of(order: WorkOrder, outcome: Outcome) -> str | None:
    """What is wrong with the outcome as an answer to the order, in a sentence that says what was expected; or `None`."""
    expected = FORM_BY_STEP[order.step]
    if outcome.form != expected:
        return f"Expected an outcome of form {expected!r}, found {outcome.form!r}."
    if isinstance(outcome, ReviewVerdict):
        return _fault_of_review(order, outcome)
    if isinstance(outcome, AuthorisationVerdict) and outcome.granted and order.rekey_amount:
        return None if outcome.rekeyed_amount else "Expected the amount re-keyed, found none."
    return None


def _fault_of_review(order: WorkOrder, verdict: ReviewVerdict) -> str | None:
    shown = [field.name for field in order.shown]
    if unknown := [name for name in verdict.wrong_fields if name not in shown]:
        return f"Expected fields that are shown ({', '.join(shown)}), found {', '.join(unknown)}."
    if verdict.passed == bool(verdict.wrong_fields):
        return "Expected a failed review to name fields and a passed one to name none."
    return None
