"""What the tables and the bus say about the promises, read in bounded memory, of a floor that runs or stands still."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from opsfloor import floor
from opsfloor.answers import Remedied
from opsfloor.restore import until
from services.audit.controls.processor import controls
from services.intake.reception.processor import reception
from services.routing.desk.processor import desk
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.vendor.supervision.processor import supervision
from shared.contracts import audit, intake
from shared.contracts.registry import TOPICS
from shared.images import ImageStore
from shared.proof.cases import DOUBLED, LOST, CaseSeen, Finding, book_of
from shared.proof.lanes import Lane, Lanes, Seen, judge_bus, judge_lanes
from shared.proof.lives import Entry, judge_life
from shared.runtime.errors import ContractError, TransientError, in_words
from shared.runtime.headers import source_of
from shared.runtime.kafka_access import words_of
from shared.runtime.kafka_leaving import leave
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import partition_of
from shared.runtime.recovery import IMPOSSIBLE
from shared.runtime.settings import Settings

CASES_AT_ONCE: Final = 200
FINDINGS_SHOWN: Final = 5  # of each promise
BUS_RECORDS: Final = 50  # of each partition, the last of them
RECEPTION: Final = "reception_submission"
TO_STATUS: Final = "opsfloor status"


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken promise and the command that looks closer."""

    finding: Finding
    look: str


@dataclass(slots=True)
class Proof:
    """What was found. Holds: of each promise all that broke it are counted, and the first few kept."""

    submissions: dict[str, int] = field(default_factory=dict)  # by phase of reception's registry
    cases: dict[str, int] = field(default_factory=dict)  # by phase
    on_their_way: int = 0  # accepted; their cases have been told and not been taken up yet
    waiting: int = 0  # facts that a reader has not taken yet
    folded: int = 0  # cases whose life was folded again
    lanes: int = 0  # compared, once for each reader
    book: Counter[str] = field(default_factory=Counter)  # minor units by currency, of posted cases
    counts: Counter[str] = field(default_factory=Counter)  # findings by promise
    first: dict[str, list[Broken]] = field(default_factory=dict)

    def add(self, found: Iterable[Finding], look: str) -> None:
        """Count findings."""
        for finding in found:
            self.counts[finding.promise] += 1
            kept = self.first.setdefault(finding.promise, [])
            if len(kept) < FINDINGS_SHOWN:
                kept.append(Broken(finding, look))


LANES: Final[Mapping[str, str]] = {
    "told": "SELECT processor, shard, topic, partition, sequence FROM {schema}.lane_out",
    "unpublished": "SELECT processor, shard, topic, partition, min(first_sequence) AS sequence FROM {schema}.outbox "
    "GROUP BY processor, shard, topic, partition",
    "taken": "SELECT processor, shard, topic, source, sequence FROM {schema}.lane_in",
    "read_to": "SELECT processor, shard, topic, next_offset FROM {schema}.inlet",
}
SUBMISSIONS: Final = (
    "SELECT body->>'phase' AS phase, count(*) AS n FROM intake.state WHERE table_name = $1 GROUP BY 1 ORDER BY 1"
)
CASES: Final = (
    "SELECT body->>'phase' AS phase, count(*) AS n FROM audit.state WHERE table_name = $1 GROUP BY 1 ORDER BY 1"
)
NO_CASE: Final = (
    "SELECT s.key, s.body->>'case_id' AS case_id FROM intake.state AS s WHERE s.table_name = $1 "
    "AND s.body->>'phase' = 'accepted' AND NOT EXISTS (SELECT FROM audit.state AS c WHERE c.table_name = $2 "
    "AND c.key = s.body->>'case_id')"
)
NEXT: Final = (
    "(SELECT key FROM audit.state WHERE table_name = $1 AND part = '' AND key > $3 ORDER BY key LIMIT $4) UNION "
    "(SELECT DISTINCT key FROM audit.journal WHERE processor = $2 AND key > $3 ORDER BY key LIMIT $4) ORDER BY key LIMIT $4"
)
THERE: Final = "SELECT key FROM audit.state WHERE table_name = $1 AND key = ANY ($2::text[])"
LIVES: Final = (
    "SELECT key, n, kind, body FROM audit.journal WHERE processor = $1 AND key = ANY ($2::text[]) ORDER BY key, n"
)
ROWS: Final = "SELECT key, part, body FROM audit.state WHERE table_name = $1 AND key = ANY ($2::text[])"
REGISTRY: Final = (
    "SELECT key, body->>'case_id' AS case_id FROM intake.state WHERE table_name = $1 AND key = ANY ($2::text[])"
)


Reach = Callable[[], Awaitable[Seen]]
Tell = Callable[[int, int], None]


