"""Whether a result answers what its work item asked: the desk asks while it is in hand, who asked for it when it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contracts.message import Step
from shared.contracts.reference import BusinessType, TemplateField
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    Outcome,
    ReviewVerdict,
    Wanted,
    WorkOrder,
)
from shared.keyed_values import parse_amount, tidy

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
    if isinstance(outcome, ArbitrationRuling):
        return _fault_of_ruling(order, outcome)
    if isinstance(outcome, InspectionVerdict):
        return _fault_of_reading(order, outcome.value)
    if isinstance(outcome, AuthorisationVerdict) and outcome.granted and order.rekey_amount:
        return _fault_of_rekeying(order, outcome.rekeyed_amount)
    return None


def wanted_of(template: BusinessType, field: TemplateField) -> Wanted:
    """What a value of the field must be to stand. Holds: a case with an amount field is posted with an amount."""
    return Wanted(
        form=field.form,
        currency=template.currency,
        may_be_blank=field.may_be_blank and field.name != template.amount_field,
    )


def fault_of_value(wanted: Wanted, value: str) -> str | None:
    """Why a value cannot stand in the books: it is blank, or no amount; or `None`. What it says is not repeated."""
    if not tidy(wanted.form, value, wanted.currency):
        return None if wanted.may_be_blank else "Expected a value, found a blank."
    if wanted.form == "amount" and parse_amount(value, wanted.currency) is None:
        return f"Expected an amount in {wanted.currency}, found figures that are none."
    return None


def _fault_of_ruling(order: WorkOrder, ruling: ArbitrationRuling) -> str | None:
    if ruling.unreadable:
        return (
            "Expected an empty value of what is ruled unreadable, found one: leave one of them out."
            if ruling.value
            else None
        )
    fault = None if order.wanted is None else fault_of_value(order.wanted, ruling.value)
    return fault and f"{fault} Key it anew, or rule it unreadable."


def _fault_of_reading(order: WorkOrder, value: str) -> str | None:
    fault = None if order.wanted is None else fault_of_value(order.wanted, value)
    return fault and f"{fault} Key it anew, or decline it if you cannot read it."


def _fault_of_rekeying(order: WorkOrder, amount: str | None) -> str | None:
    if not amount:
        return "Expected the amount re-keyed, found none."
    fault = None if order.wanted is None else fault_of_value(order.wanted, amount)
    return fault and f"{fault} Key it anew, or refuse the case."


def _fault_of_review(order: WorkOrder, verdict: ReviewVerdict) -> str | None:
    shown = [field.name for field in order.shown]
    if unknown := [name for name in verdict.wrong_fields if name not in shown]:
        return f"Expected fields that are shown ({', '.join(shown)}), found {', '.join(unknown)}."
    if verdict.passed == bool(verdict.wrong_fields):
        return "Expected a failed review to name fields and a passed one to name none."
    return None
