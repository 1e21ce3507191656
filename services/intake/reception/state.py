"""What is remembered of a submission id for ever, and the one way it moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.contracts.intake import UNAUTHENTIC, RejectionCode, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import Message


class Phase(StrEnum):
    """NEW until an authentic copy is decided on; then what that was, for ever."""

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
    signature_sha256: str | None = None
    received_at: datetime | None = None
    case_id: str = ""
    code: RejectionCode | None = None
    detail: str = ""
    reroute_id: str | None = None


def apply(state: Submission, fact: Message) -> Submission:
    """Fold one fact. The first receipt of an authentic copy decides; one said again, a conflict, the refusal of a copy
    that nobody vouches for and what is told beside a receipt change nothing."""
    if state.phase is not Phase.NEW:
        return state
    match fact:
        case SubmissionAccepted():
            return replace(
                state,
                phase=Phase.ACCEPTED,
                branch_id=fact.branch_id,
                content_sha256=fact.content_sha256,
                signature_sha256=fact.signature_sha256,
                received_at=fact.received_at,
                case_id=fact.case_id,
            )
        case SubmissionRejected() if fact.code not in UNAUTHENTIC:
            return replace(
                state,
                phase=Phase.REJECTED,
                branch_id=fact.branch_id,
                content_sha256=fact.content_sha256,
                signature_sha256=fact.signature_sha256,
                received_at=fact.received_at,
                code=fact.code,
                detail=fact.detail,
                reroute_id=fact.reroute_id,
            )
        case _:
            return state
