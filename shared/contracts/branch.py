"""What branch systems publish. Owner: the branches; read by intake."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Final, Literal

import orjson

from shared.contracts.message import DAY_MS, Identity, ImageReference, Instant, Message, Money, Topic

SUBMISSION: Final = Topic(
    "branch.submission.v1", "branch systems", "submission id", retention_ms=30 * DAY_MS, lanes=False
)


class SubmissionSent(Message):
    """A branch hands a scanned business document to the floor.

    Holds:   `signature` is Ed25519, base64, by the branch's registered key, over the document that is sent without its
             signature: JSON in UTF-8, keys sorted, no spaces, instants in UTC with a Z. What is left out is not signed.
    """

    topic: ClassVar[Topic] = SUBMISSION
    kind: Literal["branch.submission-sent.v1"] = "branch.submission-sent.v1"
    submission_id: Identity
    branch_id: Identity
    business_type: Identity
    captured_at: Instant
    images: tuple[ImageReference, ...]
    declared_amount: Money | None = None
    urgent: bool = False
    signature: str = ""

    @property
    def key(self) -> str:
        return self.submission_id

    def signing_bytes(self) -> bytes:
        """The canonical bytes that a branch signs: sorted JSON of everything that was sent but the signature.

        Why:     a field that this document leaves out, perhaps as it is younger than the branch's system, changes neither
                 the signature nor the content that a submission sent again is compared by.
        """
        sent = self.model_dump(mode="json", exclude={"signature"}, exclude_unset=True)
        return orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)

    @property
    def content_sha256(self) -> str:
        """What two submissions are compared by: the hash of everything that the branch signed."""
        return hashlib.sha256(self.signing_bytes()).hexdigest()

    @property
    def signature_sha256(self) -> str:
        """With the content's hash, which copy this is: the hash of the signature's text as it came."""
        return hashlib.sha256(self.signature.encode()).hexdigest()
