"""What intake publishes: receipts to the branches, cases to the floor."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from shared.contracts.message import DAY_MS, Identity, ImageReference, Instant, Message, Money, Part, Sha256, Topic

RECEIPT: Final = Topic("intake.receipt.v1", "intake", "branch id", retention_ms=30 * DAY_MS)
SENT_BACK: Final = Topic("intake.sent-back.v1", "intake", "always `floor`")
CASE: Final = Topic("intake.case.v1", "intake", "case id", retention_ms=30 * DAY_MS)

RejectionCode = Literal[
    "bad_signature",
    "unknown_branch",
    "unknown_business_type",
    "amount_unexpected",
    "amount_currency",
    "amount_invalid",
    "no_image",
    "too_many_images",
    "image_missing",
    "image_hash_mismatch",
    "image_type",
    "image_unreadable",
    "image_too_large",
    "image_too_many_pixels",
    "conflict",
    "do_locally",
]

UNAUTHENTIC: Final[frozenset[RejectionCode]] = frozenset({"unknown_branch", "bad_signature"})
"""Refusals of a copy that nobody vouches for. They answer that record alone: its submission id stays as it was."""


class SubmissionAccepted(Message):
    """The bank took the submission in and opened a case. Sent again, word for word, for the same content.

    Holds:   `signature_sha256` is of the signature's text, as it came with the copy that was taken in; receipts of earlier
             releases have none.
    """

    topic: ClassVar[Topic] = RECEIPT
    kind: Literal["intake.submission-accepted.v1"] = "intake.submission-accepted.v1"
    submission_id: Identity
    branch_id: Identity
    case_id: Identity
    content_sha256: Sha256
    signature_sha256: Sha256 | None = None
    received_at: Instant

    @property
    def key(self) -> str:
        return self.branch_id


class SubmissionRejected(Message):
    """The bank refused the submission. `conflict`: the id was already used for other content.

    Holds:   `unknown_branch` and `bad_signature` refuse one copy and leave the id free. Whoever may write the topic can send
             such a copy of anybody's submission: a branch takes one for its own only when `signature_sha256`, of the
             signature's text as it came, is that of the signature which it sent.
    """

    topic: ClassVar[Topic] = RECEIPT
    kind: Literal["intake.submission-rejected.v1"] = "intake.submission-rejected.v1"
    submission_id: Identity
    branch_id: Identity
    content_sha256: Sha256
    signature_sha256: Sha256 | None = None
    code: RejectionCode
    detail: str
    received_at: Instant
    reroute_id: Identity | None = None  # the order by which the branch must `do_locally`; of earlier releases none

    @property
    def key(self) -> str:
        return self.branch_id

    @property
    def is_end(self) -> bool:
        """Whether this is what became of the submission. The others leave what was, or is yet to be, its end as it is."""
        return self.code != "conflict" and self.code not in UNAUTHENTIC


class SubmissionSentBack(Message):
    """A reroute left a submission with its branch.

    Holds:   told once for each submission, with its first receipt and not when that is said again; all under one key, as
             whoever counts them by order keeps one book of orders.
    """

    topic: ClassVar[Topic] = SENT_BACK
    kind: Literal["intake.submission-sent-back.v1"] = "intake.submission-sent-back.v1"
    submission_id: Identity
    branch_id: Identity
    reroute_id: Identity
    received_at: Instant

    @property
    def key(self) -> str:
        return "floor"


class ImageSize(Part):
    """How large an image is, as intake measured it. Units: pixels."""

    image_sha256: Sha256
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]


class CaseOpened(Message):
    """One accepted submission is now a case of the floor.

    Holds:   told once; `again`, word for word but for that, whenever the branch sends the submission again: a reader that
             knows the case drops it, one whose record was lost takes it up.
    """

    topic: ClassVar[Topic] = CASE
    kind: Literal["intake.case-opened.v1"] = "intake.case-opened.v1"
    case_id: Identity
    submission_id: Identity
    branch_id: Identity
    business_type: Identity
    images: tuple[ImageReference, ...]
    declared_amount: Money | None = None
    urgent: bool = False
    captured_at: Instant
    received_at: Instant
    image_sizes: tuple[ImageSize, ...] = ()
    again: bool = False

    @property
    def key(self) -> str:
        return self.case_id
