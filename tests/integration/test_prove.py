"""`opsfloor prove` on the tables of a floor that was simulated: no finding of one that kept its promises, and each that is broken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import asyncpg
import pytest

from opsfloor.proving import BUS_RECORDS, Proof, document, look, seen_on
from shared.contracts import audit, branch, intake, vendor
from shared.contracts.registry import WITHOUT_LANES
from shared.proof.cases import book_of
from shared.proof.lanes import Lane, Seen
from shared.runtime.kafka_log import KafkaPublisher
from shared.runtime.log import Outgoing
from shared.runtime.memory_store import Part
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.schema import migrate
from shared.runtime.store import Batch
from shared.runtime.topics import ensure_topics
from tests.simulation.run import Run
from tests.simulation.stage import PARTITIONS

SEED = 3


@cache
def at_rest() -> Run:
    """A day with every kind of trouble, to its end."""
    run = Run(SEED)
    assert run.play().findings == []
    return run


@cache
def at_work() -> Run:
    """In the middle of a morning: facts are on their way everywhere."""
    run = Run(SEED)
    run.world.publish_reference()
    for service in ("intake", "audit", "routing", "vendor"):
        run._spawn(service)
    run.world.everybody_signs_on()
    run._morning()
    for _ in range(400):
        run._trouble()
        run._move()
    return run


def all_of(part: Part) -> Batch:
    """What a model of the store holds of a processor, as one batch."""
    return Batch(
        rows=dict(part.rows),
        outbox=list(part.outbox.values()),
        journal=[row for rows in part.journal.values() for row in rows],
        next_offsets=dict(part.next_offsets),
        lanes_in=dict(part.lanes_in),
        lanes_out=dict(part.lanes_out),
    )


async def written(run: Run, url: str) -> asyncpg.Connection[Any]:
    """The run's tables in a real database."""
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        for service, processors in run.stage.processors.items():
            await migrate(pool, service)
            for processor in processors:
                store = PostgresStore(pool, service, processor.name, processor.table.name)
                batch = all_of(run.stage.database.parts[processor.name])
                claims = await store.claim(range(PARTITIONS))
                batch.epochs = {number: claim.epoch for number, claim in claims.items()}
                assert await store.commit(batch) == frozenset()
    return await asyncpg.connect(url)


async def proved(run: Run, connection: asyncpg.Connection[Any]) -> Proof:
    async def reach() -> Seen:
        seen = Seen({place: run.stage.log.end(place) for place in run.stage.log.records})
        for (topic, _), records in run.stage.log.records.items():
            if topic not in WITHOUT_LANES:
                seen.take(records[-BUS_RECORDS:])
        return seen

    return await look(connection, PARTITIONS, reach, lambda done, total: None)


