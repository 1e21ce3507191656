"""Whether the bank takes a submission in. Pure: signature, reference data and image findings arrive as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.intake.reception.state import Phase, Submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import (
    CaseOpened,
    ImageSize,
    RejectionCode,
    SubmissionAccepted,
    SubmissionRejected,
    SubmissionSentBack,
)
from shared.contracts.message import Message, base64_bytes
from shared.contracts.reference import Branch
from shared.images.checks import ImageFacts, ImageFault
from shared.keyed_values import WHOLE_DIGITS_MAX, amount_text, parse_amount
from shared.reference.board import ReferenceView
from shared.reroutes import over_at, sent_back
from shared.runtime.errors import TransientError
from shared.runtime.processor import Facts, Rejection, Situation, TimerFired, derived_id

SIGNATURES_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True)
class LeftToBranch(Rejection):
    """A reroute leaves the submission with its branch."""

    reroute_id: str


Findings = Sequence[ImageFacts | ImageFault]
Rule = Callable[[Submission, SubmissionSent, Situation], Facts | Rejection]


def decide(state: Submission, event: SubmissionSent | TimerFired, situation: Situation) -> Facts | Rejection:
    """Refuse what nobody vouches for; then accept, reject, or say the first receipt again."""
    if isinstance(event, TimerFired):
        return ()  # reception sets no alarm
    stranger = None if vouched_for_before(state, event) else sender_fault(event, situation.boards["reference"])
    return stranger or RULES[(state.phase, type(event))](state, event, situation)


def vouched_for_before(state: Submission, event: SubmissionSent) -> bool:
    """Whether this very copy was authentic when it was decided on: it stays so when the branch's key is changed."""
    return (state.content_sha256, state.signature_sha256) == (event.content_sha256, event.signature_sha256)


def receive(state: Submission, event: SubmissionSent, situation: Situation) -> Facts | Rejection:
    """A new id: check what the submission is and its images, in this order."""
    view: ReferenceView = situation.boards["reference"]
    refusal = type_fault(event, view) or amount_fault(event, view) or local_order(event, situation)
    if refusal is None and not looked_at(event, situation.observed):
        raise TransientError(f"Expected the images of {event.submission_id} to be looked at: the reference data is new")
    refusal = refusal or image_fault(event, situation.observed)
    if refusal is not None:
        return replace(refusal, detail=f"{refusal.detail}; then send it under a new submission id")
    case_id = derived_id("case", event.submission_id)
    accepted = SubmissionAccepted(
        submission_id=event.submission_id,
        branch_id=event.branch_id,
        case_id=case_id,
        content_sha256=event.content_sha256,
        signature_sha256=event.signature_sha256,
        received_at=situation.now,
    )
    return (accepted, case_of(event, case_id, situation.now, situation.observed))


def case_of(
    event: SubmissionSent, case_id: str, received_at: datetime, findings: Findings, *, again: bool = False
) -> CaseOpened:
    """The case that the submission is. Holds: of the same submission it is the same, whenever it is told."""
    return CaseOpened(
        case_id=case_id,
        submission_id=event.submission_id,
        branch_id=event.branch_id,
        business_type=event.business_type,
        images=event.images,
        declared_amount=event.declared_amount,
        urgent=event.urgent,
        captured_at=event.captured_at,
        received_at=received_at,
        image_sizes=tuple(
            ImageSize(image_sha256=facts.sha256, width=facts.width, height=facts.height)
            for facts in findings
            if isinstance(facts, ImageFacts)
        ),
        again=again,
    )


def say_again(state: Submission, event: SubmissionSent, situation: Situation) -> Facts | Rejection:
    """A known id: the same content gets the same receipt, other content is a conflict and changes nothing.

    Holds:   an accepted one's case is told again, too, while its images are there: whoever lost the first record has it
             then, and everybody else drops it.
    """
    if event.content_sha256 != state.content_sha256:
        return Rejection(
            "conflict",
            f"Expected a new submission id: {event.submission_id} was already used for other content, received "
            f"{_at(state):%Y-%m-%d %H:%M:%S} UTC; send this one under an id of its own",
        )
    findings = situation.observed
    if state.phase is Phase.REJECTED or not looked_at(event, findings) or image_fault(event, findings) is not None:
        return (receipt_of(state),)
    return (receipt_of(state), case_of(event, state.case_id, _at(state), findings, again=True))


RULES: Final[Mapping[tuple[Phase, type[SubmissionSent]], Rule]] = {
    (Phase.NEW, SubmissionSent): receive,
    (Phase.ACCEPTED, SubmissionSent): say_again,
    (Phase.REJECTED, SubmissionSent): say_again,
}


def refused_unseen(event: SubmissionSent, view: ReferenceView) -> bool:
    """Whether it is refused whatever its images are: then nobody looks at them, as decoding them costs the floor most."""
    return bool(sender_fault(event, view) or type_fault(event, view) or amount_fault(event, view))


def looked_at(event: SubmissionSent, findings: Findings) -> bool:
    """Whether every image was looked at, or one fault stands for all."""
    return len(findings) == len(event.images) or any(isinstance(finding, ImageFault) for finding in findings)


