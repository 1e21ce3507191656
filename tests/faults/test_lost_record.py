"""A record is deleted from the bus before its reader came to it: the reader stops, and the page brings all back."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.intake.reception.decide import signed_by
from shared.contracts import audit, branch, intake
from shared.contracts.reference import Branch
from shared.runtime.headers import body_of, header_of, origin_of
from shared.runtime.log import Outgoing, Record
from tests.faults.floor import Floor
from tests.simulation.world import reference

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
WORK_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
BEYOND = re.compile(r"found intake\.case\.v1/(\d+): offset (\d+) of (\d+) to")
AHEAD = re.compile(r"Expected sequence \d+ on lane (\S+) \S+ intake\.case\.v1\[(\d+)\], found (\d+)")


def lost_cases() -> str:
    """The query as it stands on the page."""
    _, _, section = PAGE.read_text().partition("### Cases that were lost")
    found = re.search(r"```sql\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


async def named(database: asyncpg.Connection[asyncpg.Record]) -> set[str]:
    """The cases that the query names now."""
    return {row["case"] for row in await database.fetch(lost_cases())}


async def unread(floor: Floor, database: asyncpg.Connection[asyncpg.Record]) -> tuple[int, Record]:
    """Where audit reads on, and from there a case's first opening, which it has not read, with others behind it.

    Holds:   of a case that a branch sends again an opening is told again; without that one nothing is lost.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        rows = await database.fetch(
            "SELECT shard, next_offset FROM audit.inlet WHERE processor = 'controls' AND topic = 'intake.case.v1'"
        )
        for shard, at in rows:
            waiting = [one for one in floor.mirror.log.records[("intake.case.v1", shard)] if one.offset >= at]
            first = next((one for one in waiting[:-1] if not opened_by(one).again), None)
            if first is not None:
                return at, first
        await asyncio.sleep(0.2)
    raise AssertionError("Expected cases that wait for audit, found none")


def opened_by(record: Record) -> intake.CaseOpened:
    """The case that the record opens."""
    opened = body_of(record, origin_of(record).kind)
    assert isinstance(opened, intake.CaseOpened)
    return opened


async def deleted(floor: Floor, record: Record) -> None:
    """Somebody takes it from the bus by hand, and all before it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=floor.addresses.kafka)
    await admin.start()
    try:
        spot = TopicPartition(record.topic, record.partition)
        await admin.delete_records({spot: RecordsToDelete(before_offset=record.offset + 1)})
    finally:
        await admin.close()


async def stopped_by(floor: Floor, what: re.Pattern[str]) -> re.Match[str]:
    """Audit is started, stops before it reads on, and says why."""
    log = floor.home / "audit.log"
    before = len(log.read_text())
    floor.start("audit")
    end, found = time.monotonic() + PATIENCE_SECONDS, None
    while found is None:
        assert time.monotonic() < end, log.read_text()[before:]
        await asyncio.sleep(0.2)
        found = what.search(log.read_text()[before:])
    floor.services.stop(floor.pids["audit"])
    return found


def sent_again(floor: Floor, lost: Record) -> None:
    """The branch sends word for word what became the case, and not what a stranger sent under the same id."""
    cause = header_of(lost.headers, "causationid").decode()
    branches = {entry.id: entry for entry in reference() if isinstance(entry, Branch)}
    for place, records in floor.mirror.log.records.items():
        for record in records if place[0] == branch.SUBMISSION.name else ():
            sent = body_of(record, origin_of(record).kind)
            assert isinstance(sent, branch.SubmissionSent)
            of = branches.get(sent.branch_id)
            if origin_of(record).event_id == cause and of is not None and signed_by(of, sent):
                again = Outgoing(record.key or b"", record.value, record.headers, floor.mirror.clock.wall_ms())
                floor.mirror.log.append(place, again)
                return
    raise AssertionError(f"Expected {cause} among what branches sent, found nothing of it")


def started(floor: Floor, case_id: str) -> bool:
    """Controls have taken the case up."""
    return any(
        isinstance(message := body_of(record, origin_of(record).kind), audit.CaseStarted) and message.case_id == case_id
        for place, records in floor.mirror.log.records.items()
        if place[0] == audit.CASE.name
        for record in records
    )


async def play(home: Path) -> None:
    """The whole story."""
    floor = Floor(home, seed=11)
    try:
        await floor.open()
        database = await asyncpg.connect(floor.addresses.database_url)
        async with floor.living():
            await floor.ready()
            await asyncio.sleep(WORK_SECONDS)
            floor.services.kill(floor.pids["audit"])
            reads_on, record = await unread(floor, database)
            opened = opened_by(record)
            await deleted(floor, record)

            shard, at, first = map(int, (await stopped_by(floor, BEYOND)).groups())
            assert (shard, at, first) == (record.partition, reads_on, record.offset + 1)
            where = "WHERE processor = 'controls' AND shard = $1 AND topic = 'intake.case.v1'"
            await database.execute(f"UPDATE audit.inlet SET next_offset = $2 {where}", shard, first)
            source, number, sequence = (await stopped_by(floor, AHEAD)).groups()
            assert int(number) == shard
            moved = f"UPDATE audit.lane_in SET sequence = $2 {where} AND source = $3"
            assert await database.execute(moved, shard, int(sequence) - 1, source) == "UPDATE 1"
            floor.start("audit")
            await floor.ready()

            end, always = time.monotonic() + PATIENCE_SECONDS, await named(database)
            while always != {opened.case_id}:  # under load others are on their way for a moment, each time others
                assert opened.case_id in always
                assert time.monotonic() < end, f"Expected the query to name the lost case alone, found {len(always)}"
                await asyncio.sleep(0.5)
                always &= await named(database)
            end = time.monotonic() + PATIENCE_SECONDS
            sent_again(floor, record)
            while not started(floor, opened.case_id):
                assert time.monotonic() < end, f"Expected {opened.case_id} to be taken up"
                await asyncio.sleep(0.2)
            assert opened.case_id not in await named(database)
            await database.close()
    finally:
        floor.close()


@pytest.mark.alone
@pytest.mark.timeout(400)
def test_a_case_that_the_bus_lost_is_found_and_taken_up() -> None:
    """Audit stops twice and names what to move; the query names the lost one alone; sent again, it is work like any other."""
    home = Path(tempfile.mkdtemp(prefix="opsfloor-lost-"))
    home.chmod(0o755)
    asyncio.run(play(home))
    shutil.rmtree(home, ignore_errors=True)
