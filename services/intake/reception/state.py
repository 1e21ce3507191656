"""What is remembered of a submission id for ever, and the one way it moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.contracts.intake import RejectionCode, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import Message


class Phase(StrEnum):
    """NEW until the first decision; then what it was, for ever."""

    NEW = "new"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Submission:
    """What is remembered of a submission id. Holds: enough to say the first receipt again word for word."""

    submission_id: str
    phase: Phase = Phase.NEW
    branch_id: str = ""
    content_sha256: str = ""
    received_at: datetime | None = None
    case_id: str = ""
    code: RejectionCode | None = None
    detail: str = ""


def apply(state: Submission, fact: Message) -> Submission:
    """Fold one fact. The first receipt decides; a receipt said again and a conflict change nothing."""
    if state.phase is not Phase.NEW:
        return state
    match fact:
        case SubmissionAccepted():
            return replace(
                state,
                phase=Phase.ACCEPTED,
                branch_id=fact.branch_id,
                content_sha256=fact.content_sha256,
                received_at=fact.received_at,
                case_id=fact.case_id,
            )
        case SubmissionRejected():
            return replace(
                state,
                phase=Phase.REJECTED,
                branch_id=fact.branch_id,
                content_sha256=fact.content_sha256,
                received_at=fact.received_at,
                code=fact.code,
                detail=fact.detail,
            )
        case _:
            return state
