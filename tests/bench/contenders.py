"""The contenders of the throughput figures, one per process: `python -m tests.bench.contenders raw …`.

Each reads the next `count` records from where it stopped, and prints how long it took from the first one to the last one's
acknowledgement.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.routing.placement.processor import placement
from shared.runtime.boards import Boards
from shared.runtime.bundles import facts_in
from shared.runtime.clock import RealClock
from shared.runtime.collector import spare_collector
from shared.runtime.engine import Limits
from shared.runtime.kafka_log import KafkaLog, KafkaPublisher, KafkaReader
from shared.runtime.log import Claimed, Dropped, Outgoing, Place, Record
from shared.runtime.logs import configure_logging
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.runner import Runner
from tests.bench.records import COPIED, SETTLED

BATCH_RECORDS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Given:
    """What a contender is told. `schema` is the store of the shard runtime."""

    kafka: str
    database_url: str
    count: int
    schema: str


async def raw(given: Given) -> float:
    """Plain aiokafka: fetch, send each record again, wait for them, commit the offsets. No idempotence, no state."""
    consumer = AIOKafkaConsumer(
        SETTLED.name,
        bootstrap_servers=given.kafka,
        group_id="bench-raw",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    producer = AIOKafkaProducer(bootstrap_servers=given.kafka)
    await producer.start()
    await consumer.start()
    done, started = 0, 0.0
    try:
        while done < given.count:
            found = await consumer.getmany(timeout_ms=250, max_records=BATCH_RECORDS_MAX)
            started = started or (time.perf_counter() if found else 0.0)
            sent = [
                await producer.send(COPIED.name, row.value, row.key, headers=list(row.headers))
                for rows in found.values()
                for row in rows
            ]
            if sent:
                await asyncio.gather(*sent)
                await consumer.commit()
            done += len(sent)
        return time.perf_counter() - started
    finally:
        await consumer.stop()
        await producer.stop()


@dataclass
class Watch:
    """When the first record was handed out, and when so many facts were acknowledged."""

    count: int
    started: float = 0.0
    acknowledged: int = 0
    seconds: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def note_fetched(self) -> None:
        self.started = self.started or time.perf_counter()

    def note_acknowledged(self, count: int) -> None:
        self.acknowledged += count
        if self.acknowledged >= self.count and not self.seconds:
            self.seconds = time.perf_counter() - self.started
            self.done.set()


class WatchedReader(KafkaReader):
    """A reader under the watch."""

    def __init__(self, client: Any, topics: Sequence[str], claimed: Claimed, dropped: Dropped, watch: Watch) -> None:
        super().__init__(client, topics, claimed, dropped)
        self._watch: Final = watch

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        found = await super().fetch(records_max, wait_seconds)
        if found:
            self._watch.note_fetched()
        return found


class WatchedPublisher(KafkaPublisher):
    """A publisher under the watch."""

    def __init__(self, bootstrap: str, watch: Watch) -> None:
        super().__init__(bootstrap)
        self._watch: Final = watch

    async def publish(self, batch: Mapping[Place, Sequence[Outgoing]]) -> Mapping[Place, str]:
        failed = await super().publish(batch)
        went = (row for place, rows in batch.items() if place not in failed for row in rows)
        self._watch.note_acknowledged(sum(map(facts_in, went)))
        return failed


class WatchedLog(KafkaLog):
    """The bus, under the watch."""

    def __init__(self, bootstrap: str, watch: Watch) -> None:
        super().__init__(bootstrap)
        self._watch: Final = watch

    def group_reader(self, group: str, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> KafkaReader:
        plain = super().group_reader(group, topics, claimed, dropped)
        return WatchedReader(plain._client, topics, claimed, dropped, self._watch)

    def publisher(self) -> KafkaPublisher:
        return WatchedPublisher(self.bootstrap, self._watch)


async def runtime(given: Given) -> float:
    """The shard runtime with placement, which closes each item: look up, decide, one row, one fact; exactly once."""
    processor = replace(placement(), inputs=(SETTLED,))
    # no board is fed: a settled item is closed without looking at any
    async with asyncpg.create_pool(given.database_url, min_size=1, max_size=4, reset=_leave_as_it_is) as pool:
        store = PostgresStore(pool, given.schema, processor.name, processor.table.name)
        limits = Limits(batch_records_max=BATCH_RECORDS_MAX)
        watch = Watch(given.count)
        log = WatchedLog(given.kafka, watch)
        runner = Runner(processor, log, store, Boards(processor.boards), RealClock(), limits)
        spare_collector()  # as the host does it
        await runner.start()
        running = asyncio.create_task(runner.run())
        waiting = asyncio.create_task(watch.done.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        runner.stop()
        await running
        await runner.close()
        return watch.seconds


async def _leave_as_it_is(connection: object) -> None:
    """As the host does it: no reset."""


CONTENDERS: Final = {"raw": raw, "runtime": runtime}


def main() -> int:
    """Run one contender and print its seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=sorted(CONTENDERS))
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--schema", default="bench_small")
    parser.add_argument("--profile", action="store_true", help="print where the time goes to standard error")
    told = parser.parse_args()
    configure_logging("warning")
    given = Given(told.kafka, told.database_url, told.count, told.schema)
    profile = cProfile.Profile() if told.profile else None
    if profile:
        profile.enable()
    seconds = uvloop.run(CONTENDERS[told.contender](given))
    if profile:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(45)
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
