"""What audit publishes: requests for work, the life of every case, postings."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from shared.contracts.message import DAY_MS, Identity, Instant, Message, Money, Part, Region, Sha256, Step, Topic
from shared.contracts.reference import BusinessType
from shared.contracts.work import Outcome, WorkOrder

WORK: Final = Topic("audit.work.v1", "audit", "work item id")
CASE: Final = Topic("audit.case.v1", "audit", "case id", retention_ms=30 * DAY_MS)
POSTING: Final = Topic("audit.posting.v1", "audit", "case id", retention_ms=30 * DAY_MS)


class WorkRequested(Message):
    """The process needs this human task done."""

    topic: ClassVar[Topic] = WORK
    kind: Literal["audit.work-requested.v1"] = "audit.work-requested.v1"
    order: WorkOrder

    @property
    def key(self) -> str:
        return self.order.work_item_id


class WorkCancelled(Message):
    """The process no longer needs this task; wherever it lies it goes away."""

    topic: ClassVar[Topic] = WORK
    kind: Literal["audit.work-cancelled.v1"] = "audit.work-cancelled.v1"
    work_item_id: Identity
    case_id: Identity
    reason: str

    @property
    def key(self) -> str:
        return self.work_item_id


class WorkSettled(Message):
    """The process has taken, or refused, the one result of this task: nothing more will come of it."""

    topic: ClassVar[Topic] = WORK
    kind: Literal["audit.work-settled.v1"] = "audit.work-settled.v1"
    work_item_id: Identity
    case_id: Identity
    outcome: Literal["accepted", "refused"]

    @property
    def key(self) -> str:
        return self.work_item_id


class CaseFact(Message):
    """A fact in the life of one case."""

    topic: ClassVar[Topic] = CASE
    case_id: Identity
    at: Instant

    @property
    def key(self) -> str:
        return self.case_id


class Doer(Part):
    """Who did a piece of work, and for whom."""

    operator_id: Identity
    team_id: Identity
    provider_id: Identity


class CaseStarted(CaseFact):
    """Controls took the case up under one version of its process template, which travels along by value."""

    kind: Literal["audit.case-started.v1"] = "audit.case-started.v1"
    submission_id: Identity
    branch_id: Identity
    business_type: Identity
    template_version: int
    received_at: Instant
    due_at: Instant
    template: BusinessType | None = None
    images: tuple[Sha256, ...] = ()
    declared_amount: Money | None = None
    urgent: bool = False
    traceparent: str = ""  # the W3C trace context that the case came with
    captured_at: Instant | None = None  # when the branch scanned it, by the branch's clock


class ResultAccepted(CaseFact):
    """A result of a person who was allowed to give it now counts."""

    kind: Literal["audit.result-accepted.v1"] = "audit.result-accepted.v1"
    work_item_id: Identity
    business_type: Identity
    step: Step
    role: Identity
    round: int
    field: Identity | None
    doer: Doer
    outcome: Outcome
    handle_seconds: float
    command_id: Identity | None = None
    drafted_by: tuple[Identity, ...] = ()  # who began it; the result, and any error in it, is the doer's


class ResultRefused(CaseFact):
    """A result does not count: the person was excluded, or the task was not open."""

    kind: Literal["audit.result-refused.v1"] = "audit.result-refused.v1"
    work_item_id: Identity
    doer: Doer
    code: Literal["excluded_person", "not_open", "wrong_outcome"]
    detail: str
    command_id: Identity | None = None


class EntryMatched(CaseFact):
    """All keyings of a field agree (or it is keyed once): the value stands."""

    kind: Literal["audit.entry-matched.v1"] = "audit.entry-matched.v1"
    field: Identity
    value: str


class EntryDiffered(CaseFact):
    """Values of a field disagree, or the one that stood cannot be used: an arbitrator will rule."""

    kind: Literal["audit.entry-differed.v1"] = "audit.entry-differed.v1"
    field: Identity
    values: tuple[str, ...]
    why: Literal["keyings_differ", "unreadable_amount", "blank", "rekeyed_otherwise"] = "keyings_differ"


class EntryArbitrated(CaseFact):
    """The arbitrator's value stands."""

    kind: Literal["audit.entry-arbitrated.v1"] = "audit.entry-arbitrated.v1"
    field: Identity
    value: str


