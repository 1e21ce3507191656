"""The bus on Kafka, by aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError

from shared.runtime.errors import ContractError, TransientError
from shared.runtime.log import Claimed, Dropped, Outgoing, Place, Record

BATCH_BYTES_MAX: Final = 512 * 1024
REQUEST_MS: Final = 15_000
_log: Final = structlog.get_logger("opsfloor.kafka")


class KafkaLog:
    """Makes readers, tails and publishers for one Kafka cluster.

    Units:   the session timeout in seconds; `instance` makes group membership static, so that a restart within the
             session keeps its partitions without a rebalance.
    """

    def __init__(self, bootstrap: str, *, session_timeout_seconds: float = 6.0, instance: str | None = None) -> None:
        self.bootstrap: Final = bootstrap
        self._session_ms: Final = int(session_timeout_seconds * 1000)
        self._instance: Final = instance

    def group_reader(self, group: str, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> KafkaReader:
        def client() -> AIOKafkaConsumer:
            return AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap,
                group_id=group,
                group_instance_id=None if self._instance is None else f"{self._instance}-{group}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=(RangePartitionAssignor,),
                session_timeout_ms=self._session_ms,
                heartbeat_interval_ms=max(200, self._session_ms // 4),
                max_poll_interval_ms=300_000,
                rebalance_timeout_ms=max(10_000, self._session_ms * 2),
                request_timeout_ms=REQUEST_MS,
                fetch_max_wait_ms=250,
                max_partition_fetch_bytes=1024 * 1024,
                retry_backoff_ms=100,
                metadata_max_age_ms=60_000,
            )

        return KafkaReader(client, topics, claimed, dropped)

    def tail(self, topics: Sequence[str]) -> KafkaTail:
        return KafkaTail(self.bootstrap, topics)

    def publisher(self) -> KafkaPublisher:
        return KafkaPublisher(self.bootstrap)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def partitions(self, topic: str) -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            answer = await admin.describe_topics([topic])
            found = answer[0]["partitions"]
        except (KafkaError, OSError) as error:
            raise TransientError(f"Expected Kafka at {self.bootstrap} to answer, found {error}") from error
        finally:
            await admin.close()
        if not found:
            raise ContractError(f"Expected a topic {topic}, found none: `opsfloor reference` makes the floor's topics")
        return len(found)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Awaited by aiokafka inside a rebalance: finish what goes, claim what comes, read on from the store's offsets."""

    def __init__(self, reader: KafkaReader, consumer: AIOKafkaConsumer) -> None:
        self._reader: Final = reader
        self._consumer: Final = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._reader.let_go()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._reader.take_over(self._consumer, frozenset(place.partition for place in assigned))


