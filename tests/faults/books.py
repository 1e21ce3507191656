"""The floor's tables, held against its topics: what is stored, what was published and what was read are one story."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from shared.contracts.audit import CaseFact
from shared.contracts.registry import CONTRACTS
from shared.proof.cases import Finding
from shared.proof.lives import Entry, judge_life
from shared.runtime.headers import origin_of, source_of
from shared.runtime.log import Place, Record
from shared.runtime.processor import Processor

Lane = tuple[str, str, int]
"""Source, topic and partition."""


@dataclass
class Lives:
    """What a processor with a journal keeps of its entities: every fact in order, and the state as it is stored."""

    journal: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))


@dataclass(slots=True)
class Books:
    """What the tables of all services say.

    Shape:   `read_to` is the next offset by processor's full name and place; `journal` and `rows` go by case.
    """

    outbox: dict[str, int] = field(default_factory=dict)
    lanes_out: dict[Lane, int] = field(default_factory=dict)
    read_to: dict[tuple[str, Place], int] = field(default_factory=dict)
    lives: dict[str, Lives] = field(default_factory=lambda: defaultdict(Lives))  # by processor


CASES: Final = "audit/controls"  # the processor whose journal is a case's life


async def read_books(url: str, processors: Sequence[Processor]) -> Books:
    """Read the tables as they stand, past the services, in one snapshot."""
    books = Books()
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for processor in processors:
                await _read_shell(connection, processor, books)
                if processor.journal:
                    await _read_lives(connection, processor, books)
    finally:
        await connection.close()
    return books


async def _read_shell(connection: Any, processor: Processor, books: Books) -> None:
    schema, name = processor.service, processor.name
    books.outbox[processor.full_name] = await connection.fetchval(
        f"SELECT coalesce(sum(sequence - first_sequence + 1), 0)::int FROM {schema}.outbox WHERE processor = $1", name
    )
    lanes = await connection.fetch(
        f"SELECT shard, topic, partition, sequence FROM {schema}.lane_out WHERE processor = $1", name
    )
    for shard, topic, partition, sequence in lanes:
        books.lanes_out[(source_of(schema, name, shard), topic, partition)] = sequence
    inlets = await connection.fetch(f"SELECT topic, shard, next_offset FROM {schema}.inlet WHERE processor = $1", name)
    for topic, shard, next_offset in inlets:
        books.read_to[(processor.full_name, (topic, shard))] = next_offset


async def _read_lives(connection: Any, processor: Processor, books: Books) -> None:
    schema = processor.service
    lines = await connection.fetch(
        f"SELECT key, n, kind, body FROM {schema}.journal WHERE processor = $1 ORDER BY key, n", processor.name
    )
    for key, number, kind, body in lines:
        books.lives[processor.full_name].journal[key].append(Entry(number, kind, body))
    rows = await connection.fetch(
        f"SELECT key, part, body FROM {schema}.state WHERE table_name = $1", processor.table.name
    )
    for key, part, body in rows:
        books.lives[processor.full_name].rows[key][part] = body.encode()


def judge(books: Books, topics: Mapping[Place, Sequence[Record]], processors: Sequence[Processor]) -> Iterator[Finding]:
    """Every way in which tables and topics contradict each other, once the services have stopped."""
    yield from _judge_outboxes(books)
    yield from _judge_lanes(books, topics)
    yield from _judge_lives(books, topics)
    for processor in processors:
        lives = books.lives[processor.full_name]
        for key, entries in lives.journal.items() if processor.journal else ():
            yield from judge_life(processor, key, entries, lives.rows.get(key, {}))
    for place, records in topics.items():
        if place[0].endswith(".dlq") and records:
            yield Finding("nothing parked", f"{place[0]}[{place[1]}] holds {len(records)} records, nobody sent rubbish")


def unread(
    books: Books, ends: Mapping[Place, int], processors: Sequence[Processor]
) -> Iterator[tuple[str, Place, int, int]]:
    """Where a processor has not read to the given ends: its name, the place, how far it is, how far it should be."""
    for processor in processors:
        for place, end in sorted(ends.items()):
            at = books.read_to.get((processor.full_name, place), 0)
            if place[0] in {topic.name for topic in processor.inputs} and at < end:
                yield processor.full_name, place, at, end


def _judge_outboxes(books: Books) -> Iterator[Finding]:
    for name, count in books.outbox.items():
        if count:
            yield Finding("nothing lost", f"{name}: {count} committed facts were never published")


def _judge_lanes(books: Books, topics: Mapping[Place, Sequence[Record]]) -> Iterator[Finding]:
    """Everything committed was published, and nothing else: a zombie's facts would go beyond what is stored."""
    published: Final[dict[Lane, int]] = {}
    for place, records in topics.items():
        for record in records:
            origin = origin_of(record) if any(name == "sequence" for name, _ in record.headers) else None
            if origin is not None and origin.sequence:
                lane = (origin.source, *place)
                published[lane] = max(origin.sequence, published.get(lane, 0))
    for lane in sorted(published.keys() | books.lanes_out.keys()):
        on_bus, stored = published.get(lane, 0), books.lanes_out.get(lane, 0)
        if on_bus != stored:
            source, topic, partition = lane
            yield Finding(
                "published is committed", f"{source} → {topic}[{partition}]: stored {stored}, published {on_bus}"
            )


def _judge_lives(books: Books, topics: Mapping[Place, Sequence[Record]]) -> Iterator[Finding]:
    """The journal of a case tells the same life, word for word, as the topic does."""
    told, journal = _lives(topics), books.lives[CASES].journal
    for case_id in sorted(told.keys() | journal.keys()):
        stored = [
            (entry.kind, json.loads(entry.body))
            for entry in journal.get(case_id, [])
            if issubclass(CONTRACTS[entry.kind], CaseFact)
        ]
        if stored != told.get(case_id, []):
            yield Finding(
                "journal",
                f"case {case_id}: the journal tells {[kind for kind, _ in stored]}, "
                f"the topic {[kind for kind, _ in told.get(case_id, [])]}",
            )


def _lives(topics: Mapping[Place, Sequence[Record]]) -> dict[str, list[tuple[str, Any]]]:
    lives: Final[dict[str, list[tuple[str, Any]]]] = defaultdict(list)
    taken: Final[dict[Lane, int]] = {}
    for place, records in topics.items():
        for record in records if place[0] == CaseFact.topic.name else ():
            origin = origin_of(record)
            lane = (origin.source, *place)
            if origin.sequence > taken.get(lane, 0):  # a reader takes each sequence once
                taken[lane] = origin.sequence
                body = json.loads(record.value or b"{}")
                lives[str(body["case_id"])].append((origin.kind, body))
    return lives
