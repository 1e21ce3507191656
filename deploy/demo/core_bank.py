"""A core bank with a book of its own. It books every posting once, sometimes late, answers twice, or says no."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from shared.contracts import audit
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.runtime.clock import Clock
from shared.runtime.headers import body_of, origin_of
from shared.runtime.host import Publish
from shared.runtime.log import Tail

LATE: Final = 0.05
TWICE: Final = 0.05
NO: Final = 0.01
LATE_SECONDS: Final = 120.0  # of the floor's clock


@dataclass
class CoreBank:
    """The book: what was booked, by posting id, and its sum by currency in minor units."""

    tail: Tail
    clock: Clock
    publish: Publish
    draw: random.Random
    booked: dict[str, audit.PostingRequested] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    repeated: int = 0
    _late: set[asyncio.Task[None]] = field(default_factory=set)

    def book(self) -> dict[str, int]:
        """The book's total by currency."""
        total: Counter[str] = Counter()
        for posting in self.booked.values():
            if posting.amount is not None:
                total[posting.amount.currency] += posting.amount.amount_minor
        return dict(total)

    async def work(self) -> None:
        """Answer requests until cancelled."""
        await self.tail.start()
        try:
            while True:
                for record in await self.tail.fetch(500, 0.2):
                    message = body_of(record, origin_of(record).kind)
                    if isinstance(message, audit.PostingRequested):
                        await self._take(message)
        finally:
            await self.tail.stop()

    async def _take(self, posting: audit.PostingRequested) -> None:
        if posting.posting_id in self.booked or posting.posting_id in self.refused:
            self.repeated += 1
            return
        luck = self.draw.random()
        if luck < NO:
            self.refused.add(posting.posting_id)
            await self._refuse(posting)
        else:
            self.booked[posting.posting_id] = posting
            if luck < NO + LATE:
                task = asyncio.create_task(self._confirm(posting, late=True))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            else:
                await self._confirm(posting)

    async def _confirm(self, posting: audit.PostingRequested, late: bool = False) -> None:
        if late:
            await asyncio.sleep(self.clock.real_seconds(LATE_SECONDS))
        answer = PostingConfirmed(
            posting_id=posting.posting_id,
            case_id=posting.case_id,
            core_reference=f"CB-{posting.posting_id[:8]}",
            booked_at=self.clock.now(),
        )
        await self.publish(answer, f"core/{posting.posting_id}")
        if self.draw.random() < TWICE:
            await self.publish(answer, f"core/{posting.posting_id}/again")

    async def _refuse(self, posting: audit.PostingRequested) -> None:
        answer = PostingFailed(
            posting_id=posting.posting_id,
            case_id=posting.case_id,
            code="account_closed",
            detail="Expected an open account, found it closed",
            failed_at=self.clock.now(),
        )
        await self.publish(answer, f"core/{posting.posting_id}")