@pytest.fixture
async def rested(fresh_database: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    """The tables of a floor at rest."""
    connection = await written(at_rest(), fresh_database)
    yield connection
    await connection.close()


async def test_a_floor_at_rest_is_proved_to_have_lost_and_doubled_nothing(rested: asyncpg.Connection[Any]) -> None:
    """What the auditor of the topics counts stands in the tables too."""
    run = at_rest()
    proof = await proved(run, rested)
    held = run.outcome.conservation
    assert document(proof)["findings"] == {}
    assert (proof.cases["posted"], proof.cases.get("closed", 0)) == (held["posted"], held["closed"])
    assert proof.submissions["accepted"] == proof.folded == sum(proof.cases.values()) > 5
    assert (proof.on_their_way, proof.waiting) == (0, 0)
    ends = [
        audit.CasePosted.model_validate_json(row.body)
        for rows in run.stage.database.parts["controls"].journal.values()
        for row in rows
        if row.kind == audit.CasePosted.kind_name()
    ]
    assert proof.book == book_of(ends)
    assert proof.book
    assert proof.lanes > 20


async def test_of_a_floor_at_work_what_is_on_its_way_is_no_finding(fresh_database: str) -> None:
    """Nobody waits for it to come to rest."""
    connection = await written(at_work(), fresh_database)
    proof = await proved(at_work(), connection)
    await connection.close()
    assert document(proof)["findings"] == {}
    assert proof.waiting > 0
    assert proof.submissions["accepted"] == proof.folded + proof.on_their_way


BROKEN = {
    "a case that is gone": ("DELETE FROM audit.state WHERE table_name = 'controls_case' AND key = $1", "nothing lost"),
    "a life that is gone": ("DELETE FROM audit.journal WHERE key = $1", "replay"),
    "a line that is gone": ("DELETE FROM audit.journal WHERE key = $1 AND n = 2", "journal"),
    "a state that somebody changed": (
        "UPDATE audit.state SET body = jsonb_set(body::jsonb, '{phase}', '\"closed\"')::json WHERE key = $1",
        "replay",
    ),
    "a second end": (
        "INSERT INTO audit.journal SELECT processor, shard, key, n + 1000, at, kind, body, cause FROM audit.journal "
        "WHERE key = $1 AND kind = 'audit.case-posted.v1'",
        "one end",
    ),
    "a second posting": (
        "INSERT INTO audit.journal SELECT processor, shard, key, n + 1000, at, kind, body, cause FROM audit.journal "
        "WHERE key = $1 AND kind = 'audit.posting-requested.v1'",
        "posted once",
    ),
    "another amount": (
        "UPDATE audit.journal SET body = jsonb_set(body::jsonb, '{amount,amount_minor}', '1')::json "
        "WHERE key = $1 AND kind = 'audit.case-posted.v1'",
        "equal books",
    ),
    "a line that nobody can read": (
        "UPDATE audit.journal SET body = '{}'::json WHERE key = $1 AND kind = 'audit.case-started.v1'",
        "replay",
    ),
    "a case that intake does not know": ("DELETE FROM intake.state WHERE body->>'case_id' = $1", "nothing doubled"),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_each_broken_promise_is_found_and_names_the_case_and_where_to_look(
    rested: asyncpg.Connection[Any], how: str
) -> None:
    """Whoever reads it knows which case, and which command tells more."""
    statement, promise = BROKEN[how]
    case_id = await rested.fetchval(
        "SELECT key FROM audit.journal WHERE kind = $1 AND body->>'amount' IS NOT NULL ORDER BY key",
        audit.CasePosted.kind_name(),
    )
    assert case_id is not None
    await rested.execute(statement, case_id)
    proof = await proved(at_rest(), rested)
    found = proof.first[promise]
    assert any(case_id in broken.finding.detail for broken in found)
    assert all(broken.look.startswith("opsfloor case ") for broken in found)


async def test_a_fact_that_the_bus_lost_is_found_though_nobody_reads_on(rested: asyncpg.Connection[Any]) -> None:
    """The last of its lane: no later record shows the gap."""
    lane = "FROM audit.lane_in WHERE topic = $1 AND source LIKE '/opsfloor/intake/%' AND sequence > 0"
    source, shard = await rested.fetchrow(f"SELECT source, shard {lane} ORDER BY 1", intake.CASE.name) or ("", 0)
    await rested.execute(
        "UPDATE audit.lane_in SET sequence = sequence - 1 WHERE topic = $1 AND source = $2 AND shard = $3",
        intake.CASE.name,
        source,
        shard,
    )
    proof = await proved(at_rest(), rested)
    (broken,) = proof.first["nothing lost"]
    assert f"{source} → {intake.CASE.name}[{shard}]" in broken.finding.detail
    assert broken.look == "opsfloor status"


async def test_a_fact_that_nobody_committed_is_found(rested: asyncpg.Connection[Any]) -> None:
    """A zombie's, or tables that went back."""
    await rested.execute("UPDATE intake.lane_out SET sequence = sequence - 1 WHERE topic = $1", intake.CASE.name)
    assert "published is committed" in (await proved(at_rest(), rested)).first


FORGOTTEN = {
    "what a writer told": ("DELETE FROM intake.lane_out", "published is committed"),
    "what a writer told whom nobody reads": (
        f"DELETE FROM vendor.lane_out WHERE topic = '{vendor.SCORE.name}'",
        "published is committed",
    ),
    "everything": (
        "DO $$ DECLARE one record; BEGIN FOR one IN SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN "
        "('intake', 'audit', 'routing', 'vendor') AND tablename <> 'migration' LOOP "
        "EXECUTE format('TRUNCATE %I.%I', one.schemaname, one.tablename); END LOOP; END $$",
        "published is committed",
    ),
}


@pytest.mark.parametrize("what", FORGOTTEN)
async def test_what_the_bus_tells_and_no_table_knows_is_found(rested: asyncpg.Connection[Any], what: str) -> None:
    """Tables that were emptied agree with each other: the bus does not."""
    statement, promise = FORGOTTEN[what]
    await rested.execute(statement)
    assert promise in (await proved(at_rest(), rested)).first


async def test_a_posted_case_of_which_only_the_journal_or_only_the_bus_tells_is_found(
    rested: asyncpg.Connection[Any],
) -> None:
    """Its rows were deleted at both services that know it; then its life as well."""
    posted = "SELECT key FROM audit.journal WHERE kind = $1 ORDER BY at DESC, key"
    case_id = await rested.fetchval(posted, audit.CasePosted.kind_name())
    await rested.execute("DELETE FROM audit.state WHERE key = $1", case_id)
    await rested.execute("DELETE FROM intake.state WHERE body->>'case_id' = $1", case_id)
    proof = await proved(at_rest(), rested)
    assert {"replay", "nothing doubled", "nothing lost"} <= proof.first.keys()
    await rested.execute("DELETE FROM audit.journal WHERE key = $1", case_id)
    (broken,) = (await proved(at_rest(), rested)).first["nothing lost"]
    assert broken.finding.detail == f"case {case_id} is on the bus, controls took it and has none"
    assert broken.look == f"opsfloor case {case_id}"


async def test_a_bus_that_has_less_than_the_tables_know_is_found(rested: asyncpg.Connection[Any]) -> None:
    """Its topics were made anew, or its last records are gone."""
    nothing = await look(rested, PARTITIONS, empty, lambda done, total: None)
    details = [broken.finding.detail for broken in nothing.first["nothing lost"]]
    assert any("the bus never had any" in detail for detail in details)
    await rested.execute("UPDATE intake.lane_out SET sequence = sequence + 1 WHERE topic = $1", intake.RECEIPT.name)
    (less, *_) = (await proved(at_rest(), rested)).first["nothing lost"]
    assert intake.RECEIPT.name in less.finding.detail
    assert "the bus ends with" in less.finding.detail


async def empty() -> Seen:
    """A bus that was made anew."""
    return Seen({})


async def test_a_reader_that_has_not_begun_has_lost_nothing(rested: asyncpg.Connection[Any]) -> None:
    """Audit stopped before its first record: what was told waits, and its cases are on their way."""
    for name in ("state", "journal", "inlet", "lane_in", "lane_out", "outbox", "timer"):
        await rested.execute(f"TRUNCATE audit.{name}")
    proof = await proved(at_rest(), rested)
    assert proof.on_their_way == proof.submissions["accepted"] > 0
    assert "nothing lost" not in proof.first


async def test_an_accepted_submission_that_names_no_case_is_a_finding(rested: asyncpg.Connection[Any]) -> None:
    """However odd a row is, it is told of."""
    await rested.execute(
        "UPDATE intake.state SET body = (body::jsonb - 'case_id')::json WHERE key = "
        "(SELECT min(key) FROM intake.state WHERE body->>'phase' = 'accepted')"
    )
    details = [broken.finding.detail for broken in (await proved(at_rest(), rested)).first["nothing lost"]]
    assert any("none is named" in detail for detail in details)


async def test_of_a_real_bus_the_last_records_of_each_partition_are_seen(kafka: str) -> None:
    """Where it ends, the highest of each lane there, and the cases that intake told of; none of what outsiders write."""
    await ensure_topics(kafka, None)
    source = "/opsfloor/intake/probe/0"

    def told(sequence: int) -> Outgoing:
        headers = (("ce_type", b"probe"), ("ce_source", source.encode()), ("sequence", b"%020d" % sequence))
        return Outgoing(b"k", b"{}", (*headers, ("correlationid", b"case-%d" % sequence)), 1_000)

    lane, outside = Lane(source, intake.CASE.name, 0), Lane(source, branch.SUBMISSION.name, 0)
    before = await seen_on(kafka)
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    rows = [told(sequence) for sequence in range(1, 2 + BUS_RECORDS)]
    assert await publisher.publish({lane.place: rows, outside.place: [told(7)]}) == {}
    await publisher.stop()
    seen = await seen_on(kafka)
    assert seen.ends[lane.place] == before.ends[lane.place] + len(rows)
    assert seen.ends[outside.place] == before.ends[outside.place] + 1
    assert seen.last[lane] == len(rows)
    assert outside not in seen.last
    assert "case-1" not in seen.cases, "it is further back than is looked at"
    assert seen.cases["case-2"] == (lane, 2)
