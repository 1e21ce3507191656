"""What happens to a case: keying is judged, a sample is drawn, inspections are asked for and compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal

from services.vendor.supervision.reference import (
    UNREGISTERED_DATA_CLASS,
    field_of,
    form_of,
    inspected_share,
    inspection_seconds,
    reference_of,
)
from services.vendor.supervision.state import Case, Inspection, mark
from shared.contracts.audit import CasePosted, Doer, KeyedEntry, KeyingErrorFound, ResultAccepted
from shared.contracts.message import Message
from shared.contracts.routing import WorkCompleted
from shared.contracts.vendor import (
    CaseAppraised,
    DrawnEntry,
    InspectionRequested,
    InspectionSettled,
    KeyingJudged,
    SampleDrawn,
)
from shared.contracts.work import InspectionVerdict, ShownField, WorkOrder
from shared.keyed_values import same
from shared.outcomes import fault_of, wanted_of
from shared.runtime.processor import Rejection, Situation, derived_id

INSPECTION_DUE: Final = timedelta(days=1)
ROUNDS_MAX: Final = 10  # askings of one inspection; only a router that ignores exclusions comes so far

FoundBy = Literal["none", "arbitration", "review", "inspection"]
Answer = Sequence[Message] | Rejection


def judge_keying(case: Case, event: ResultAccepted, situation: Situation) -> Answer:
    """An accepted entry counts once for its operator and once for its provider."""
    if event.step != "entry":
        return ()
    return _judged(case, event.work_item_id, event.business_type, event.doer, "none", event.at)


def judge_error(case: Case, event: KeyingErrorFound, situation: Situation) -> Answer:
    """An error found later counts against whoever keyed it."""
    return _judged(case, event.work_item_id, event.business_type, event.doer, event.found_by, event.at)


def _judged(
    case: Case, work_item_id: str, business_type: str, doer: Doer, found_by: FoundBy, at: datetime
) -> list[Message]:
    if mark(work_item_id, found_by) in case.judged:
        return []
    subjects: tuple[tuple[Literal["operator", "provider"], str], ...] = (
        ("operator", doer.operator_id),
        ("provider", doer.provider_id),
    )
    return [
        KeyingJudged(
            subject=subject,
            subject_id=subject_id,
            operator_id=doer.operator_id,
            provider_id=doer.provider_id,
            team_id=doer.team_id,
            work_item_id=work_item_id,
            case_id=case.case_id,
            work_type=f"{business_type}/entry",
            what="keyed" if found_by == "none" else "error",
            found_by=found_by,
            at=at,
        )
        for subject, subject_id in subjects
    ]


def draw_of(work_item_id: str) -> float:
    """Where the entry falls in the draw: a number in [0, 1) that follows from its id alone."""
    return int.from_bytes(blake2b(work_item_id.encode(), digest_size=6).digest(), "big") / 2**48


def draw_sample(case: Case, event: CasePosted, situation: Situation) -> Answer:
    """A posted case is drawn from: each entry whose draw lies below its share is inspected."""
    drawn = tuple(_drawn(entry, event.business_type, situation) for entry in event.entries)
    excluded = tuple(sorted({*event.touched, *(entry.doer.operator_id for entry in event.entries)}))
    facts: list[Message] = [SampleDrawn(case_id=case.case_id, drawn=drawn, at=situation.now)]
    for chosen in drawn:
        if chosen.sampled:
            facts += _ask_first(chosen, event, excluded, situation)
    return facts


def draw_nothing(case: Case, event: CasePosted, situation: Situation) -> Answer:
    """The sample is drawn once per case."""
    return ()


def _drawn(entry: KeyedEntry, business_type: str, situation: Situation) -> DrawnEntry:
    draw = draw_of(entry.work_item_id)
    share = inspected_share(situation, business_type, entry.doer.operator_id, entry.doer.provider_id)
    return DrawnEntry(entry=entry, draw=draw, share=share, sampled=draw < share)


def _inspection_id(entry_id: str, round_number: int) -> str:
    return derived_id("inspection", entry_id, str(round_number))


def _ask_first(drawn: DrawnEntry, event: CasePosted, excluded: tuple[str, ...], situation: Situation) -> list[Message]:
    entry = drawn.entry
    inspection_id = _inspection_id(entry.work_item_id, 1)
    if entry.slice is None:
        detail = f"Expected the slice that {entry.field} was keyed from, found none: the entry cannot be inspected"
        return [_appraised(event.case_id, entry, inspection_id, "refused", detail, situation)]
    detail = f"Drawn {drawn.draw:.4f} below the inspected share {drawn.share:.4f}"
    return [
        _appraised(event.case_id, entry, inspection_id, "sampled", detail, situation),
        InspectionRequested(order=_order(entry, event, excluded, situation)),
    ]


def _order(entry: KeyedEntry, event: CasePosted, excluded: tuple[str, ...], situation: Situation) -> WorkOrder:
    reference = reference_of(situation)
    field = field_of(reference, event.business_type, entry.field)
    return WorkOrder(
        work_item_id=_inspection_id(entry.work_item_id, 1),
        case_id=event.case_id,
        business_type=event.business_type,
        step="inspection",
        role="inspection",
        field=entry.field,
        slice=entry.slice,
        shown=(ShownField(name=entry.field, label=entry.field if field is None else field.label),),
        wanted=None if field is None else wanted_of(reference.business_types[event.business_type], field),
        data_class=UNREGISTERED_DATA_CLASS if field is None else field.data_class,
        in_house_only=True,
        excluded_operators=excluded,
        branch_id=event.branch_id,
        standard_seconds=inspection_seconds(reference, event.business_type),
        requested_at=situation.now,
        due_at=situation.now + INSPECTION_DUE,
        traceparent=situation.traceparent,
    )


def _appraised(
    case_id: str,
    entry: KeyedEntry,
    inspection_id: str,
    verdict: Literal["sampled", "right", "wrong", "refused"],
    detail: str,
    situation: Situation,
) -> CaseAppraised:
    return CaseAppraised(
        case_id=case_id,
        work_item_id=entry.work_item_id,
        inspection_id=inspection_id,
        verdict=verdict,
        detail=detail,
        at=situation.now,
    )


def take_result(case: Case, event: WorkCompleted, situation: Situation) -> Answer:
    """An inspector's reading settles the inspection, when the person was allowed to give it."""
    if event.work_item_id in case.settled:
        return ()
    inspection = case.waiting(event.work_item_id)
    if inspection is None or inspection.order is None:
        return Rejection("unknown_inspection", f"Expected an inspection that waits, found {event.work_item_id}")
    barred = why_barred(event, inspection.order, situation)
    if barred is not None:
        return _ask_again(case, inspection, inspection.order, barred, situation)
    fault = fault_of(inspection.order, event.outcome)
    if fault is not None or not isinstance(event.outcome, InspectionVerdict):
        return _ask_again(case, inspection, inspection.order, fault or "", situation)
    return _settle(case, inspection, inspection.order, event.outcome.value, situation)