async def prove(settings: Settings, tell: Tell) -> Proof:
    """Look at everything. `tell` is told how many cases are folded, of how many.

    Errors:  `TransientError` when bus or database is away, `Remedied` where there are no tables of a floor.
    """
    partitions = await KafkaLog(settings.kafka).partitions(intake.CASE.name)
    connection = await asyncpg.connect(settings.database_url, timeout=5)
    try:
        missing = [name for name in floor.SERVICES if await floor.steps(connection, name) is None]
        if missing:
            raise Remedied(
                f"Expected a floor's tables in this database, found none of {', '.join(missing)}",
                "set OPSFLOOR_DATABASE_URL to the floor's database; services make the tables when they start",
            )
        return await look(connection, partitions, partial(seen_on, settings.kafka), tell)
    finally:
        await connection.close()


async def look(connection: Any, partitions: int, reach: Reach, tell: Tell) -> Proof:
    """The proof. `reach` asks the bus where topics end, and with what.

    Holds:   nothing is changed. What the services say of each other is read in one snapshot; what is on its way is counted and
             not judged. In memory are some hundred cases at a time, and a few numbers for each lane.
    """
    proof = Proof()
    async with _snapshot(connection):
        before = await _lanes(connection)
        await _submissions(connection, proof, before, partitions)
    await _cases(connection, proof, tell)
    seen = await reach()
    async with _snapshot(connection):
        after = await _lanes(connection)
        gone = await _gone(connection, seen, after)
    for case_id in gone:
        proof.add(
            [Finding(LOST, f"case {case_id} is on the bus, controls took it and has none")], f"opsfloor case {case_id}"
        )
    proof.add(judge_lanes(before, seen.ends, after), TO_STATUS)
    proof.add(judge_bus(before, seen, after), TO_STATUS)
    proof.lanes = sum(1 for _ in before.pairs())
    proof.waiting = sum(before.waiting().values())
    return proof


