"""Branches: they scan, sign, publish, and now and then do something twice or wrong."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from deploy.demo.arrivals import Arrival
from deploy.demo.truth import Document, Truth
from deploy.demo.vouchers import draw_voucher, misread
from services.intake.submit import build_submission
from shared.contracts.branch import SubmissionSent
from shared.contracts.message import ImageReference, Money
from shared.contracts.reference import BusinessType
from shared.images import ImageStore
from shared.reference.keys import make_branch_key
from shared.runtime.clock import Clock
from shared.runtime.host import Publish

TWICE: Final = 0.02
BROKEN: Final = 0.01
CONFLICT: Final = 0.005


@dataclass
class Branches:
    """All branches of the demo. Holds: `sent` counts submission ids, not repeats."""

    templates: dict[str, BusinessType]
    images: ImageStore
    keys: Path
    clock: Clock
    publish: Publish
    truth: Truth
    draw: random.Random
    sent: int = 0
    repeats: int = 0
    _numbers: int = field(default=0)

    async def work(self, day: Sequence[Arrival]) -> None:
        """Hand in every arrival at its instant."""
        for arrival in day:
            await self._until(arrival.at)
            await self._hand_in(arrival)

    async def _until(self, at: datetime) -> None:
        seconds = self.clock.real_seconds((at - self.clock.now()).total_seconds())
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _hand_in(self, arrival: Arrival) -> None:
        self._numbers += 1
        submission_id = f"{arrival.branch_id}-{self._numbers:06d}"
        submission = await self._scan(arrival, submission_id)
        luck = self.draw.random()
        if luck < BROKEN:
            submission = submission.model_copy(update={"signature": "AAAA" + submission.signature[4:]})
        self.sent += 1
        await self.publish(submission, f"submission/{submission_id}")
        if BROKEN < luck < BROKEN + TWICE:
            self.repeats += 1
            await self.publish(submission, f"submission/{submission_id}/again")
        elif BROKEN + TWICE < luck < BROKEN + TWICE + CONFLICT:
            self.repeats += 1
            other = await self._scan(arrival, submission_id, remember=False)
            await self.publish(other, f"submission/{submission_id}/other")

    async def _scan(self, arrival: Arrival, submission_id: str, remember: bool = True) -> SubmissionSent:
        template = self.templates[arrival.business_type]
        voucher = await asyncio.to_thread(draw_voucher, template, random.Random(self.draw.random()))
        await self.images.put(voucher.png)
        if remember:
            illusion = {name: misread(value, self.draw) for name, value in voucher.values.items()}
            self.truth.remember(submission_id, Document(voucher.values, illusion, voucher.bad_scan))
        amount = voucher.values.get(template.amount_field or "")
        reference = ImageReference(
            sha256=hashlib.sha256(voucher.png).hexdigest(), media_type="image/png", size_bytes=len(voucher.png)
        )
        return build_submission(
            submission_id=submission_id,
            branch_id=arrival.branch_id,
            business_type=arrival.business_type,
            images=(reference,),
            key=make_branch_key(self.keys, arrival.branch_id),
            captured_at=self.clock.now(),
            declared_amount=Money(amount_minor=int(amount.replace(".", "")), currency=template.currency)
            if amount
            else None,
            urgent=arrival.urgent,
        )
