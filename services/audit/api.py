"""HTTP face of controls: a case, and its whole life. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from services.audit.controls.state import Case, Phase
from services.audit.store import CaseReads, JournalEntry
from services.audit.timeline import NameOf, sentence
from shared.contracts.audit import CaseClosed, CasePosted, CaseStarted
from shared.contracts.message import Instant, Step
from shared.contracts.work import WorkOrder
from shared.http.problems import Problem, problem_responses
from shared.runtime.processor import derived_id

Id = Annotated[str, Path(min_length=1, max_length=128)]


class Answer(BaseModel):
    """What the case API answers with."""

    model_config = ConfigDict(frozen=True)


class TimelineEntry(Answer):
    """One fact: when, what kind, in a sentence, whole, and the event that it was decided on."""

    number: int
    at: Instant
    kind: str
    sentence: str
    body: dict[str, Any]
    cause: str


class OpenItem(Answer):
    """A task that the case waits for. Where it lies is routing's business: ask there by its id."""

    work_item_id: str
    step: Step
    role: str
    round: int
    field: str | None
    requested_at: Instant
    excluded_operators: tuple[str, ...]


class CaseAnswer(Answer):
    """A case: where it stands, what it waits for, and everything that happened to it.

    Holds:   `due_at` is `None` only before the case was taken up; `reason` is the code of a case closed unposted.
    """

    case_id: str
    phase: Phase
    submission_id: str
    branch_id: str | None
    business_type: str | None
    received_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    on_time: bool | None
    reason: str | None
    core_reference: str | None
    values: dict[str, str]
    open_items: tuple[OpenItem, ...]
    timeline: tuple[TimelineEntry, ...]


class CaseOfSubmission(Answer):
    """The case that a submission became."""

    submission_id: str
    case_id: str


def case_id_of(submission_id: str) -> str:
    """The case id that intake derives from a submission id. Callers check that the case names that submission."""
    return derived_id("case", submission_id)


def case_router(read: CaseReads, name_of: NameOf = str) -> APIRouter:
    """The case API. Who may use it is decided where it is mounted."""
    router = APIRouter(tags=["cases"])

    @router.get("/cases/{case_id}", summary="A case and its whole timeline", responses=problem_responses(404))
    async def case(case_id: Id) -> CaseAnswer:
        """The case by its own id; a submission's id is taken, too."""
        found = await read.case(case_id) or await _case_of_submission(read, case_id)
        if found is None:
            raise Problem(404, "unknown_case", f"Expected the id of a case or a submission, found {case_id}")
        if found.phase is Phase.NEW:
            came = "an answer of the core bank" if found.answers else "a result"
            detail = f"Expected a case that intake opened, found that nothing but {came} ever came under {case_id}"
            raise Problem(404, "never_opened", detail)
        return answer_of(found, await read.journal(found.case_id), name_of)

    @router.get("/submissions/{submission_id}", summary="The case of a submission", responses=problem_responses(404))
    async def submission(submission_id: Id) -> CaseOfSubmission:
        found = await _case_of_submission(read, submission_id)
        if found is None:
            detail = f"Expected a submission that became a case, found {submission_id}; see its receipt"
            raise Problem(404, "unknown_submission", detail)
        return CaseOfSubmission(submission_id=submission_id, case_id=found.case_id)

    return router


async def _case_of_submission(read: CaseReads, submission_id: str) -> Case | None:
    found = await read.case(case_id_of(submission_id))
    return found if found is not None and found.submission_id == submission_id else None


_BEGINNINGS: Final = frozenset({CaseStarted.kind_name(), CaseClosed.kind_name()})
_ENDS: Final = frozenset({CasePosted.kind_name(), CaseClosed.kind_name()})


def answer_of(case: Case, journal: Sequence[JournalEntry], name_of: NameOf) -> CaseAnswer:
    """The whole answer from the state and the journal of a case."""
    known = next((entry.body for entry in journal if entry.kind in _BEGINNINGS), {})
    end = next((entry for entry in journal if entry.kind in _ENDS), None)
    ended = {} if end is None else end.body
    return CaseAnswer.model_validate(
        {
            "case_id": case.case_id,
            "phase": case.phase,
            "submission_id": case.submission_id,
            **{name: known.get(name) for name in ("branch_id", "business_type", "received_at", "due_at")},
            "ended_at": None if end is None else end.at,
            "on_time": ended.get("on_time"),
            "reason": ended.get("code"),
            "core_reference": case.core_reference or ended.get("core_reference"),
            "values": _values(journal),
            "open_items": tuple(_open_item(order) for order in case.open_items.values()),
            "timeline": tuple(_timeline_entry(entry, name_of) for entry in journal),
        }
    )


def _values(journal: Sequence[JournalEntry]) -> dict[str, str]:
    """The last value that stood for each field, also of a case that has ended."""
    stood = (entry.body for entry in journal if entry.kind in ("audit.entry-matched.v1", "audit.entry-arbitrated.v1"))
    return {str(body["field"]): str(body["value"]) for body in stood}


def _open_item(order: WorkOrder) -> OpenItem:
    return OpenItem.model_validate(order, from_attributes=True)


def _timeline_entry(entry: JournalEntry, name_of: NameOf) -> TimelineEntry:
    return TimelineEntry(
        number=entry.number,
        at=entry.at,
        kind=entry.kind,
        sentence=sentence(entry.kind, entry.body, name_of),
        body=dict(entry.body),
        cause=entry.cause,
    )
