"""The four services on a real broker and a real database, nobody disturbing them."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from shared.contracts import audit
from shared.contracts.message import Message
from shared.runtime.log import group_of
from tests.faults.floor import PROCESSORS, SERVICES, Floor

POSTED_SECONDS: Final = 60.0
TOLD_SECONDS: Final = 60.0
GROUP, TOPIC, _, AT, _, LAG = range(6)  # the columns of Kafka's ConsumerGroupCommand
READERS: Final = {(group_of(each.name), topic.name) for each in PROCESSORS for topic in each.inputs}


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


async def lags(floor: Floor) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Records read and not yet read of each partition that was read at all, by group and topic, as Kafka's tool says."""
    words = ("-m", "opsfloor", "stack", "kafka", "consumer-groups", "--describe", "--all-groups")
    found = {"OPSFLOOR_KAFKA": floor.addresses.kafka, "OPSFLOOR_DATABASE_URL": floor.addresses.database_url}
    asked = await asyncio.create_subprocess_exec(
        sys.executable, *words, env={**os.environ, **found}, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(asked.communicate(), TOLD_SECONDS)
    assert asked.returncode == 0, told.decode()
    rows: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for line in told.decode().splitlines():
        columns = line.split()
        if len(columns) > LAG and columns[AT].isdigit():
            rows[columns[GROUP], columns[TOPIC]].append((int(columns[AT]), int(columns[LAG])))
    return rows


async def read_up(floor: Floor) -> dict[tuple[str, str], int]:
    """How much each group has read of each topic, once Kafka's own tool says that nobody has anything left to read."""
    end = asyncio.get_running_loop().time() + TOLD_SECONDS
    rows = await lags(floor)
    while any(lag for places in rows.values() for _, lag in places) and asyncio.get_running_loop().time() < end:
        rows = await lags(floor)
    assert not [place for place, places in rows.items() if any(lag for _, lag in places)], rows
    return {place: sum(at for at, _ in places) for place, places in rows.items()}


async def test_one_submission_goes_through_four_real_services_to_its_posting(stack_folder: Path) -> None:
    """One signed submission becomes one posted case, by entries, review, authorisation and the core bank's word; Kafka's own
    tool sees who has read how far."""
    floor = OneCase(stack_folder, seed=0, names=SERVICES, draw=EvenTempered())
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            floor.world.submit()
            fact = await posted(floor)
            held = await floor.rest(10.0)
            read = await read_up(floor)
        findings = await floor.judge()
    finally:
        floor.close()
    counts = floor.audit().counts
    assert held == {"submitted": 1, "rejected": 0, "posted": 1, "closed": 0, "open": 0}
    assert fact.posting_id in floor.audit().requests
    assert counts["audit.posting-requested.v1"] == 1
    assert counts["audit.authorised.v1"] >= 1
    assert findings == []
    assert read.keys() <= READERS
    assert read["opsfloor-reception", "branch.submission.v1"] == 1
    assert read["opsfloor-controls", "intake.case.v1"] == 1
