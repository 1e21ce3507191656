"""What a branch system does: building and signing a submission, and knowing its receipt."""

from __future__ import annotations

import base64
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import UNAUTHENTIC, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import ImageReference, Money


def build_submission(
    *,
    submission_id: str,
    branch_id: str,
    business_type: str,
    images: tuple[ImageReference, ...],
    key: Ed25519PrivateKey,
    captured_at: datetime,
    declared_amount: Money | None = None,
    urgent: bool = False,
) -> SubmissionSent:
    """A submission signed by the branch's key over its canonical bytes."""
    unsigned = SubmissionSent(
        submission_id=submission_id,
        branch_id=branch_id,
        business_type=business_type,
        captured_at=captured_at,
        images=images,
        declared_amount=declared_amount,
        urgent=urgent,
    )
    sent = SubmissionSent.model_validate_json(unsigned.model_dump_json())  # with the fields that nobody set
    signature = base64.b64encode(key.sign(sent.signing_bytes())).decode()
    return sent.model_copy(update={"signature": signature})


def answers(receipt: SubmissionAccepted | SubmissionRejected, sent: SubmissionSent) -> bool:
    """Whether a receipt is for what this branch sent: one for the same id may be for other content, or refuse a copy of
    the same content that somebody else made."""
    if (receipt.submission_id, receipt.content_sha256) != (sent.submission_id, sent.content_sha256):
        return False
    strangers = isinstance(receipt, SubmissionRejected) and receipt.code in UNAUTHENTIC
    return not strangers or receipt.signature_sha256 in (None, sent.signature_sha256)
