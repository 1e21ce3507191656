"""HTTP face of reception: what became of a submission at the door. Reads only."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict

from services.intake.reception.state import Phase, Submission
from services.intake.store import SubmissionReads
from shared.contracts.intake import RejectionCode
from shared.contracts.message import Instant
from shared.http.problems import Problem, problem_responses

Id = Annotated[str, Path(min_length=1, max_length=128)]


class ReceiptAnswer(BaseModel):
    """The receipt that stands for a submission, as the branch had it.

    Holds:   `case_id` of an accepted one; `code` and `detail` of a rejected one, `reroute_id` of one that a reroute left
             with its branch. Refusals that decide nothing are not kept: conflicts, and copies that nobody vouches for.
    """

    model_config = ConfigDict(frozen=True)

    submission_id: str
    branch_id: str
    outcome: Literal["accepted", "rejected"]
    received_at: Instant
    case_id: str | None
    code: RejectionCode | None
    detail: str
    content_sha256: str
    reroute_id: str | None


def submission_router(read: SubmissionReads) -> APIRouter:
    """The receipts. Who may use it is decided where it is mounted."""
    router = APIRouter(tags=["submissions"])

    @router.get("/submissions/{submission_id}", summary="The receipt of a submission", responses=problem_responses(404))
    async def submission(submission_id: Id) -> ReceiptAnswer:
        found = await read.submission(submission_id)
        if found is None or found.phase not in OUTCOMES:
            detail = (
                f"Expected the id of a submission that its branch signed, found {submission_id}: check the id; a copy that "
                "nobody vouched for is in intake's log alone"
            )
            raise Problem(404, "unknown_submission", detail)
        return answer_of(found)

    return router


OUTCOMES: Final = {Phase.ACCEPTED: "accepted", Phase.REJECTED: "rejected"}


def answer_of(submission: Submission) -> ReceiptAnswer:
    """The receipt of a submission that is decided on."""
    return ReceiptAnswer.model_validate(
        {
            "submission_id": submission.submission_id,
            "branch_id": submission.branch_id,
            "outcome": OUTCOMES[submission.phase],
            "received_at": submission.received_at,
            "case_id": submission.case_id or None,
            "code": submission.code,
            "detail": submission.detail,
            "content_sha256": submission.content_sha256,
            "reroute_id": submission.reroute_id,
        }
    )
