"""The bus on Kafka, by aiokafka."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError, ProducerClosed

from shared.runtime.bundles import all_facts
from shared.runtime.errors import ContractError, RecordLostError, TransientError, in_words
from shared.runtime.kafka_access import words_of
from shared.runtime.kafka_leaving import leave
from shared.runtime.kafka_tail import KafkaTail, record_of
from shared.runtime.log import Claimed, Dropped, Outgoing, Place, Record, room_for
from shared.runtime.patience import within
from shared.runtime.session import Session

BATCH_BYTES_MAX: Final = 512 * 1024
REQUEST_MS: Final = 15_000
SESSION_SECONDS: Final = 6.0
STOP_SECONDS: Final = 2.0
FETCH_WAIT_MS: Final = 1_000  # the broker answers with the first record; for nothing at all it is asked no more often
HELD_RECORDS: Final = 100  # after a smaller batch nothing is fetched ahead: what comes meanwhile comes in one piece
ROWS_MAX: Final = 32  # records asked of the client at once: each may be a bundle
JOIN_SECONDS: Final = 0.05  # between two looks at a client that is joining the group
START_CHECKS_MAX: Final = 8
START_CHECK_SECONDS: Final = 0.5
PLACE_CHECKS_MAX: Final = 5
PLACE_CHECK_SECONDS: Final = 0.1
NOT_READ: Final = (KafkaError, ConsumerStoppedError)  # the second: its client was replaced meanwhile
NOT_WRITTEN: Final = (KafkaError, OSError, TimeoutError, KeyError)
"""What a publication fails of. aiokafka's sender gives all its batches what it dies of itself, and one that is ended while it
has to send a batch again dies of a `KeyError`."""

_log: Final = structlog.get_logger("opsfloor.kafka")


class KafkaLog:
    """Makes readers, tails and publishers for one Kafka cluster.

    Units:   the session timeout in seconds; `instance` makes group membership static, so that a restart within the
             session keeps its partitions without a rebalance.
    """

    def __init__(
        self, bootstrap: str, *, session_timeout_seconds: float = SESSION_SECONDS, instance: str | None = None
    ) -> None:
        self.bootstrap: Final = bootstrap
        self._session_ms: Final = int(session_timeout_seconds * 1000)
        self._session: Final = Session(session_timeout_seconds)
        self._instance: Final = instance

    def group_reader(self, group: str, topics: Sequence[str], claimed: Claimed, dropped: Dropped) -> KafkaReader:
        def client() -> AIOKafkaConsumer:
            return AIOKafkaConsumer(
                **words_of(self.bootstrap),
                group_id=group,
                group_instance_id=None if self._instance is None else f"{self._instance}-{group}",
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                partition_assignment_strategy=(RangePartitionAssignor,),
                session_timeout_ms=int(self._session.seconds * 1000),
                heartbeat_interval_ms=max(200, self._session_ms // 4),
                max_poll_interval_ms=900_000,  # a batch that looks outside may take minutes; who hangs, the watchdog ends
                rebalance_timeout_ms=max(10_000, self._session_ms * 2),
                request_timeout_ms=REQUEST_MS,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_partition_fetch_bytes=1024 * 1024,
                retry_backoff_ms=100,
                metadata_max_age_ms=60_000,
            )

        return KafkaReader(client, topics, claimed, dropped, self._session)

    def tail(
        self,
        topics: Sequence[str],
        *,
        gather_seconds: float = 0.0,
        since_ms: int | None = None,
        kinds: frozenset[bytes] = frozenset(),
    ) -> KafkaTail:
        """A tail that takes every record at once; one in no hurry lets records gather so long after it was given some; one
        that names kinds passes over all others.

        Units:   `since_ms` is the stamp (since the epoch) from which on records are wanted; none: from the beginning.
        """

        def client() -> AIOKafkaConsumer:
            return AIOKafkaConsumer(
                *topics,
                **words_of(self.bootstrap),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_WAIT_MS,
                request_timeout_ms=REQUEST_MS,
            )

        return KafkaTail(client, topics, since_ms=since_ms, kinds=kinds, gather_seconds=gather_seconds)

    def publisher(self) -> KafkaPublisher:
        return KafkaPublisher(self.bootstrap)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def partitions(self, topic: str) -> int:
        admin = AIOKafkaAdminClient(**words_of(self.bootstrap), request_timeout_ms=REQUEST_MS)
        try:
            await admin.start()
            answer = await admin.describe_topics([topic])
            found = answer[0]["partitions"]
        except (KafkaError, OSError) as error:
            raise TransientError(f"Expected Kafka at {self.bootstrap} to answer, found {in_words(error)}") from error
        finally:
            await admin.close()
        if not found:
            raise ContractError(
                f"Expected a topic {topic}, found none: `opsfloor reference FOLDER` makes the floor's topics"
            )
        return len(found)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Awaited by aiokafka inside a rebalance: finish what goes, claim what comes, read on from the store's offsets."""

    def __init__(self, reader: KafkaReader, consumer: AIOKafkaConsumer) -> None:
        self._reader: Final = reader
        self._consumer: Final = consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._reader.ask_for_session(self._consumer, had=bool(list(revoked)))
        await self._reader.let_go()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._reader.take_over(self._consumer, frozenset(place.partition for place in assigned))


