"""What was handed in, who vouches for it, and which receipt each copy got: seen from outside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import UNAUTHENTIC, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import base64_bytes
from shared.contracts.reference import Branch

Receipt = SubmissionAccepted | SubmissionRejected


class CopyId(NamedTuple):
    """Which copy of a submission: two with the same hashes are one and the same."""

    content_sha256: str
    signature_sha256: str


@dataclass(slots=True)
class SubmissionSeen:
    """What was seen of one submission id."""

    copies: dict[CopyId, SubmissionSent] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)

    def ends(self) -> list[Receipt]:
        """The receipt that decided, as often as it was said; conflicts and refused copies do not count."""
        return [r for r in self.receipts if isinstance(r, SubmissionAccepted) or r.is_end]

    @property
    def end(self) -> Receipt | None:
        """The receipt that decided, if there is one."""
        return next(iter(self.ends()), None)

    def refusals(self) -> list[SubmissionRejected]:
        """The receipts of copies that the floor took for nobody's."""
        return [r for r in self.receipts if isinstance(r, SubmissionRejected) and r.code in UNAUTHENTIC]

    def answered(self, copy: CopyId, *, authentic: bool) -> bool:
        """Whether this copy has a receipt: one that knows its content, or the refusal of this very copy."""
        refusals = self.refusals()
        if not authentic:
            return copy in {_copy_of(refusal) for refusal in refusals}
        return any(r.content_sha256 == copy.content_sha256 for r in self.receipts if r not in refusals)


class HandedIn:
    """Every submission id that came, with its copies and receipts.

    Holds:   a copy is authentic when a key verifies it that its branch has, or once had, in the reference data: that is
             found out here, and not taken from anybody's receipt.
    """

    def __init__(self) -> None:
        self.seen: Final[dict[str, SubmissionSeen]] = defaultdict(SubmissionSeen)
        self._keys: Final[dict[str, set[str]]] = defaultdict(set)
        self._verified: Final[dict[tuple[str, CopyId], bool]] = {}

    def take(self, message: Branch | SubmissionSent | Receipt) -> None:
        """Take a branch's key, something handed in, or a receipt: in any order."""
        match message:
            case Branch():
                self._keys[message.id].add(message.public_key)
            case SubmissionSent():
                copy = CopyId(message.content_sha256, message.signature_sha256)
                self.seen[message.submission_id].copies[copy] = message
            case _:
                self.seen[message.submission_id].receipts.append(message)

    def ids(self) -> list[str]:
        """Every submission id that came."""
        return [submission_id for submission_id, seen in self.seen.items() if seen.copies]

    def rejection(self, submission_id: str) -> SubmissionRejected | None:
        """With what it ended at intake; of an id that only strangers named, the first refusal. None: it did not."""
        seen = self.seen[submission_id]
        if seen.end is not None:
            return seen.end if isinstance(seen.end, SubmissionRejected) else None
        refusals = seen.refusals()
        return refusals[0] if refusals and not self._vouched_for(seen) else None

    def broken(self, submission_id: str, *, opened: bool) -> Iterator[tuple[str, str]]:
        """Promise and detail of whatever went wrong at the door, of a floor that has come to rest."""
        seen = self.seen[submission_id]
        vouched_for = self._vouched_for(seen)
        contents = {copy.content_sha256 for copy in vouched_for}
        for refusal in seen.refusals():
            if _copy_of(refusal) in vouched_for:
                yield "vouched for", f"a copy of {submission_id} that is rightly signed was refused as {refusal.code}"
        if seen.end is not None and seen.end.content_sha256 not in contents:
            yield "vouched for", f"submission {submission_id} had its end by a copy that nobody vouches for"
        if opened and not contents:
            yield "vouched for", f"submission {submission_id} opened a case though nobody vouches for it"
        if contents and seen.end is None:
            yield "nothing lost", f"submission {submission_id} has no receipt"
        if any(receipt != seen.end for receipt in seen.ends()):
            yield "one end", f"submission {submission_id} has receipts that differ"
        for copy in seen.copies:
            owed = seen.end is not None or copy not in vouched_for
            if owed and not seen.answered(copy, authentic=copy in vouched_for):
                yield "nothing lost", f"a copy of {submission_id} has no receipt of its own"

    def _vouched_for(self, seen: SubmissionSeen) -> set[CopyId]:
        return {copy for copy, sent in seen.copies.items() if self._authentic(copy, sent)}

    def _authentic(self, copy: CopyId, sent: SubmissionSent) -> bool:
        return any(self._verifies(key, copy, sent) for key in self._keys.get(sent.branch_id, ()))

    def _verifies(self, key: str, copy: CopyId, sent: SubmissionSent) -> bool:
        known = self._verified.get((key, copy))
        if known is None:
            known = self._verified[(key, copy)] = _verified(key, sent)
        return known


def _copy_of(refusal: SubmissionRejected) -> CopyId:
    return CopyId(refusal.content_sha256, refusal.signature_sha256 or "")


def _verified(key: str, sent: SubmissionSent) -> bool:
    try:
        public = Ed25519PublicKey.from_public_bytes(base64_bytes(key))
        public.verify(base64_bytes(sent.signature), sent.signing_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True
