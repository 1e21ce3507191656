"""What the core bank's adapter answers."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from shared.contracts.message import DAY_MS, Identity, Instant, Message, Topic

POSTING: Final = Topic("core.posting.v1", "core adapter", "case id", retention_ms=30 * DAY_MS, lanes=False)


class PostingConfirmed(Message):
    """The core bank booked the posting. May arrive more than once."""

    topic: ClassVar[Topic] = POSTING
    kind: Literal["core.posting-confirmed.v1"] = "core.posting-confirmed.v1"
    posting_id: Identity
    case_id: Identity
    core_reference: str
    booked_at: Instant

    @property
    def key(self) -> str:
        return self.case_id


class PostingFailed(Message):
    """The core bank refused the posting for good."""

    topic: ClassVar[Topic] = POSTING
    kind: Literal["core.posting-failed.v1"] = "core.posting-failed.v1"
    posting_id: Identity
    case_id: Identity
    code: str
    detail: str
    failed_at: Instant

    @property
    def key(self) -> str:
        return self.case_id