class KafkaReader:
    """A group member. Eager rebalancing: every change drops all numbers and claims the new ones.

    Holds:   aiokafka fetches and hands out records while the listener still claims; what comes of a number that is not
             open yet is left, and the seek that opens it brings it again. It fetches ahead, and a broker answers with
             the first record that it has: after a small batch it is held until the next `fetch`, so that a reader
             that works on little gets what has gathered, not record by record.
    Errors:  a broker that is away is waited for, and `fetch` is empty meanwhile. aiokafka logs and forgets what a
             listener raises, so it is kept and raised by the next `fetch`. `RecordLostError` when the log does not hold
             the place to go on from: Kafka would silently begin elsewhere.
    """

    def __init__(
        self, client: Any, topics: Sequence[str], claimed: Claimed, dropped: Dropped, session: Session | None = None
    ) -> None:
        self._client: Final = client
        self._session: Final = session or Session(SESSION_SECONDS)
        self._asked_seconds = self._session.seconds
        self._leaving: asyncio.Task[None] | None = None  # to join anew, with the session that was set
        self._topics: Final = list(topics)
        self._claimed: Final = claimed
        self._dropped: Final = dropped
        self._consumer: AIOKafkaConsumer | None = None
        self._owned: frozenset[int] = frozenset()
        self._open: frozenset[int] = frozenset()
        self._failure: BaseException | None = None
        self._left: Final[dict[TopicPartition, deque[Record]]] = {}  # facts of records that were taken in part

    async def start(self) -> None:
        consumer = self._client()
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await leave(consumer)
            raise TransientError(f"Expected to join the group, found {in_words(error)}") from error
        self._consumer, self._asked_seconds = consumer, self._session.seconds
        consumer.subscribe(self._topics, listener=_Listener(self, consumer))

    def ask_for_session(self, consumer: Any, had: bool) -> None:
        """Before each joining: a process that had shards and is no member any more, and did not leave, came late.

        Holds:   aiokafka has no public way to tell this, or to ask for another session than the first.
        """
        coordinator = consumer._coordinator
        if had and not coordinator.member_id and self._leaving is None:
            self._session.came_late()
            _log.warning("put out of the group while alive", session_seconds=self._session.seconds)
        self._leaving, self._asked_seconds = None, self._session.seconds
        coordinator._session_timeout_ms = int(self._asked_seconds * 1000)

    def _join_anew_when_calm(self, consumer: Any) -> None:
        """A member keeps the session that it joined with: who asked for a long one leaves when it is needed no more."""
        if self._leaving is None and self._session.seconds < self._asked_seconds and consumer.assignment():
            _log.info("joins anew", session_seconds=self._session.seconds)
            self._leaving = consumer._coordinator.maybe_leave_group()

    async def take_over(self, consumer: AIOKafkaConsumer, numbers: frozenset[int]) -> None:
        """Claim the numbers and place the consumer at the store's offsets."""
        if not numbers or self._consumer is not consumer:
            return
        self._owned = numbers
        self._left.clear()
        with self._kept():
            starts = await self._claimed(numbers)
            await self._check(consumer, starts)
            self._seek(consumer, {(topic, n): 0 for topic in self._topics for n in numbers} | dict(starts))
            self._open = numbers

    async def let_go(self) -> None:
        """Finish and give up everything owned."""
        owned, self._owned, self._open = self._owned, frozenset(), frozenset()
        self._left.clear()
        if owned:
            with self._kept():
                await self._dropped(owned)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep for the next `fetch` what is raised inside."""
        try:
            yield
        except asyncio.CancelledError:
            raise  # the client is being stopped
        except BaseException as error:
            self._failure = error
            raise

    async def _check(self, consumer: AIOKafkaConsumer, starts: Mapping[Place, int]) -> None:
        """Wait until the broker tells that it holds every place to go on from; a new leader may lag for a moment."""
        checks, wrong = 0, list[str]()
        while checks < START_CHECKS_MAX and self._consumer is consumer:
            try:
                wrong = await _missing(consumer, starts)
                checks += 1
            except (KafkaError, OSError) as error:
                _log.warning("cannot compare the store with the log yet", reason=in_words(error))
            if not wrong and checks:
                return
            await asyncio.sleep(START_CHECK_SECONDS)
        if wrong:
            raise RecordLostError(
                f"Expected the log to hold where the store has read to, found {'; '.join(wrong)}: a record was lost, or the "
                "topic was made anew. Remedy: use the bus that belongs to this database; else docs/operations.md, «A gap»"
            )

    def _seek(self, consumer: AIOKafkaConsumer, starts: Mapping[Place, int]) -> None:
        assigned = consumer.assignment()
        for place, offset in starts.items():
            spot = TopicPartition(*place)
            self._left.pop(spot, None)
            if spot in assigned:
                consumer.seek(spot, offset)

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        consumer, failure, self._failure = self._consumer, self._failure, None
        if failure is not None:
            raise failure
        if consumer is None:  # it joins at the moment: whoever asks again and again must let it
            await asyncio.sleep(max(wait_seconds, JOIN_SECONDS))
            return []
        self._join_anew_when_calm(consumer)
        consumer.resume(*consumer.paused())
        found: list[Record] = []
        try:
            await self._hand_out(consumer, records_max, found)
            if not found:
                await self._wait_for(consumer, records_max, wait_seconds, found)
        except NOT_READ as error:  # what was handed out before is not handed out again
            _log.warning("fetch failed", reason=in_words(error))
            if not found:
                await asyncio.sleep(max(wait_seconds, 0.1))
        # No await between the hand-out above and the next lines: neither a seek nor a request can come between them.
        if 0 < len(found) < HELD_RECORDS:
            consumer.pause(*consumer.assignment())
        return found

    async def at_hand(self, records_max: int) -> list[Record]:
        if self._consumer is None or self._failure is not None:
            return []
        found: list[Record] = []
        try:
            await self._hand_out(self._consumer, records_max, found)
        except NOT_READ as error:
            _log.warning("fetch failed", reason=in_words(error))
        return found

    async def _wait_for(
        self, consumer: AIOKafkaConsumer, records_max: int, wait_seconds: float, found: list[Record]
    ) -> None:
        """What comes first, whatever it is, and then in turn what has come with it."""
        if wait_seconds <= 0:
            return
        rows = await consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=1)
        if rows and self._consumer is consumer:
            self._unpack(rows)
            await self._hand_out(consumer, records_max, found)

    async def _hand_out(self, consumer: AIOKafkaConsumer, records_max: int, found: list[Record]) -> None:
        """Put into `found` what the client has at hand: topic by topic, of each place its part, then whatever it has.

        Holds:   it waits only while the group changes; what was handed out before such a change is left, as whoever owns
                 the number then reads on from what the store says.
        """
        opened = self._open
        for topic in self._topics:
            spots = [spot for spot in consumer.assignment() if spot.topic == topic]
            room = room_for(topic, self._topics, records_max - len(found))
            for some, part in [([spot], -(-room // len(spots))) for spot in spots] + [(spots, room)]:
                if not some or room <= 0:
                    break
                before = len(found)
                await self._take(consumer, some, before + min(part, room), found)
                if self._open is not opened or self._consumer is not consumer:
                    found.clear()
                    return
                room -= len(found) - before

    async def _take(
        self, consumer: AIOKafkaConsumer, spots: Sequence[TopicPartition], most: int, found: list[Record]
    ) -> None:
        """Fill `found` up to `most` with facts of these places: what is left of records taken before, then the next ones.

        Holds:   records are asked for a few at a time, as each may hold many facts.
        """
        opened = self._open
        self._drain(spots, most, found)
        while len(found) < most:
            asked = min(most - len(found), ROWS_MAX)
            rows = await consumer.getmany(*spots, timeout_ms=0, max_records=asked)
            if not rows or self._open is not opened or self._consumer is not consumer:
                break
            self._unpack(rows)
            self._drain(list(rows), most, found)
            if sum(map(len, rows.values())) < asked:
                break

    def _unpack(self, rows: Mapping[TopicPartition, Sequence[Any]]) -> None:
        for spot, records in rows.items():
            if spot.partition in self._open:
                self._left.setdefault(spot, deque()).extend(all_facts(map(record_of, records)))

    def _drain(self, spots: Iterable[TopicPartition], most: int, found: list[Record]) -> None:
        for spot in spots:
            left = self._left.get(spot)
            while left and len(found) < most:
                found.append(left.popleft())

    async def seek(self, starts: Mapping[Place, int]) -> None:
        if self._consumer is not None:
            self._seek(self._consumer, starts)

    async def hint(self, offsets: Mapping[Place, int]) -> bool:
        consumer = self._consumer
        if consumer is None:
            return False
        mine = {spot: at for place, at in offsets.items() if (spot := TopicPartition(*place)) in consumer.assignment()}
        try:
            if mine:
                await within(5, consumer.commit(mine))
        except (KafkaError, TimeoutError) as error:
            _log.info("offsets not noted at the broker", reason=in_words(error))
            return False
        return True

    async def ends(self) -> Mapping[Place, int]:
        consumer = self._consumer
        if consumer is None:
            raise TransientError("Expected to be in the group, found that joining it has failed so far")
        if not consumer.assignment():
            return {}
        try:
            found = await within(5, consumer.end_offsets(list(consumer.assignment())))
        except (KafkaError, TimeoutError, OSError) as error:
            raise TransientError(f"Expected Kafka to tell end offsets, found {in_words(error)}") from error
        return {(spot.topic, spot.partition): end for spot, end in found.items()}

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        try:
            await self.let_go()
        finally:
            if consumer is not None:
                await leave(consumer, 5 * STOP_SECONDS)


class KafkaPublisher:
    """One idempotent producer; at most one batch under way per place, so that an error leaves no gap behind it.

    Holds:   may be called by several at once; then the order of their records on one place is not said.
    Errors:  aiokafka retries a batch itself for `REQUEST_MS`; then its place has failed, and a new producer takes over.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap: Final = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._renewing: Final = asyncio.Lock()

    async def start(self) -> None:
        producer = AIOKafkaProducer(
            **words_of(self._bootstrap),
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=REQUEST_MS,
            retry_backoff_ms=50,
        )
        try:
            await within(REQUEST_MS / 1000, producer.start())
        except (KafkaError, OSError, TimeoutError) as error:
            await _end(producer)
            raise TransientError(f"Expected Kafka to take a producer, found {in_words(error)}") from error
        self._producer = producer

    async def publish(self, batch: Mapping[Place, Sequence[Outgoing]]) -> Mapping[Place, str]:
        producer = self._producer or await self._renew(None)
        if producer is None:
            return dict.fromkeys(batch, "no producer: Kafka is away")
        places = list(batch.items())
        if len(places) == 1:
            reasons = [await _publish_place(producer, *places[0])]
        else:
            reasons = await asyncio.gather(*(_publish_place(producer, place, rows) for place, rows in places))
        failed = {place: reason for (place, _), reason in zip(places, reasons, strict=True) if reason is not None}
        if failed:
            await self._renew(producer)
        return failed

    async def _renew(self, failed: AIOKafkaProducer | None) -> AIOKafkaProducer | None:
        """After an error the producer may hold batches that it would send later: a new one takes its place, once."""
        async with self._renewing:
            if self._producer is not failed:
                return self._producer
            self._producer = None
            if failed is not None:
                await _end(failed)
            try:
                await self.start()
            except TransientError as error:
                _log.warning("no producer yet", reason=str(error))
            return self._producer

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _end(producer)


