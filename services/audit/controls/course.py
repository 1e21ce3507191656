"""A decision in the making, and what a case needs next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from services.audit.controls import guards
from services.audit.controls.orders import arbitration_order, authorisation_order, review_order
from services.audit.controls.state import RUNNING, Case, apply
from services.audit.controls.tiers import amount_of, tier_for
from shared.contracts.audit import (
    CaseClosed,
    EntryDiffered,
    PostingRequested,
    TierApplied,
    WorkCancelled,
    WorkRequested,
)
from shared.contracts.message import Message
from shared.contracts.work import WorkOrder
from shared.outcomes import fault_of_value, wanted_of
from shared.reference.board import ReferenceView
from shared.runtime.processor import derived_id

CloseCode = Literal[
    "refused_by_authoriser",
    "refused_by_core",
    "review_exhausted",
    "unknown_business_type",
    "bad_amount",
    "unreadable_field",
    "image_missing",
]
Why = Literal["unreadable_amount", "blank"]


class Course:
    """The facts decided so far, and the case as it stands after them."""

    __slots__ = ("case", "facts", "now", "reference", "traceparent")

    def __init__(self, case: Case, now: datetime, reference: ReferenceView, traceparent: str) -> None:
        self.case = case
        self.facts: Final[list[Message]] = []
        self.now: Final = now
        self.reference: Final = reference
        self.traceparent: Final = traceparent  # of the event that is decided on

    def add(self, fact: Message) -> None:
        """Decide one more fact."""
        self.facts.append(fact)
        self.case = apply(self.case, fact)

    def ask(self, order: WorkOrder) -> None:
        """Request one human task."""
        self.add(WorkRequested(order=order))

    def close(self, code: CloseCode, detail: str) -> None:
        """End a running case without a posting; what is still open is cancelled."""
        case, started = self.case, self.case.started
        for work_item_id in case.open_items:
            self.add(WorkCancelled(work_item_id=work_item_id, case_id=case.case_id, reason=code))
        self.add(
            CaseClosed(
                case_id=case.case_id,
                at=self.now,
                business_type=started.business_type,
                branch_id=started.branch_id,
                submission_id=started.submission_id,
                received_at=started.received_at,
                due_at=started.due_at,
                on_time=self.now <= started.due_at,
                captured_at=started.captured_at,
                code=code,
                detail=detail,
            )
        )


def proceed(course: Course) -> None:
    """Ask for whatever the case needs next and has not been asked for. Nothing to ask: nothing happens."""
    if course.case.phase not in RUNNING:
        return
    _arbitrate(course)
    for need in _NEEDS:
        if course.case.open_items or need(course):
            return


def _arbitrate(course: Course) -> None:
    disputed = course.case.disputes
    if not disputed:
        return
    asked = {order.field for order in course.case.open_items.values() if order.step == "arbitration"}
    for name in disputed:
        if name not in asked:
            course.ask(arbitration_order(course.case, name, course.now))


def _readable(course: Course) -> bool:
    """A value that was keyed and cannot stand, as no amount or a blank, is ruled on."""
    case = course.case
    for field in case.template.fields:
        found = case.values[field.name]
        if fault_of_value(wanted_of(case.template, field), found) is not None:
            why: Why = "unreadable_amount" if field.form == "amount" else "blank"
            course.add(EntryDiffered(case_id=case.case_id, at=course.now, field=field.name, values=(found,), why=why))
    _arbitrate(course)
    return bool(course.case.disputes)


def _review(course: Course) -> bool:
    if course.case.reviewed or not course.case.template.review:
        return False
    course.ask(review_order(course.case, course.now))
    return True


def _tier(course: Course) -> bool:
    case = course.case
    if case.tier is None:
        amount = amount_of(case)
        tier = tier_for(case.template, None if amount is None else amount.amount_minor)
        course.add(
            TierApplied(
                case_id=case.case_id,
                at=course.now,
                amount=amount,
                authorisers=tier.authorisers,
                grade_min=tier.grade_min,
                distinct_teams=tier.distinct_teams,
                rekey_amount=tier.rekey_amount,
            )
        )
    return False


def _authorisation(course: Course) -> bool:
    tier = course.case.tier
    if tier is None or len(course.case.granted_teams) >= tier.authorisers:
        return False
    course.ask(authorisation_order(course.case, course.now))
    return True


def _posting(course: Course) -> bool:
    case, started = course.case, course.case.started
    if not guards.posting_due(case):
        return False
    course.add(
        PostingRequested(
            posting_id=derived_id("posting", case.case_id),
            case_id=case.case_id,
            business_type=started.business_type,
            branch_id=started.branch_id,
            amount=None if case.tier is None else case.tier.amount,
            fields=dict(case.values),
            requested_at=course.now,
        )
    )
    return True


_NEEDS: Final[tuple[Callable[[Course], bool], ...]] = (_readable, _review, _tier, _authorisation, _posting)
"""What a case needs, in order. Each answers whether the case now waits, or has ended."""
