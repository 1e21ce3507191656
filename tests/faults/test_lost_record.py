"""Records are deleted from the bus before their reader came to them: it stops, and the page brings all back."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.intake.reception.decide import signed_by
from shared.contracts import audit, branch, intake
from shared.contracts.reference import Branch
from shared.runtime.headers import body_of, header_of, origin_of
from shared.runtime.log import Outgoing, Place, Record
from tests.faults.floor import Floor
from tests.simulation.stage import PARTITIONS
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


@dataclass(frozen=True)
class Loss:
    """What is deleted of one partition: from where audit reads on to before `first`.

    Holds:   of each lane at least one record; a case's first opening that is not told again behind it is lost with it.
    """

    shard: int
    reads_on: int
    first: int
    lanes: frozenset[str]
    openings: dict[str, Record]  # of the lost cases


def loss_of(shard: int, reads_on: int, waiting: Sequence[Record]) -> Loss | None:
    """As little of what waits as takes something of every lane and two cases, if there is so much and more behind it."""
    lanes = frozenset(origin_of(record).source for record in waiting)
    if len(lanes) < PARTITIONS:
        return None
    for count in range(1, len(waiting)):
        gone, behind = waiting[:count], {opened_by(record).case_id for record in waiting[count:]}
        openings = {case.case_id: record for record in gone if not (case := opened_by(record)).again}
        openings = {case_id: record for case_id, record in openings.items() if case_id not in behind}
        if len(openings) >= 2 and {origin_of(record).source for record in gone} == lanes:
            return Loss(shard, reads_on, waiting[count].offset, lanes, openings)
    return None


async def unread(floor: Floor, database: asyncpg.Connection[asyncpg.Record]) -> Loss:
    """What can be lost of what audit has not read."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        rows = await database.fetch(
            "SELECT shard, next_offset FROM audit.inlet WHERE processor = 'controls' AND topic = 'intake.case.v1'"
        )
        for shard, at in rows:
            records = floor.mirror.log.records[("intake.case.v1", shard)]
            loss = loss_of(shard, at, [record for record in records if record.offset >= at])
            if loss is not None:
                return loss
        await asyncio.sleep(0.2)
    raise AssertionError("Expected cases of every lane that wait for audit, found none")


def opened_by(record: Record) -> intake.CaseOpened:
    """The case that the record opens."""
    opened = body_of(record, origin_of(record).kind)
    assert isinstance(opened, intake.CaseOpened)
    return opened


async def deleted(floor: Floor, place: Place, before: int) -> None:
    """Somebody takes what stands in a partition before an offset from the bus by hand."""
    admin = AIOKafkaAdminClient(bootstrap_servers=floor.addresses.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(*place): RecordsToDelete(before_offset=before)})
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


def started(floor: Floor) -> set[str]:
    """The cases that controls have taken up."""
    told = (
        body_of(record, origin_of(record).kind)
        for place, records in floor.mirror.log.records.items()
        if place[0] == audit.CASE.name
        for record in records
    )
    return {message.case_id for message in told if isinstance(message, audit.CaseStarted)}


async def lanes_moved(floor: Floor, database: asyncpg.Connection[asyncpg.Record], loss: Loss) -> None:
    """The inlet begins where the log does, and each lane that audit names where its next record is."""
    where = "WHERE processor = 'controls' AND shard = $1 AND topic = 'intake.case.v1'"
    await database.execute(f"UPDATE audit.inlet SET next_offset = $2 {where}", loss.shard, loss.first)
    moved = f"UPDATE audit.lane_in SET sequence = $2 {where} AND source = $3"
    left = set(loss.lanes)
    while left:
        source, number, sequence = (await stopped_by(floor, AHEAD)).groups()
        assert int(number) == loss.shard
        assert await database.execute(moved, loss.shard, int(sequence) - 1, source) == "UPDATE 1"
        left.remove(source)


async def alone(floor: Floor, database: asyncpg.Connection[asyncpg.Record], loss: Loss) -> set[str]:
    """The query, asked again and again, names the lost cases and no other. Returns those.

    Holds:   under load others are on their way for a moment, each time others; a branch may have sent a lost one again by
             itself, which is no longer lost then.
    """
    end, always = time.monotonic() + PATIENCE_SECONDS, await named(database)
    while always != (lost := set(loss.openings) - started(floor)):
        assert time.monotonic() < end, f"Expected the query to name {sorted(lost)}, found {sorted(always)}"
        await asyncio.sleep(0.5)
        always &= await named(database)
    assert lost
    return lost


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
            loss = await unread(floor, database)
            await deleted(floor, (intake.CASE.name, loss.shard), loss.first)

            found = tuple(map(int, (await stopped_by(floor, BEYOND)).groups()))
            assert found == (loss.shard, loss.reads_on, loss.first)
            await lanes_moved(floor, database, loss)
            floor.start("audit")
            await floor.ready()

            lost = await alone(floor, database, loss)
            for case_id in lost:
                sent_again(floor, loss.openings[case_id])
            end = time.monotonic() + PATIENCE_SECONDS
            while left := lost - started(floor):
                assert time.monotonic() < end, f"Expected {sorted(left)} to be taken up"
                await asyncio.sleep(0.2)
            assert not lost & await named(database)
            await database.close()
    finally:
        floor.close()


@pytest.mark.alone
@pytest.mark.timeout(400)
def test_a_case_that_the_bus_lost_is_found_and_taken_up() -> None:
    """Audit stops, names what to move, lane by lane; the query names what was lost alone; sent again, it is work like any."""
    home = Path(tempfile.mkdtemp(prefix="opsfloor-lost-"))
    home.chmod(0o755)
    asyncio.run(play(home))
    shutil.rmtree(home, ignore_errors=True)
