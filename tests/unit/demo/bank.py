"""What the tests of the demo's world share: the example bank, records as they lie on the bus, a publisher that notes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.demo.auditor import Auditor
from services.intake.submit import build_submission
from shared.contracts import audit, branch, core, intake, routing
from shared.contracts.message import ImageReference, Message, Money
from shared.contracts.reference import Branch, BusinessType
from shared.contracts.work import KeyedValue, Outcome
from shared.reference import load
from shared.reference.keys import public_text
from shared.runtime.headers import Cause, headers_for, outside_headers, source_of
from shared.runtime.log import Record
from shared.runtime.processor import derived_id

REFERENCE: Final = Path(__file__).parents[3] / "deploy" / "reference"
NOON: Final = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HASH: Final = "a" * 64
AMOUNT: Final = Money(amount_minor=123_450, currency="CNY")
OWNERS: Final = {intake: "intake/reception", audit: "audit/controls", routing: "routing/desk"}


@cache
def templates() -> dict[str, BusinessType]:
    """The example bank's process templates."""
    return {entry.id: entry for entry in load(REFERENCE) if isinstance(entry, BusinessType)}


@dataclass
class Notebook:
    """A publisher that writes down what it is given."""

    published: list[tuple[Message, str]] = field(default_factory=list)

    async def publish(self, message: Message, event_id: str) -> None:
        """Note it."""
        self.published.append((message, event_id))

    def of(self, contract: type[Message]) -> list[Message]:
        """The messages of one contract."""
        return [message for message, _ in self.published if isinstance(message, contract)]


@dataclass
class Bus:
    """Writes messages as they lie on the bus: the floor's with dense lanes, outside ones without. The branch is registered."""

    auditor: Auditor = field(default_factory=Auditor)
    lanes: Counter[str] = field(default_factory=Counter)
    last: Record | None = None

    def __post_init__(self) -> None:
        self.outside(Branch(id="branch-01", label="One", public_key=public_text(KEY)))

    def outside(self, message: Message) -> None:
        """A record of a branch or of the core bank."""
        self._put(message, outside_headers(message, "/world", f"{message.key}/{sum(self.lanes.values())}", NOON))

    def floor(self, message: Message, *, skip: int = 0) -> None:
        """A fact of the floor; with `skip` its lane jumps."""
        self.lanes[message.topic.name] += 1 + skip
        source = source_of("floor", message.topic.owner, 0).encode()
        number = self.lanes[message.topic.name]
        headers = headers_for(
            message, b"id-%d" % number, source, number, b"2026-03-02T04:00:00+00:00", Cause("", "", "")
        )
        self._put(message, headers)

    def again(self) -> None:
        """The last record once more, as after a lost acknowledgement."""
        assert self.last is not None
        self.auditor.take(self.last)

    def _put(self, message: Message, headers: tuple[tuple[str, bytes], ...]) -> None:
        body = message.model_dump_json().encode()
        self.last = Record(message.topic.name, 0, 0, message.key.encode(), body, headers, 0)
        self.auditor.take(self.last)


# ------------------------------------------------------------------- one case


@cache
def sent(submission_id: str = "s1", urgent: bool = False) -> branch.SubmissionSent:
    """A branch's submission, rightly signed."""
    return build_submission(
        submission_id=submission_id,
        branch_id="branch-01",
        business_type="corporate-transfer",
        captured_at=NOON,
        images=(ImageReference(sha256=HASH, media_type="image/png", size_bytes=9),),
        declared_amount=AMOUNT,
        urgent=urgent,
        key=KEY,
    )


def unsigned(submission_id: str = "s1") -> branch.SubmissionSent:
    """A stranger's copy of it."""
    return sent(submission_id).model_copy(update={"signature": ""})


def accepted(submission_id: str = "s1") -> intake.SubmissionAccepted:
    """The receipt that it was taken in."""
    return intake.SubmissionAccepted(
        submission_id=submission_id,
        branch_id="branch-01",
        case_id=case_of(submission_id),
        content_sha256=sent(submission_id).content_sha256,
        signature_sha256=sent(submission_id).signature_sha256,
        received_at=NOON,
    )