async def _publish_place(producer: AIOKafkaProducer, place: Place, rows: Sequence[Outgoing]) -> str | None:
    position = 0
    try:
        if not await within(REQUEST_MS / 1000, _known(producer, place)):
            return f"Expected a topic {place[0]} with a partition {place[1]}, found none"
        while position < len(rows):
            builder = producer.create_batch()
            while position < len(rows) and _append(builder, rows[position]):  # an empty batch takes any record
                position += 1
            builder.close()
            written = await producer.send_batch(builder, place[0], partition=place[1])
            await within(2 * REQUEST_MS / 1000, written)
    except NOT_WRITTEN as error:
        return in_words(error)
    return None


async def _known(producer: AIOKafkaProducer, place: Place) -> bool:
    """Whether the place exists. A topic made a moment ago may be known to the broker only in part: ask again."""
    for _ in range(PLACE_CHECKS_MAX):
        if place[1] in await producer.partitions_for(place[0]):
            return True
        await asyncio.sleep(PLACE_CHECK_SECONDS)
        await producer.client.force_metadata_update()
    return False


async def _end(producer: AIOKafkaProducer) -> None:
    """Stop a producer; one that cannot flush in time is torn down, so that it writes nothing later."""
    try:
        await within(STOP_SECONDS, producer.stop())
    except NOT_WRITTEN as error:
        _log.info("producer given up", reason=in_words(error))
        producer._message_accumulator.fail_all(ProducerClosed())  # aiokafka has no public way to give up what it holds
        sender = producer._sender.sender_task
        if sender is not None:
            sender.cancel()
        await producer.client.close()


async def _missing(consumer: AIOKafkaConsumer, starts: Mapping[Place, int]) -> list[str]:
    """The places whose start the log does not hold, in words. A place that is read from 0 takes what there is."""
    spots = {TopicPartition(*place): at for place, at in starts.items() if at > 0}
    if not spots:
        return []
    first, end = await consumer.beginning_offsets(list(spots)), await consumer.end_offsets(list(spots))
    return [
        f"{spot.topic}/{spot.partition}: offset {at} of {first[spot]} to {end[spot]}"
        for spot, at in sorted(spots.items())
        if not first[spot] <= at <= end[spot]
    ]


def _append(builder: Any, row: Outgoing) -> bool:
    return (
        builder.append(key=row.key, value=row.value, timestamp=row.timestamp_ms, headers=list(row.headers)) is not None
    )