def sender_fault(event: SubmissionSent, view: ReferenceView) -> Rejection | None:
    """An unknown branch, or a signature that its key did not make. Holds: the id is not used up, so it may come again."""
    branch = view.branches.get(event.branch_id)
    if branch is None:
        return Rejection("unknown_branch", f"Expected a registered branch, found {event.branch_id!r}: register its key")
    if signed_by(branch, event):
        return None
    return Rejection("bad_signature", f"Expected a signature by the registered key of {event.branch_id}: sign it again")


def signed_by(branch: Branch, event: SubmissionSent) -> bool:
    """Whether the branch's registered key made the signature."""
    return _made_by(branch.public_key, event.signature, event.signed)


@lru_cache(SIGNATURES_KEPT)
def _made_by(public_key: str, signature: str, signed: bytes) -> bool:
    """Asked before images are looked at, and again when it is decided."""
    try:
        Ed25519PublicKey.from_public_bytes(base64_bytes(public_key)).verify(base64_bytes(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def type_fault(event: SubmissionSent, view: ReferenceView) -> Rejection | None:
    """A business type that has no process template."""
    if event.business_type in view.business_types:
        return None
    known = ", ".join(sorted(view.business_types))
    return Rejection(
        "unknown_business_type", f"Expected one of {known}, found {event.business_type!r}: name one of them"
    )


def amount_fault(event: SubmissionSent, view: ReferenceView) -> Rejection | None:
    """A declared amount that the business type has no field for, in another currency, or that nobody could key.

    Holds:   none declared is none to judge: the floor keys it from the document. It is whole in minor units, so that it
             cannot have more decimals than its currency.
    """
    template, declared = view.business_types[event.business_type], event.declared_amount
    if declared is None:
        return None
    if template.amount_field is None:
        return Rejection(
            "amount_unexpected", f"Expected no amount, as {template.id} has none, found one declared: leave it out"
        )
    if declared.currency != template.currency:
        return Rejection(
            "amount_currency",
            f"Expected an amount in {template.currency}, the currency of {template.id}, found {declared.currency}: "
            "declare it in that currency, or name the business type that it belongs to",
        )
    if parse_amount(amount_text(declared.amount_minor, declared.currency), declared.currency) != declared.amount_minor:
        return Rejection(
            "amount_invalid",
            f"Expected a positive amount of at most {WHOLE_DIGITS_MAX} figures before its decimals, found "
            f"{declared.amount_minor} minor units of {declared.currency}: declare what the document says",
        )
    return None


def local_order(event: SubmissionSent, situation: Situation) -> Rejection | None:
    """A reroute by which branches do such work themselves for a while."""
    view: ReferenceView = situation.boards["reference"]
    order = sent_back(
        situation.boards["reroutes"],
        event.submission_id,
        event.business_type,
        view.branches[event.branch_id],
        situation.now,
    )
    until = None if order is None else over_at(order)
    if order is None or until is None:
        return None
    return LeftToBranch(
        "do_locally",
        f"Expected {event.business_type} to be done at the branch until {until:%Y-%m-%d %H:%M} UTC by reroute "
        f"{order.reroute_id} ({order.terms.reason}): do it there, or wait until then",
        order.reroute_id,
    )


def image_fault(event: SubmissionSent, findings: Findings) -> Rejection | None:
    """The first image that is not what the submission says."""
    if not event.images:
        return Rejection("no_image", "Expected at least one image, found none: scan the document")
    for finding in findings:
        if isinstance(finding, ImageFault):
            return Rejection(finding.code, finding.detail)
    return None


def refuse(state: Submission, event: SubmissionSent | TimerFired, rejection: Rejection, situation: Situation) -> Facts:
    """The receipt that tells the branch why; of what a reroute leaves there also, this once, a word to who keeps the orders."""
    if isinstance(event, TimerFired):
        return ()
    code: RejectionCode = rejection.code  # type: ignore[assignment]  # this module makes no other codes
    reroute_id = rejection.reroute_id if isinstance(rejection, LeftToBranch) else None
    receipt = SubmissionRejected(
        submission_id=event.submission_id,
        branch_id=event.branch_id,
        content_sha256=event.content_sha256,
        signature_sha256=event.signature_sha256,
        code=code,
        detail=rejection.detail,
        received_at=situation.now,
        reroute_id=reroute_id,
    )
    if reroute_id is None:
        return (receipt,)
    left = SubmissionSentBack(
        submission_id=event.submission_id,
        branch_id=event.branch_id,
        reroute_id=reroute_id,
        received_at=situation.now,
    )
    return (receipt, left)


def receipt_of(state: Submission) -> Message:
    """The first receipt, word for word."""
    if state.phase is Phase.ACCEPTED:
        return SubmissionAccepted(
            submission_id=state.submission_id,
            branch_id=state.branch_id,
            case_id=state.case_id,
            content_sha256=state.content_sha256,
            signature_sha256=state.signature_sha256,
            received_at=_at(state),
        )
    assert state.code is not None  # noqa: S101 - a rejected submission has its code, by `apply`
    return SubmissionRejected(
        submission_id=state.submission_id,
        branch_id=state.branch_id,
        content_sha256=state.content_sha256,
        signature_sha256=state.signature_sha256,
        code=state.code,
        detail=state.detail,
        received_at=_at(state),
        reroute_id=state.reroute_id,
    )


def _at(state: Submission) -> datetime:
    assert state.received_at is not None  # noqa: S101 - set with the phase, by `apply`
    return state.received_at
