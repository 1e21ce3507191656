"""What the contenders of the throughput figures read: settled work items, as the audit service announces them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.audit import WorkSettled
from shared.contracts.message import Topic
from shared.runtime.clock import RealClock
from shared.runtime.headers import Cause, headers_for
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Place, partition_of
from shared.runtime.processor import derived_id
from shared.runtime.topics import ANY_TIME, settle

PARTITIONS: Final = 4
SETTLED: Final = Topic("bench.settled.v1", "the bench", "work item id")
COPIED: Final = Topic("bench.copied.v1", "the bench", "work item id")
TOLD: Final = Topic("bench.told.v1", "the bench", "work item id")
CHUNK: Final = 5_000


async def ensure_bench_topics(bootstrap: str) -> None:
    """The topics that only the bench reads and writes. Errors: aiokafka's, when the broker refuses them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        names = [topic.name for topic in (SETTLED, COPIED, TOLD)]
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=dict(ANY_TIME)) for name in names])
        await settle(admin, names)
    finally:
        await admin.close()


async def settled_ends(bootstrap: str) -> Mapping[int, int]:
    """Where the settled items end now, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(SETTLED.name, number) for number in range(PARTITIONS)])
        return {place.partition: end for place, end in ends.items()}
    finally:
        await consumer.stop()


async def begin_at(bootstrap: str, group: str, starts: Mapping[int, int]) -> None:
    """Let a new consumer group begin to read the settled items there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        offsets = {TopicPartition(SETTLED.name, number): start for number, start in starts.items()}
        consumer.assign(list(offsets))
        await consumer.commit(offsets)
    finally:
        await consumer.stop()


@dataclass
class Writer:
    """Writes settled items as `audit/controls` would: keyed, on dense lanes. Units: `bytes_each` with key and headers."""

    log: KafkaLog
    written: int = 0
    bytes_each: int = 0
    value_bytes: int = 0
    _sequences: dict[int, int] = field(default_factory=dict)

    async def write(self, count: int) -> None:
        """Write so many more."""
        publisher = self.log.publisher()
        await publisher.start()
        try:
            while count > 0:
                chunk = min(count, CHUNK)
                failed = await publisher.publish(self._chunk(chunk))
                if failed:
                    raise RuntimeError(f"Expected Kafka to take the bench's records, found {failed}")
                count -= chunk
        finally:
            await publisher.stop()

    def _chunk(self, count: int) -> dict[Place, list[Outgoing]]:
        batch: dict[Place, list[Outgoing]] = {}
        for _ in range(count):
            self.written += 1
            place, record = self._record(derived_id("bench", str(self.written)))
            batch.setdefault(place, []).append(record)
        return batch

    def _record(self, work_item_id: str) -> tuple[Place, Outgoing]:
        settled = WorkSettled(work_item_id=work_item_id, case_id=derived_id("case", work_item_id), outcome="accepted")
        key, now = work_item_id.encode(), RealClock().now()
        place = (SETTLED.name, partition_of(key, PARTITIONS))
        sequence = self._sequences[place[1]] = self._sequences.get(place[1], 0) + 1
        source = b"/opsfloor/audit/controls/%d" % place[1]
        event_id = b"%b/%b/%d/%d" % (source, place[0].encode(), place[1], sequence)
        cause = Cause(f"/opsfloor/routing/desk/0/routing.result.v1/0/{sequence}", settled.case_id, "")
        headers = headers_for(settled, event_id, source, sequence, now.isoformat().encode(), cause)
        body = settled.model_dump_json().encode()
        self.value_bytes = len(body)
        self.bytes_each = len(key) + len(body) + sum(len(name) + len(value) for name, value in headers)
        return place, Outgoing(key, body, headers, RealClock().wall_ms())
