"""What controls answers to every event in every phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from services.audit.controls import results
from services.audit.controls.course import Course, proceed
from services.audit.controls.due import due_at
from services.audit.controls.orders import cut, entry_order
from services.audit.controls.state import Case, Phase, answer_mark
from shared.contracts.audit import (
    CaseClosed,
    CasePosted,
    CaseStarted,
    PostingAnswerRefused,
)
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.contracts.intake import CaseOpened
from shared.contracts.message import Message
from shared.contracts.reference import BusinessType
from shared.contracts.routing import WorkCompleted
from shared.runtime.processor import Event, Facts, Rejection, Situation

Rule = Callable[[Course, Any], Rejection | None]
Answer = PostingConfirmed | PostingFailed


def _start(course: Course, opened: CaseOpened) -> None:
    template = course.reference.business_types.get(opened.business_type)
    if template is None:
        detail = f"Expected a business type of the reference data, found {opened.business_type}"
        course.add(_closed_unstarted(course, opened, detail))
        return
    course.add(_started(course, opened, template))
    regions = {field.name: region for field in template.fields if (region := cut(field.area, opened)) is not None}
    missing = [field for field in template.fields if field.name not in regions]
    if missing:
        label = missing[0].area.image
        course.close("image_missing", f"Expected a measured image with the label {label!r}, found none")
        return
    for field in template.fields:
        for keying in range(1, field.keyings + 1):
            course.ask(entry_order(course.case, field, keying, regions[field.name], course.now))


def _started(course: Course, opened: CaseOpened, template: BusinessType) -> CaseStarted:
    zone = course.reference.limits.time_zone
    return CaseStarted(
        case_id=opened.case_id,
        at=course.now,
        submission_id=opened.submission_id,
        branch_id=opened.branch_id,
        business_type=opened.business_type,
        template_version=template.version,
        received_at=opened.received_at,
        due_at=due_at(template, opened.received_at, opened.urgent, zone),
        template=template,
        images=tuple(image.sha256 for image in opened.images),
        declared_amount=opened.declared_amount,
        urgent=opened.urgent,
        traceparent=course.traceparent,
        captured_at=opened.captured_at,
    )


def _closed_unstarted(course: Course, opened: CaseOpened, detail: str) -> CaseClosed:
    # No template, so no service level: the case counts as due on receipt, and late.
    return CaseClosed(
        case_id=opened.case_id,
        at=course.now,
        business_type=opened.business_type,
        branch_id=opened.branch_id,
        submission_id=opened.submission_id,
        received_at=opened.received_at,
        due_at=opened.received_at,
        on_time=course.now <= opened.received_at,
        captured_at=opened.captured_at,
        code="unknown_business_type",
        detail=detail,
    )


def _answered(course: Course, answer: Answer) -> Rejection | None:
    if answer.posting_id != course.case.posting_id:
        return _refusal("other_posting", f"Expected posting {course.case.posting_id}, found {answer.posting_id}")
    if isinstance(answer, PostingFailed):
        course.close("refused_by_core", f"{answer.code}: {answer.detail}")
    else:
        course.add(_posted(course, answer))
    return None


def _posted(course: Course, answer: PostingConfirmed) -> CasePosted:
    case, started = course.case, course.case.started
    return CasePosted(
        case_id=case.case_id,
        at=course.now,
        business_type=started.business_type,
        branch_id=started.branch_id,
        submission_id=started.submission_id,
        received_at=started.received_at,
        due_at=started.due_at,
        on_time=answer.booked_at <= started.due_at,
        captured_at=started.captured_at,
        posting_id=answer.posting_id,
        core_reference=answer.core_reference,
        amount=None if case.tier is None else case.tier.amount,
        entries=tuple(entry for field in case.template.fields for entry in case.entries[field.name]),
        touched=tuple(sorted(case.roles)),
        first_pass=not (case.ruled_fields or case.reviews_failed or case.rekey_disputes),
    )


def _answered_too_early(course: Course, answer: Answer) -> Rejection:
    return _refusal("not_requested", f"Expected no answer before a posting is requested, found {answer.posting_id}")


def _answered_after_posting(course: Course, answer: Answer) -> Rejection | None:
    case = course.case
    if answer.posting_id != case.posting_id:
        return _refusal("other_posting", f"Expected posting {case.posting_id}, found {answer.posting_id}")
    if isinstance(answer, PostingConfirmed) and answer.core_reference == case.core_reference:
        return None
    found = answer.core_reference if isinstance(answer, PostingConfirmed) else f"failure {answer.code}"
    return _refusal("contradiction", f"Expected the posting booked as {case.core_reference}, found {found}")


def _answered_after_closing(course: Course, answer: Answer) -> Rejection | None:
    case = course.case
    if case.posting_id is None:
        return _answered_too_early(course, answer)
    if answer.posting_id != case.posting_id:
        return _refusal("other_posting", f"Expected posting {case.posting_id}, found {answer.posting_id}")
    if isinstance(answer, PostingFailed):
        return None
    return _refusal("contradiction", f"Expected the posting refused by the core, found {answer.core_reference}")


def _refusal(code: Literal["not_requested", "other_posting", "contradiction"], detail: str) -> Rejection:
    return Rejection(code, detail)


def _nothing(course: Course, event: Message) -> None:
    """The event changes nothing by itself: the case has heard it, or has no use for it."""


RULES: Final[Mapping[tuple[Phase, type[Message]], Rule]] = {
    (Phase.NEW, CaseOpened): _start,
    (Phase.NEW, WorkCompleted): results.not_open,
    (Phase.NEW, PostingConfirmed): _answered_too_early,
    (Phase.NEW, PostingFailed): _answered_too_early,
    (Phase.ENTERING, CaseOpened): _nothing,
    (Phase.ENTERING, WorkCompleted): results.completed,
    (Phase.ENTERING, PostingConfirmed): _answered_too_early,
    (Phase.ENTERING, PostingFailed): _answered_too_early,
    (Phase.REVIEWING, CaseOpened): _nothing,
    (Phase.REVIEWING, WorkCompleted): results.completed,
    (Phase.REVIEWING, PostingConfirmed): _answered_too_early,
    (Phase.REVIEWING, PostingFailed): _answered_too_early,
    (Phase.AUTHORISING, CaseOpened): _nothing,
    (Phase.AUTHORISING, WorkCompleted): results.completed,
    (Phase.AUTHORISING, PostingConfirmed): _answered_too_early,
    (Phase.AUTHORISING, PostingFailed): _answered_too_early,
    (Phase.POSTING, CaseOpened): _nothing,
    (Phase.POSTING, WorkCompleted): results.not_open,
    (Phase.POSTING, PostingConfirmed): _answered,
    (Phase.POSTING, PostingFailed): _answered,
    (Phase.POSTED, CaseOpened): _nothing,
    (Phase.POSTED, WorkCompleted): results.not_open,
    (Phase.POSTED, PostingConfirmed): _answered_after_posting,
    (Phase.POSTED, PostingFailed): _answered_after_posting,
    (Phase.CLOSED, CaseOpened): _nothing,
    (Phase.CLOSED, WorkCompleted): results.not_open,
    (Phase.CLOSED, PostingConfirmed): _answered_after_closing,
    (Phase.CLOSED, PostingFailed): _answered_after_closing,
}


def decide(case: Case, event: Event, situation: Situation) -> Facts | Rejection:
    """The facts that this event means for the case, or why it must not have any.

    Holds:   answers every event in every phase; whatever came, the case is asked at the end what it needs next.
    """
    rule = RULES.get((case.phase, type(event)))  # type: ignore[arg-type]  # a timer is in no rule: no alarms are set
    if rule is None:
        return ()
    course = Course(case, situation.now, situation.boards["reference"], situation.traceparent)
    refused = rule(course, event)
    if refused is not None:
        return refused
    proceed(course)
    return course.facts


def refuse(case: Case, event: Event, rejection: Rejection, situation: Situation) -> Facts:
    """The fact that tells a refusal. The same refused answer of the core bank is told once."""
    match event:
        case WorkCompleted():
            return (results.refused(event, "not_open", rejection.detail, situation.now),)
        case PostingConfirmed() | PostingFailed():
            return _answer_refused(case, event, rejection, situation)
        case _:
            return ()


def _answer_refused(case: Case, answer: Answer, rejection: Rejection, situation: Situation) -> Facts:
    fact = PostingAnswerRefused.model_validate(
        {
            "case_id": case.case_id,
            "at": situation.now,
            "posting_id": answer.posting_id,
            "answer": "confirmed" if isinstance(answer, PostingConfirmed) else "failed",
            "code": rejection.code,
            "detail": rejection.detail,
        }
    )
    return () if answer_mark(fact) in case.answers else (fact,)
