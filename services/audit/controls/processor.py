"""The controls processor, as the runtime runs it."""

from __future__ import annotations

from typing import Final

from services.audit.controls.decide import decide, refuse
from services.audit.controls.state import Case, apply, empty
from shared.contracts import audit, core, intake, routing
from shared.contracts.message import Message
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.processor import DocumentTable, Processor

TABLE: Final = "controls_case"

TAKES: Final = frozenset(
    contract.kind_name()
    for contract in (intake.CaseOpened, routing.WorkCompleted, core.PostingConfirmed, core.PostingFailed)
)


def case_of(event: Message) -> str | None:
    """The case that an event belongs to. Results of inspections are supervision's business."""
    match event:
        case routing.WorkCompleted():
            return None if event.step == "inspection" else event.case_id
        case intake.CaseOpened() | core.PostingConfirmed() | core.PostingFailed():
            return event.case_id
        case _:
            return None


def owner_of(fact: Message) -> str | None:
    """The case that a fact of controls is about."""
    match fact:
        case audit.WorkRequested():
            return fact.order.case_id
        case audit.CaseFact() | audit.WorkCancelled() | audit.WorkSettled() | audit.PostingRequested():
            return fact.case_id
        case _:
            return None


def trace(case: Case, fact: Message) -> str:
    """The trace that the case came with."""
    return "" if case.start is None else case.start.traceparent


def controls() -> Processor:
    """Runs every case through its process template and guards its rules."""
    return Processor(
        service="audit",
        name="controls",
        inputs=(intake.CASE, routing.RESULT, core.POSTING),
        outputs=(audit.WORK, audit.CASE, audit.POSTING),
        key=case_of,
        owner=owner_of,
        table=DocumentTable(TABLE, Case, empty),
        decide=decide,
        apply=apply,
        refuse=refuse,
        trace=trace,
        boards=(REFERENCE_BOARD,),
        journal=True,
        takes=TAKES,
    )