class KafkaReader:
    """A group member. Eager rebalancing: every change drops all numbers and claims the new ones."""

    def __init__(self, client: Any, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> None:
        self._client: Final = client
        self._topics: Final = list(topics)
        self._claimed: Final = claimed
        self._dropped: Final = dropped
        self._consumer: AIOKafkaConsumer | None = None
        self._owned: frozenset[int] = frozenset()

    async def start(self) -> None:
        consumer = self._client()
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise TransientError(f"Expected to join the group, found {error}") from error
        self._consumer = consumer
        consumer.subscribe(self._topics, listener=_Listener(self, consumer))

    async def take_over(self, consumer: AIOKafkaConsumer, numbers: frozenset[int]) -> None:
        """Claim the numbers and place the consumer at the store's offsets."""
        self._owned = numbers
        if numbers:
            starts = await self._claimed(numbers)
            self._seek(consumer, starts)

    async def let_go(self) -> None:
        """Finish and give up everything owned."""
        owned, self._owned = self._owned, frozenset()
        if owned:
            await self._dropped(owned)

    def _seek(self, consumer: AIOKafkaConsumer, starts: Mapping[Place, int]) -> None:
        assigned = consumer.assignment()
        for place, offset in starts.items():
            spot = TopicPartition(*place)
            if spot in assigned:
                consumer.seek(spot, offset)

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        consumer = self._consumer
        if consumer is None:
            return []
        try:
            found = await consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            _log.warning("fetch failed", reason=str(error))
            await asyncio.sleep(wait_seconds)
            return []
        return [_record(row) for rows in found.values() for row in rows]

    async def seek(self, starts: Mapping[Place, int]) -> None:
        if self._consumer is not None:
            self._seek(self._consumer, starts)

    async def hint(self, offsets: Mapping[Place, int]) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        mine = {spot: at for place, at in offsets.items() if (spot := TopicPartition(*place)) in consumer.assignment()}
        try:
            if mine:
                await asyncio.wait_for(consumer.commit(mine), 5)
        except (KafkaError, TimeoutError) as error:
            _log.info("offsets not noted at the broker", reason=str(error))

    async def ends(self) -> Mapping[Place, int]:
        consumer = self._consumer
        if consumer is None or not consumer.assignment():
            return {}
        try:
            found = await asyncio.wait_for(consumer.end_offsets(list(consumer.assignment())), 5)
        except (KafkaError, TimeoutError, OSError) as error:
            raise TransientError(f"Expected Kafka to tell end offsets, found {error}") from error
        return {(spot.topic, spot.partition): end for spot, end in found.items()}

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        await self.let_go()
        if consumer is not None:
            try:
                await asyncio.wait_for(consumer.stop(), 10)
            except (KafkaError, TimeoutError) as error:
                _log.warning("left without a word", reason=str(error))


class KafkaTail:
    """Reads all partitions of its topics from the beginning, without a group."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._topics: Final = list(topics)
        self._consumer: Final = AIOKafkaConsumer(
            *topics,
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=250,
            request_timeout_ms=REQUEST_MS,
        )
        self._ends: dict[TopicPartition, int] = {}

    async def start(self) -> None:
        try:
            await self._consumer.start()
            places = list(self._consumer.assignment())
            missing = set(self._topics) - {place.topic for place in places}
            if missing:
                raise ContractError(f"Expected topics {sorted(missing)}, found none: `opsfloor reference` makes them")
            self._ends = await self._consumer.end_offsets(places)
        except (KafkaError, OSError) as error:
            raise TransientError(f"Expected to read {self._topics}, found {error}") from error

    async def ready(self) -> bool:
        for place, end in self._ends.items():
            if end and await self._consumer.position(place) < end:
                return False
        return True

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        try:
            found = await self._consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            _log.warning("tail failed", reason=str(error))
            await asyncio.sleep(wait_seconds)
            return []
        return [_record(row) for rows in found.values() for row in rows]

    async def stop(self) -> None:
        await self._consumer.stop()


class KafkaPublisher:
    """One idempotent producer; at most one batch under way per place, so that an error leaves no gap behind it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap: Final = bootstrap
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_MS,
            retry_backoff_ms=50,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise TransientError(f"Expected Kafka to take a producer, found {error}") from error
        self._producer = producer

    async def publish(self, batch: Mapping[Place, Sequence[Outgoing]]) -> Mapping[Place, str]:
        places = list(batch.items())
        if len(places) == 1:
            reasons = [await self._publish_place(*places[0])]
        else:
            reasons = await asyncio.gather(*(self._publish_place(place, rows) for place, rows in places))
        failed = {place: reason for (place, _), reason in zip(places, reasons, strict=True) if reason is not None}
        if failed:
            await self._renew()
        return failed

    async def _publish_place(self, place: Place, rows: Sequence[Outgoing]) -> str | None:
        producer, position = self._producer, 0
        if producer is None:
            return "the producer is not running"
        try:
            while position < len(rows):
                builder = producer.create_batch()
                first = position
                while position < len(rows) and _append(builder, rows[position]):
                    position += 1
                if position == first:
                    return f"a record of {len(rows[first].value or b'')} bytes is larger than a batch"
                builder.close()
                written = await producer.send_batch(builder, place[0], partition=place[1])
                await asyncio.wait_for(written, REQUEST_MS / 500)
        except (KafkaError, TimeoutError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    async def _renew(self) -> None:
        """After an error the producer may hold batches that it would send later: a new one takes its place."""
        old, self._producer = self._producer, None
        if old is not None:
            try:
                await asyncio.wait_for(old.stop(), 2)
            except (KafkaError, TimeoutError, OSError) as error:
                _log.info("old producer given up", reason=str(error))
        try:
            await asyncio.wait_for(self.start(), 10)
        except (TransientError, TimeoutError) as error:
            _log.warning("no producer yet", reason=str(error))

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()


def _append(builder: Any, row: Outgoing) -> bool:
    return (
        builder.append(key=row.key, value=row.value, timestamp=row.timestamp_ms, headers=list(row.headers)) is not None
    )


def _record(row: Any) -> Record:
    return Record(row.topic, row.partition, row.offset, row.key, row.value, tuple(row.headers), row.timestamp)
