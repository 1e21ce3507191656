"""What branch systems publish. Owner: the branches; read by intake."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Self

import orjson

from shared.contracts.message import DAY_MS, Identity, ImageReference, Instant, Message, Money, Topic

SUBMISSION: Final = Topic(
    "branch.submission.v1", "branch systems", "submission id", retention_ms=30 * DAY_MS, lanes=False
)


SORTED: Final = orjson.OPT_SORT_KEYS


class SubmissionSent(Message):
    """A branch hands a scanned business document to the floor.

    Holds:   `signature` is Ed25519, base64, by the branch's registered key, over the document as it is sent, without its
             signature: JSON in UTF-8, keys sorted, no spaces. How an instant is written, and what this contract does not
             know yet, is signed as it stands there; what is left out is not signed.
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

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **how: Any) -> Self:
        """As any body; what was signed is what came, not what is understood of it. Errors: `ValueError`, like any."""
        read = super().model_validate_json(json_data, **how)
        sent = orjson.loads(json_data)
        read.__dict__["signed"] = orjson.dumps({key: sent[key] for key in sent.keys() - {"signature"}}, option=SORTED)
        return read

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        return cls.model_validate_json(body)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As any; another content is no longer what came."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("signed", None)
        return copied

    @cached_property
    def signed(self) -> bytes:
        """The canonical bytes that a branch signs: sorted JSON of everything that is sent but the signature.

        Why:     a field that this document leaves out, perhaps as it is younger than the branch's system, changes neither
                 the signature nor the content that a submission sent again is compared by.
        """
        return orjson.dumps(self.model_dump(mode="json", exclude={"signature"}, exclude_unset=True), option=SORTED)

    @property
    def content_sha256(self) -> str:
        """What two submissions are compared by: the hash of everything that the branch signed."""
        return hashlib.sha256(self.signed).hexdigest()

    @property
    def signature_sha256(self) -> str:
        """With the content's hash, which copy this is: the hash of the signature's text as it came."""
        return hashlib.sha256(self.signature.encode()).hexdigest()
