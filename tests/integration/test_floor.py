"""The four services on a real broker and a real database, nobody disturbing them."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

from shared.contracts import audit
from shared.contracts.message import Message
from tests.faults.floor import SERVICES, Floor

POSTED_SECONDS: Final = 60.0


class EvenTempered(random.Random):
    """Draws the middle every time: nobody errs, refuses, walks away or says a thing twice."""

    def random(self) -> float:
        return 0.5


class OneCase(Floor):
    """A floor whose branches send one submission each time they are asked, and whose people answer at once."""

    async def _live(self) -> None:
        while True:
            self.world.work(diligent=True)
            self.world.book(diligent=True)
            await asyncio.sleep(0.05)


async def posted(floor: Floor) -> audit.CasePosted:
    """Wait until the floor has posted its case."""
    end = asyncio.get_running_loop().time() + POSTED_SECONDS
    while asyncio.get_running_loop().time() < end:
        ends: list[Message] = [*floor.audit().ends()]
        for fact in ends:
            assert isinstance(fact, audit.CasePosted), fact
            return fact
        await asyncio.sleep(0.1)
    raise AssertionError(f"Expected a posted case, found {floor.audit().conservation()}, {dict(floor.audit().counts)}")


async def test_one_submission_goes_through_four_real_services_to_its_posting(stack_folder: Path) -> None:
    """One signed submission becomes one posted case, by entries, review, authorisation and the core bank's word."""
    floor = OneCase(stack_folder, seed=0, names=SERVICES, draw=EvenTempered())
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            floor.world.submit()
            fact = await posted(floor)
            held = await floor.rest(10.0)
        findings = await floor.judge()
    finally:
        floor.close()
    counts = floor.audit().counts
    assert held == {"submitted": 1, "rejected": 0, "posted": 1, "closed": 0, "open": 0}
    assert fact.posting_id in floor.audit().requests
    assert counts["audit.posting-requested.v1"] == 1
    assert counts["audit.authorised.v1"] >= 1
    assert findings == []