def why_barred(event: WorkCompleted, order: WorkOrder, situation: Situation) -> str | None:
    """Why this person's result does not count, or `None`. Whoever is not registered is barred."""
    reference = reference_of(situation)
    provider = reference.providers.get(event.provider_id)
    operator = reference.operators.get(event.operator_id)
    if event.operator_id in order.excluded_operators:
        return f"Expected an inspector who had not touched the case, found {event.operator_id}"
    if provider is None or provider.outside:
        return f"Expected an inspector of the bank's own, found {event.operator_id} of {event.provider_id}"
    if operator is None or operator.branch_id == order.branch_id:
        return f"Expected a registered inspector of another branch, found {event.operator_id}"
    return None


def _ask_again(
    case: Case, inspection: Inspection, order: WorkOrder, detail: str, situation: Situation
) -> list[Message]:
    entry, round_number = inspection.entry, order.round + 1
    facts: list[Message] = [
        _appraised(case.case_id, entry, order.work_item_id, "refused", detail, situation),
        InspectionSettled(work_item_id=order.work_item_id, case_id=case.case_id),
    ]
    if round_number > ROUNDS_MAX:
        return facts
    again = order.model_copy(
        update={
            "work_item_id": _inspection_id(entry.work_item_id, round_number),
            "round": round_number,
            "requested_at": situation.now,
            "due_at": situation.now + INSPECTION_DUE,
        }
    )
    detail = f"Asked for again, round {round_number}"
    return [
        *facts,
        _appraised(case.case_id, entry, again.work_item_id, "sampled", detail, situation),
        InspectionRequested(order=again),
    ]


def _settle(case: Case, inspection: Inspection, order: WorkOrder, value: str, situation: Situation) -> list[Message]:
    entry = inspection.entry
    form, currency = form_of(reference_of(situation), order.business_type, entry.field)
    right = same(form, entry.value, value, currency)
    detail = f"The inspector read {'the same' if right else f'{value!r}, keyed was {entry.value!r}'}"
    verdict: Literal["right", "wrong"] = "right" if right else "wrong"
    facts: list[Message] = [
        _appraised(case.case_id, entry, order.work_item_id, verdict, detail, situation),
        InspectionSettled(work_item_id=order.work_item_id, case_id=case.case_id),
    ]
    if right:
        return facts
    error = _judged(case, entry.work_item_id, order.business_type, entry.doer, "inspection", situation.now)
    return [*facts, *error]


def refuse_result(case: Case, event: WorkCompleted, rejection: Rejection, situation: Situation) -> list[Message]:
    """A result that nobody asked for is recorded as refused and leaves routing."""
    return [
        CaseAppraised(
            case_id=event.case_id,
            work_item_id=event.work_item_id,
            inspection_id=event.work_item_id,
            verdict="refused",
            detail=rejection.detail,
            at=situation.now,
        ),
        InspectionSettled(work_item_id=event.work_item_id, case_id=event.case_id),
    ]
