"""Branches: they scan, sign, publish, read their receipts, and now and then do something twice or wrong."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.demo.arrivals import Arrival
from deploy.demo.truth import Document, Truth
from deploy.demo.vouchers import Voucher, draw_voucher, misread
from services.intake.submit import answers, build_submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.intake import SubmissionAccepted, SubmissionRejected
from shared.contracts.message import ImageReference, Message, Money
from shared.contracts.reference import BusinessType
from shared.images import ImageStore
from shared.reference.keys import make_branch_key
from shared.runtime.clock import Clock
from shared.runtime.host import Publish


class Habit(StrEnum):
    """How a submission is handed in. All but PLAIN give the floor something to be firm about."""

    PLAIN = "plain"
    FORGED = "after a forged copy"
    TWICE = "sent twice"
    BAD_SIGNATURE = "bad signature"
    IMAGE_MISSING = "image never uploaded"
    OTHER_CONTENT = "same id, other content"


WEIGHTS: Final = {
    Habit.PLAIN: 955,
    Habit.FORGED: 5,
    Habit.TWICE: 20,
    Habit.BAD_SIGNATURE: 8,
    Habit.IMAGE_MISSING: 5,
    Habit.OTHER_CONTENT: 7,
}


def habit_of(draw: random.Random) -> Habit:
    """Draw how a submission is handed in."""
    return draw.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]


@dataclass
class Branches:
    """All branches of the demo.

    Holds:   `sent` counts submission ids, `repeats` what was sent again under one of them; `unanswered` is what was sent
             and has no receipt yet;
             what a branch scans follows from seed and submission id.
    """

    templates: dict[str, BusinessType]
    images: ImageStore
    keys: Path
    clock: Clock
    publish: Publish
    truth: Truth
    seed: int
    sent: int = 0
    repeats: int = 0
    habits: Counter[Habit] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    unanswered: dict[str, SubmissionSent] = field(default_factory=dict)
    _keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    async def work(self, day: Sequence[Arrival]) -> None:
        """Hand in every arrival at its instant."""
        for number, arrival in enumerate(day, start=1):
            await self._until(arrival)
            await self.hand_in(arrival, f"{arrival.branch_id}-{number:06d}")

    async def _until(self, arrival: Arrival) -> None:
        seconds = self.clock.real_seconds((arrival.at - self.clock.now()).total_seconds())
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def hand_in(self, arrival: Arrival, submission_id: str) -> None:
        """Scan, upload, sign and publish one document, in one of the branches' ways."""
        draw = random.Random(f"{self.seed}/{submission_id}")
        habit = habit_of(draw)
        voucher = await self._scan(arrival, draw)
        self.truth.remember(submission_id, self._document(arrival, voucher, draw))
        submission = self._sign(arrival, submission_id, voucher)
        if habit is Habit.BAD_SIGNATURE:
            submission = forged(submission)
        if habit is not Habit.IMAGE_MISSING:
            await self.images.put(voucher.png)
        self.sent += 1
        self.habits[habit] += 1
        self.unanswered[submission_id] = submission
        if habit is Habit.FORGED:
            await self.publish(forged(submission), f"submission/{submission_id}/forged")
        await self.publish(submission, f"submission/{submission_id}")
        if habit is Habit.TWICE:
            await self._again(submission, "again")
        elif habit is Habit.OTHER_CONTENT:
            other = await self._scan(arrival, draw)
            await self.images.put(other.png)
            await self._again(self._sign(arrival, submission_id, other), "other")

    async def _again(self, submission: SubmissionSent, how: str) -> None:
        self.repeats += 1
        await self.publish(submission, f"submission/{submission.submission_id}/{how}")

    def hear(self, message: Message | None) -> None:
        """Read one receipt."""
        match message:
            case SubmissionAccepted():
                self.receipts["accepted"] += 1
                self._answered(message)
            case SubmissionRejected():
                self.receipts[message.code] += 1
                self._answered(message)
            case _:
                return

    def _answered(self, receipt: SubmissionAccepted | SubmissionRejected) -> None:
        sent = self.unanswered.get(receipt.submission_id)
        if sent is not None and answers(receipt, sent):
            del self.unanswered[receipt.submission_id]

    async def _scan(self, arrival: Arrival, draw: random.Random) -> Voucher:
        template, scanner = self.templates[arrival.business_type], random.Random(draw.random())
        return await asyncio.to_thread(draw_voucher, template, scanner)

    def _document(self, arrival: Arrival, voucher: Voucher, draw: random.Random) -> Document:
        illusion = {name: misread(value, draw) for name, value in voucher.values.items()}
        amount = self.templates[arrival.business_type].amount_field
        return Document(voucher.values, illusion, voucher.bad_scan, voucher.values.get(amount) if amount else None)

    def _sign(self, arrival: Arrival, submission_id: str, voucher: Voucher) -> SubmissionSent:
        template = self.templates[arrival.business_type]
        amount = voucher.values.get(template.amount_field) if template.amount_field else None
        reference = ImageReference(
            sha256=hashlib.sha256(voucher.png).hexdigest(), media_type="image/png", size_bytes=len(voucher.png)
        )
        return build_submission(
            submission_id=submission_id,
            branch_id=arrival.branch_id,
            business_type=arrival.business_type,
            images=(reference,),
            key=self._key(arrival.branch_id),
            captured_at=self.clock.now(),
            declared_amount=declared(amount, template.currency) if amount else None,
            urgent=arrival.urgent,
        )

    def _key(self, branch_id: str) -> Ed25519PrivateKey:
        if branch_id not in self._keys:
            self._keys[branch_id] = make_branch_key(self.keys, branch_id)
        return self._keys[branch_id]


def forged(submission: SubmissionSent) -> SubmissionSent:
    """The same content with a signature that does not verify: what a branch's broken system sends, or a stranger."""
    flipped = "B" if submission.signature[0] == "A" else "A"
    return submission.model_copy(update={"signature": flipped + submission.signature[1:]})


def declared(amount: str, currency: str) -> Money:
    """The amount on a voucher as a branch declares it. Holds: vouchers write two decimals."""
    return Money(amount_minor=int(amount.replace(".", "")), currency=currency)