async def seen_on(kafka: str) -> Seen:
    """Where each topic that shards write, or read, ends, and with what.

    Errors:  `TransientError`, `ContractError` where a topic is missing.
    """
    names = [name for topic in TOPICS.values() for name in (topic.name, topic.dead_letters)]
    consumer = AIOKafkaConsumer(*names, **words_of(kafka), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        spots = list(consumer.assignment())
        if missing := set(names) - {spot.topic for spot in spots}:
            raise UnknownTopicOrPartitionError(", ".join(sorted(missing)))
        first, ends = await consumer.beginning_offsets(spots), await consumer.end_offsets(spots)
        seen = Seen({(spot.topic, spot.partition): end for spot, end in ends.items()})
        for spot in spots:
            begin = ends[spot] - BUS_RECORDS if _of_shards(spot.topic) else ends[spot]
            consumer.seek(spot, max(first[spot], begin))
        async for record in until(consumer, spots, ends):
            seen.take([record])
    except UnknownTopicOrPartitionError as error:
        raise ContractError(
            "Expected the floor's topics, found some missing: `opsfloor reference FOLDER` makes them"
        ) from error
    except (KafkaError, OSError) as error:
        raise TransientError(f"Expected Kafka to tell how its topics end, found {in_words(error)}") from error
    finally:
        await leave(consumer)
    return seen


def _of_shards(name: str) -> bool:
    return name not in TOPICS or TOPICS[name].lanes


async def _gone(connection: Any, seen: Seen, now: Lanes) -> list[str]:
    """The cases that intake told of and that controls has taken, and has not."""
    reader = controls().full_name
    taken = [case for case, (lane, sequence) in seen.cases.items() if now.taken.get((reader, lane), 0) >= sequence]
    rows = await connection.fetch(THERE, controls().table.name, taken)
    return sorted(set(taken) - {row["key"] for row in rows})


def _reads() -> Mapping[str, frozenset[str]]:
    processors = (reception(ImageStore(None)), controls(), placement(), desk(), emergency(), supervision())
    return {each.full_name: frozenset(topic.name for topic in each.inputs) for each in processors}


async def _lanes(connection: Any) -> Lanes:
    lanes = Lanes(_reads())
    for schema in floor.SERVICES:
        found = {name: await connection.fetch(text.format(schema=schema)) for name, text in LANES.items()}
        for processor, shard, topic, partition, sequence in found["told"]:
            lane = Lane(source_of(schema, processor, shard), topic, partition)
            lanes.told[lane] = lanes.published[lane] = sequence
        for processor, shard, topic, partition, first in found["unpublished"]:
            lanes.published[Lane(source_of(schema, processor, shard), topic, partition)] = first - 1
        for processor, shard, topic, source, sequence in found["taken"]:
            lanes.taken[f"{schema}/{processor}", Lane(source, topic, shard)] = sequence
        for processor, shard, topic, next_offset in found["read_to"]:
            lanes.read_to[f"{schema}/{processor}", (topic, shard)] = next_offset
    return lanes


async def _submissions(connection: Any, proof: Proof, lanes: Lanes, partitions: int) -> None:
    """Every submission that was accepted is a case, or its case is on its way."""
    proof.cases = {row["phase"]: row["n"] for row in await connection.fetch(CASES, controls().table.name)}
    proof.submissions = {row["phase"]: row["n"] for row in await connection.fetch(SUBMISSIONS, RECEPTION)}
    reader = controls().full_name
    behind = {lane.partition for who, lane in lanes.waiting() if who == reader and lane.topic == intake.CASE.name}
    async for row in connection.cursor(NO_CASE, RECEPTION, controls().table.name):
        case_id = row["case_id"]
        if case_id is not None and partition_of(case_id.encode(), partitions) in behind:
            proof.on_their_way += 1
        else:
            found = Finding(LOST, f"submission {row['key']} was accepted and is no case ({case_id or 'none is named'})")
            proof.add([found], f"opsfloor case {row['key']}")


async def _cases(connection: Any, proof: Proof, tell: Tell) -> None:
    """Every case has one life, which gives what is stored of it, and keeps the promises. Read a part at a time, each as it
    stands at one instant: a snapshot that is held for long keeps the database from clearing up."""
    table, name = controls().table.name, controls().name
    total, last = sum(proof.cases.values()), ""
    while True:
        async with _snapshot(connection):
            keys = [row["key"] for row in await connection.fetch(NEXT, table, name, last, CASES_AT_ONCE)]
            if not keys:
                return
            await _part(connection, proof, keys)
        last = keys[-1]
        proof.folded += len(keys)
        tell(proof.folded, max(total, proof.folded))


async def _part(connection: Any, proof: Proof, keys: Sequence[str]) -> None:
    processor = controls()
    stored: dict[str, dict[str, bytes]] = {key: {} for key in keys}
    for key, part, body in await connection.fetch(ROWS, processor.table.name, keys):
        stored[key][part] = body.encode()
    lives: dict[str, list[Entry]] = {key: [] for key in keys}
    for key, number, kind, body in await connection.fetch(LIVES, processor.name, keys):
        lives[key].append(Entry(number, kind, body))
    seen = {key: seen_of(entries) for key, entries in lives.items()}
    ids = [case.started.submission_id for case in seen.values() if case.started is not None]
    registry = {row["key"]: row["case_id"] for row in await connection.fetch(REGISTRY, RECEPTION, ids)}
    for key, entries in lives.items():
        found = [*judge_life(processor, key, entries, stored[key]), *seen[key].judge(key)]
        proof.add([*found, *_judge_origin(key, seen[key], registry)], f"opsfloor case {key}")
        proof.book.update(book_of(seen[key].ends))


def _snapshot(connection: Any) -> Any:
    return connection.transaction(isolation="repeatable_read", readonly=True)


def seen_of(entries: Iterable[Entry]) -> CaseSeen:
    """A case as its journal tells it.

    Holds:   the core bank's word stands in the end that followed from it, and in the answers that controls refused; a line
             that cannot be read is a finding of the life, and passed over here.
    """
    seen = CaseSeen()
    for entry in entries:
        try:
            fact = entry.fact()
        except IMPOSSIBLE:
            continue
        seen.take(fact)
        if isinstance(fact, audit.CasePosted):
            seen.references[fact.posting_id].add(fact.core_reference)
        elif isinstance(fact, audit.PostingAnswerRefused) and fact.answer == "confirmed":
            seen.references[fact.posting_id].add(fact.detail)
    return seen


def _judge_origin(case_id: str, case: CaseSeen, registry: Mapping[str, str]) -> Iterator[Finding]:
    if case.started is None:
        return
    submission_id = case.started.submission_id
    if registry.get(submission_id) != case_id:
        known = registry.get(submission_id) or "none"
        yield Finding(DOUBLED, f"case {case_id} is of {submission_id}, of which intake knows the case {known}")


def document(proof: Proof) -> dict[str, Any]:
    """The proof for programs."""
    return {
        "kept": not proof.counts,
        **{
            name: getattr(proof, name)
            for name in ("submissions", "cases", "on_their_way", "waiting", "folded", "lanes")
        },
        "book": dict(proof.book),
        "bus_records": BUS_RECORDS,
        "findings": {
            promise: {
                "count": proof.counts[promise],
                "first": [{**dataclasses.asdict(broken.finding), "look": broken.look} for broken in first],
            }
            for promise, first in proof.first.items()
        },
    }
