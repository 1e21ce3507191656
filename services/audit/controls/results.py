"""What a result means: whether it counts, and what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from services.audit.controls import guards
from services.audit.controls.course import CloseCode, Course
from services.audit.controls.orders import asked_again
from services.audit.controls.state import Case
from shared.contracts.audit import (
    Authorised,
    Doer,
    EntryArbitrated,
    EntryDiffered,
    EntryMatched,
    KeyingErrorFound,
    Refused,
    ResultAccepted,
    ResultRefused,
    ReviewFailed,
    ReviewPassed,
    WorkSettled,
)
from shared.contracts.message import Step
from shared.contracts.reference import TemplateField
from shared.contracts.routing import WorkCompleted
from shared.contracts.work import ArbitrationRuling, AuthorisationVerdict, KeyedValue, ReviewVerdict, WorkOrder
from shared.keyed_values import parse_amount, same, tidy
from shared.outcomes import fault_of, fault_of_value, wanted_of
from shared.runtime.processor import Rejection

REKEY_DISPUTES_MAX: Final = 2  # how often an authoriser may re-key another amount before the case is closed

Code = Literal["excluded_person", "not_open", "wrong_outcome"]


def completed(course: Course, result: WorkCompleted) -> Rejection | None:
    """Take a result in, or refuse it and ask for the item again."""
    order = course.case.open_items.get(result.work_item_id)
    if order is None:
        return not_open(course, result)
    doer = _doer(result)
    breach = guards.segregation_breach(course.case, order, doer, course.reference)
    breach = breach or guards.draft_breach(course.case, order, result.drafted_by)
    if breach is not None:
        _refuse(course, order, result, "excluded_person", breach)
        return None
    wrong = _wrong_outcome(course.case, order, result)
    if wrong is not None:
        _refuse(course, order, result, "wrong_outcome", wrong)
        return None
    _accept(course, order, result, doer)
    _EFFECTS[order.step](course, order, result.outcome, doer)
    return None


def not_open(course: Course, result: WorkCompleted) -> Rejection | None:
    """A result for an item that is not open: the one already answered is passed over, any other is refused."""
    if (result.work_item_id, result.command_id) in course.case.heard:
        return None
    return Rejection("not_open", f"Expected an open item, found {result.work_item_id} settled, cancelled or unknown")


def refused(result: WorkCompleted, code: Code, detail: str, now: datetime) -> ResultRefused:
    """The fact that a result does not count."""
    return ResultRefused(
        case_id=result.case_id,
        at=now,
        work_item_id=result.work_item_id,
        doer=_doer(result),
        code=code,
        detail=detail,
        command_id=result.command_id,
    )


def _doer(result: WorkCompleted) -> Doer:
    return Doer(operator_id=result.operator_id, team_id=result.team_id, provider_id=result.provider_id)


def _refuse(course: Course, order: WorkOrder, result: WorkCompleted, code: Code, detail: str) -> None:
    course.add(refused(result, code, detail, course.now))
    course.add(WorkSettled(work_item_id=order.work_item_id, case_id=order.case_id, outcome="refused"))
    excluded = (result.operator_id,) if code == "excluded_person" else ()
    course.ask(asked_again(course.case, order, course.now, excluded))


def _accept(course: Course, order: WorkOrder, result: WorkCompleted, doer: Doer) -> None:
    course.add(
        ResultAccepted(
            case_id=order.case_id,
            at=course.now,
            work_item_id=order.work_item_id,
            business_type=order.business_type,
            step=order.step,
            role=order.role,
            round=order.round,
            field=order.field,
            doer=doer,
            outcome=result.outcome,
            handle_seconds=result.handle_seconds,
            command_id=result.command_id,
            drafted_by=result.drafted_by,
        )
    )
    course.add(WorkSettled(work_item_id=order.work_item_id, case_id=order.case_id, outcome="accepted"))


def _wrong_outcome(case: Case, order: WorkOrder, result: WorkCompleted) -> str | None:
    """What is wrong with the outcome, or `None`."""
    fault, outcome = fault_of(order, result.outcome), result.outcome
    if fault is not None or not isinstance(outcome, ReviewVerdict):
        return fault
    unknown = [name for name in outcome.wrong_fields if name not in case.values]
    return f"Expected fields of the case, found {', '.join(unknown)}." if unknown else None


def _keyed(course: Course, order: WorkOrder, outcome: KeyedValue, doer: Doer) -> None:
    case, field = course.case, _field(course.case, order)
    values = tuple(entry.value for entry in case.entries[field.name])
    if len(values) < field.keyings:
        return
    currency = case.template.currency
    if all(same(field.form, values[0], other, currency) for other in values[1:]):
        value = tidy(field.form, values[0], currency)
        course.add(EntryMatched(case_id=case.case_id, at=course.now, field=field.name, value=value))
    else:
        course.add(EntryDiffered(case_id=case.case_id, at=course.now, field=field.name, values=values))


def _ruled(course: Course, order: WorkOrder, outcome: ArbitrationRuling, doer: Doer) -> None:
    case, field = course.case, _field(course.case, order)
    if outcome.unreadable or fault_of_value(wanted_of(case.template, field), outcome.value) is not None:
        code: CloseCode = "bad_amount" if field.form == "amount" else "unreadable_field"
        course.close(code, f"Expected {field.name} to be readable, found it ruled unreadable")
        return
    currency, finder = case.template.currency, case.disputes[field.name].finder
    right = tidy(field.form, outcome.value, currency)
    course.add(EntryArbitrated(case_id=case.case_id, at=course.now, field=field.name, value=right))
    for entry in case.entries[field.name]:
        if entry.work_item_id in case.faulted or same(field.form, entry.value, right, currency):
            continue
        course.add(
            KeyingErrorFound(
                case_id=case.case_id,
                at=course.now,
                work_item_id=entry.work_item_id,
                business_type=order.business_type,
                field=field.name,
                keyed=entry.value,
                right=right,
                doer=entry.doer,
                found_by=finder.value,
            )
        )


def _reviewed(course: Course, order: WorkOrder, outcome: ReviewVerdict, doer: Doer) -> None:
    case = course.case
    if outcome.passed:
        course.add(ReviewPassed(case_id=case.case_id, at=course.now, reviewer=doer))
        return
    wrong = tuple(dict.fromkeys(outcome.wrong_fields))
    course.add(
        ReviewFailed(case_id=case.case_id, at=course.now, reviewer=doer, wrong_fields=wrong, remark=outcome.remark)
    )
    if course.case.reviews_failed >= case.template.review_rounds_max:
        course.close("review_exhausted", f"Expected the case to pass within {case.template.review_rounds_max} reviews")


def _authorised(course: Course, order: WorkOrder, outcome: AuthorisationVerdict, doer: Doer) -> None:
    case = course.case
    if not outcome.granted:
        reason = outcome.remark or "no reason given"
        course.add(Refused(case_id=case.case_id, at=course.now, authoriser=doer, reason=reason))
        course.close("refused_by_authoriser", reason)
    elif order.rekey_amount and _rekeyed_otherwise(case, outcome):
        _dispute_amount(course, outcome)
    else:
        granted, needed = len(case.granted_teams) + 1, 0 if case.tier is None else case.tier.authorisers
        course.add(Authorised(case_id=case.case_id, at=course.now, authoriser=doer, granted=granted, needed=needed))


def _rekeyed_otherwise(case: Case, outcome: AuthorisationVerdict) -> bool:
    amount = None if case.tier is None else case.tier.amount
    if amount is None:
        return False
    return parse_amount(outcome.rekeyed_amount or "", amount.currency) != amount.amount_minor


def _dispute_amount(course: Course, outcome: AuthorisationVerdict) -> None:
    case, name = course.case, course.case.template.amount_field
    if name is None or case.rekey_disputes >= REKEY_DISPUTES_MAX:
        course.close("bad_amount", f"Expected authorisers to re-key the amount, found {outcome.rekeyed_amount!r} again")
        return
    course.add(
        EntryDiffered(
            case_id=case.case_id,
            at=course.now,
            field=name,
            values=(case.values[name], outcome.rekeyed_amount or ""),
            why="rekeyed_otherwise",
        )
    )


def _field(case: Case, order: WorkOrder) -> TemplateField:
    return next(field for field in case.template.fields if field.name == order.field)


_EFFECTS: Final[Mapping[Step, Callable[[Course, WorkOrder, Any, Doer], None]]] = {
    "entry": _keyed,
    "arbitration": _ruled,
    "review": _reviewed,
    "authorisation": _authorised,
}