class KeyingErrorFound(CaseFact):
    """A value somebody keyed turned out wrong. Attributed to who keyed it."""

    kind: Literal["audit.keying-error-found.v1"] = "audit.keying-error-found.v1"
    work_item_id: Identity
    business_type: Identity
    field: Identity
    keyed: str
    right: str
    doer: Doer
    found_by: Literal["arbitration", "review"]


class ReviewPassed(CaseFact):
    """The reviewer found the case to agree with its images."""

    kind: Literal["audit.review-passed.v1"] = "audit.review-passed.v1"
    reviewer: Doer


class ReviewFailed(CaseFact):
    """The reviewer disputes fields: they are ruled on again and the case is reviewed by somebody else."""

    kind: Literal["audit.review-failed.v1"] = "audit.review-failed.v1"
    reviewer: Doer
    wrong_fields: tuple[Identity, ...]
    remark: str


class TierApplied(CaseFact):
    """The amount chose how many authorisers the case needs."""

    kind: Literal["audit.tier-applied.v1"] = "audit.tier-applied.v1"
    amount: Money | None
    authorisers: int
    grade_min: int
    rekey_amount: bool
    distinct_teams: bool = False


class Authorised(CaseFact):
    """One authoriser granted the case."""

    kind: Literal["audit.authorised.v1"] = "audit.authorised.v1"
    authoriser: Doer
    granted: int
    needed: int


class Refused(CaseFact):
    """An authoriser refused the case."""

    kind: Literal["audit.refused.v1"] = "audit.refused.v1"
    authoriser: Doer
    reason: str


class CaseEnd(CaseFact):
    """What both ends of a case tell."""

    business_type: Identity
    branch_id: Identity
    submission_id: Identity
    received_at: Instant
    due_at: Instant
    on_time: bool
    captured_at: Instant | None = None  # when the branch scanned it, by the branch's clock


class KeyedEntry(Part):
    """An entry that counted in a case, for inspection and appraisal."""

    work_item_id: Identity
    field: Identity
    keying: int
    value: str
    doer: Doer
    slice: Region | None = None  # what the operator was shown; an inspector is shown the same


class CasePosted(CaseEnd):
    """End: the core bank booked the case."""

    kind: Literal["audit.case-posted.v1"] = "audit.case-posted.v1"
    posting_id: Identity
    core_reference: str
    amount: Money | None
    entries: tuple[KeyedEntry, ...] = ()
    touched: tuple[Identity, ...] = ()
    first_pass: bool | None = None  # nothing was ruled on, no review failed; none: told by an older version


class CaseClosed(CaseEnd):
    """End: the case was rejected, with the reason code."""

    kind: Literal["audit.case-closed.v1"] = "audit.case-closed.v1"
    code: Literal[
        "refused_by_authoriser",
        "refused_by_core",
        "review_exhausted",
        "unknown_business_type",
        "bad_amount",
        "unreadable_field",
        "image_missing",
    ]
    detail: str


class PostingAnswerRefused(CaseFact):
    """The core bank's answer contradicts what the case knows: nothing moves, somebody must look."""

    kind: Literal["audit.posting-answer-refused.v1"] = "audit.posting-answer-refused.v1"
    posting_id: Identity
    answer: Literal["confirmed", "failed"]
    code: Literal["not_requested", "other_posting", "contradiction"]
    detail: str


class PostingRequested(Message):
    """Asks the core bank to book a case. Sent once per case; `posting_id` is derived from the case."""

    topic: ClassVar[Topic] = POSTING
    kind: Literal["audit.posting-requested.v1"] = "audit.posting-requested.v1"
    posting_id: Identity
    case_id: Identity
    business_type: Identity
    branch_id: Identity
    amount: Money | None
    fields: dict[str, str]
    requested_at: Instant

    @property
    def key(self) -> str:
        return self.case_id