def rejected(
    submission_id: str = "s1",
    code: intake.RejectionCode = "image_missing",
    copy: branch.SubmissionSent | None = None,
) -> intake.SubmissionRejected:
    """The receipt that it, or another copy of it, was not."""
    refused = copy or sent(submission_id)
    return intake.SubmissionRejected(
        submission_id=submission_id,
        branch_id="branch-01",
        content_sha256=refused.content_sha256,
        signature_sha256=refused.signature_sha256,
        code=code,
        detail="Expected better",
        received_at=NOON,
    )


def case_of(submission_id: str = "s1") -> str:
    """The case's id."""
    return derived_id("case", submission_id)


def opened(submission_id: str = "s1", case_id: str | None = None) -> intake.CaseOpened:
    """The case of it."""
    return intake.CaseOpened(
        case_id=case_id or case_of(submission_id),
        submission_id=submission_id,
        branch_id="branch-01",
        business_type="corporate-transfer",
        images=(),
        captured_at=NOON,
        received_at=NOON,
    )


def requested(submission_id: str = "s1", posting_id: str = "p1") -> audit.PostingRequested:
    """The floor asks the core bank to book it."""
    return audit.PostingRequested(
        posting_id=posting_id,
        case_id=case_of(submission_id),
        business_type="corporate-transfer",
        branch_id="branch-01",
        amount=AMOUNT,
        fields={"amount": "1234.50", "payee-name": "Lotus Med"},
        requested_at=NOON,
    )


def confirmed(submission_id: str = "s1", posting_id: str = "p1", reference: str = "CB-1") -> core.PostingConfirmed:
    """The core bank booked it."""
    return core.PostingConfirmed(
        posting_id=posting_id, case_id=case_of(submission_id), core_reference=reference, booked_at=NOON
    )


def posted(
    submission_id: str = "s1", posting_id: str = "p1", amount: Money = AMOUNT, minutes: float = 10, on_time: bool = True
) -> audit.CasePosted:
    """The case's good end."""
    return audit.CasePosted(
        case_id=case_of(submission_id),
        at=NOON + timedelta(minutes=minutes),
        business_type="corporate-transfer",
        branch_id="branch-01",
        submission_id=submission_id,
        received_at=NOON,
        due_at=NOON + timedelta(minutes=20),
        on_time=on_time,
        posting_id=posting_id,
        core_reference="CB-1",
        amount=amount,
    )


def closed(submission_id: str = "s1") -> audit.CaseClosed:
    """The case's other end."""
    return audit.CaseClosed(
        case_id=case_of(submission_id),
        at=NOON,
        business_type="corporate-transfer",
        branch_id="branch-01",
        submission_id=submission_id,
        received_at=NOON,
        due_at=NOON,
        on_time=True,
        code="refused_by_authoriser",
        detail="limit",
    )


def took_part(operator_id: str, role: str, item: str, submission_id: str = "s1") -> audit.ResultAccepted:
    """A result that counted."""
    outcome: Outcome = KeyedValue(value="1234.50")
    return audit.ResultAccepted(
        case_id=case_of(submission_id),
        at=NOON,
        work_item_id=item,
        business_type="corporate-transfer",
        step="entry",
        role=role,
        round=1,
        field="amount",
        doer=audit.Doer(operator_id=operator_id, team_id="north-entry", provider_id="house"),
        outcome=outcome,
        handle_seconds=30,
    )


def whole_case(bus: Bus, submission_id: str = "s1", posting_id: str = "p1", reference: str = "CB-1") -> None:
    """From the branch to the core bank and back."""
    bus.outside(sent(submission_id))
    bus.floor(accepted(submission_id))
    bus.floor(opened(submission_id))
    bus.floor(took_part("anna", "entry-1", f"{submission_id}/1", submission_id))
    bus.floor(took_part("ben", "review", f"{submission_id}/2", submission_id))
    bus.floor(requested(submission_id, posting_id))
    bus.outside(confirmed(submission_id, posting_id, reference))
    bus.floor(posted(submission_id, posting_id))
