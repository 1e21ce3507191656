"""The bus on Kafka keeps the bus's promises, also when claims fail, offsets do not fit or a producer dies."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from shared.runtime.errors import ContractError, InvariantError, RecordLostError, TransientError
from shared.runtime.kafka_log import BATCH_BYTES_MAX, KafkaLog, KafkaPublisher
from shared.runtime.log import Outgoing, Place, Publisher
from shared.runtime.topics import ANY_TIME, settle
from tests.support.log_suite import PARTITIONS, Bus, LogSuite, Member, everything, outgoing, texts, work, write

NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def bus(kafka: str) -> AsyncIterator[Bus]:
    """Two new topics, removed afterwards."""
    name = uuid.uuid4().hex[:8]
    bus = Bus(KafkaLog(kafka), f"a.{name}", f"b.{name}", f"group.{name}")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(topic, PARTITIONS, 1, topic_configs=dict(ANY_TIME)) for topic in (bus.a, bus.b)]
        )
        await settle(admin, [bus.a, bus.b])
        yield bus
        await admin.delete_topics([bus.a, bus.b])
    finally:
        await admin.close()


@pytest.fixture
async def publisher(bus: Bus) -> AsyncIterator[Publisher]:
    """A running publisher."""
    publisher = bus.log.publisher()
    await publisher.start()
    yield publisher
    await publisher.stop()


class TestKafkaLog(LogSuite):
    """The suite over a real broker."""


async def test_records_before_the_claim_are_left(bus: Bus, publisher: Publisher) -> None:
    """While a claim is still waiting for the database nothing is handed out; then reading begins at its start."""
    await write(publisher, everything(bus), [str(n) for n in range(5)])
    ready = asyncio.Event()

    class Slow(Member):
        async def claimed(self, numbers: frozenset[int]) -> Mapping[Place, int]:
            await ready.wait()
            return {**await super().claimed(numbers), **dict.fromkeys(everything(bus), 3)}

    member = Slow({})
    await member.join(bus)
    for _ in range(20):
        await member.turn()
    assert member.taken == []
    ready.set()
    await work([member], lambda: len(member.taken) == 2 * len(everything(bus)))
    await member.leave()
    assert all(texts(member.taken, place) == ["3", "4"] for place in everything(bus))


async def test_a_failed_claim_is_heard(bus: Bus, publisher: Publisher) -> None:
    """What a claim raises inside a rebalance is raised by the next fetch, and no record is handed out before it."""
    await write(publisher, everything(bus), ["0"])

    class Broken(Member):
        async def claimed(self, numbers: frozenset[int]) -> Mapping[Place, int]:
            await super().claimed(numbers)
            raise InvariantError("Expected a claim to hold")

    member = Broken({})
    await member.join(bus)
    with pytest.raises(InvariantError, match="Expected a claim to hold"):
        await work([member], lambda: bool(member.taken))
    await member.leave()


async def test_a_start_beyond_the_end(bus: Bus, publisher: Publisher) -> None:
    """A store that has read further than the topic reaches belongs to another bus: reading does not begin."""
    await write(publisher, everything(bus), ["0"])
    member = Member({(bus.a, 1): 7})
    await member.join(bus)
    with pytest.raises(RecordLostError, match=rf"found {bus.a}/1: offset 7 of 0 to 1: a record was lost"):
        await work([member], lambda: bool(member.taken))
    await member.leave()


async def test_a_start_that_is_gone(bus: Bus, publisher: Publisher, kafka: str) -> None:
    """Records that retention removed before they were read are missed aloud; a first reader takes what is there."""
    await write(publisher, everything(bus), [str(n) for n in range(5)])
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(bus.a, 0): RecordsToDelete(before_offset=3)})
    await admin.close()
    late = Member({(bus.a, 0): 2})
    await late.join(bus)
    with pytest.raises(RecordLostError, match=rf"found {bus.a}/0: offset 2 of 3 to 5"):
        await work([late], lambda: bool(late.taken))
    await late.leave()
    first = Member({})
    await first.join(bus)
    await work([first], lambda: len(first.taken) == 5 * len(everything(bus)) - 3)
    await first.leave()
    assert texts(first.taken, (bus.a, 0)) == ["3", "4"]


async def test_an_outsiders_record(bus: Bus, kafka: str) -> None:
    """A record without key and with an empty header, as any client may write, is read like the others."""
    outside = AIOKafkaProducer(bootstrap_servers=kafka)
    await outside.start()
    await outside.send_and_wait(bus.a, b"body", partition=0, headers=[("sequence", None), ("ce_type", b"x")])
    await outside.stop()
    member = Member({})
    await member.join(bus)
    await work([member], lambda: bool(member.taken))
    await member.leave()
    assert (member.taken[0].key, member.taken[0].headers) == (None, (("sequence", b""), ("ce_type", b"x")))


async def test_more_than_one_batch(bus: Bus, publisher: Publisher) -> None:
    """A publication larger than a batch is split in order."""
    body = b"x" * (BATCH_BYTES_MAX // 4)
    rows = [Outgoing(b"%d" % n, body, (), 1) for n in range(11)]
    assert await publisher.publish({(bus.a, 0): rows}) == {}
    member = Member({})
    await member.join(bus)
    await work([member], lambda: len(member.taken) == 11)
    await member.leave()
    assert texts(member.taken, (bus.a, 0)) == [str(n) for n in range(11)]


async def test_an_error_stops_its_place(bus: Bus, publisher: Publisher) -> None:
    """After a record that the broker refuses nothing later of its place is written, but other places are."""
    large = Outgoing(b"large", b"x" * 2_000_000, (), 1)
    rows = [outgoing("0"), large, outgoing("1")]
    failed = await publisher.publish({(bus.a, 0): rows, (bus.a, 1): [outgoing("0")]})
    assert set(failed) == {(bus.a, 0)}
    assert "MessageSizeTooLarge" in failed[(bus.a, 0)]
    await write(publisher, [(bus.a, 0), (bus.a, 1)], ["2"])
    member = Member({})
    await member.join(bus)
    await work([member], lambda: len(member.taken) == 4)
    await member.leave()
    assert texts(member.taken, (bus.a, 0)) == ["0", "2"]
    assert texts(member.taken, (bus.a, 1)) == ["0", "2"]


async def test_a_lost_sender(bus: Bus, kafka: str) -> None:
    """A producer whose sender has died fails the publication, once, and is replaced, also when several meet it."""
    publisher = KafkaPublisher(kafka)
    await publisher.start()
    await write(publisher, [(bus.a, 0)], ["0"])
    lost = publisher._producer
    assert lost is not None
    await lost.stop()
    answers = await asyncio.gather(*(publisher.publish({(bus.a, n): [outgoing("0")]}) for n in range(PARTITIONS)))
    assert all("ProducerClosed" in answer[(bus.a, n)] for n, answer in enumerate(answers))
    await write(publisher, [(bus.a, n) for n in range(PARTITIONS)], ["1"])
    await publisher.stop()


async def test_nobody_there() -> None:
    """Without a broker every client says that it is away, and publishing names every place."""
    log = KafkaLog(NOWHERE)
    member = Member({})
    for attempt in (
        member.join(Bus(log, "a", "b", "group")),
        log.tail(["a"]).start(),
        log.publisher().start(),
        log.partitions("a"),
    ):
        with pytest.raises(TransientError, match="Expected"):
            await attempt
    publisher = log.publisher()
    assert set(await publisher.publish({("a", 0): [outgoing("0")]})) == {("a", 0)}
    await publisher.stop()


async def test_a_tail_without_its_topic(bus: Bus) -> None:
    """A board's topic that does not exist is named at the start."""
    with pytest.raises(ContractError, match=r"no\.such\.topic"):
        await bus.log.tail([bus.a, "no.such.topic"]).start()


async def test_offsets_are_hinted(bus: Bus, publisher: Publisher, kafka: str) -> None:
    """How far the group is stands at the broker for lag tools; places of others are left out without an error."""
    await write(publisher, everything(bus), ["0"])
    member = Member({})
    await member.join(bus)
    await work([member], lambda: len(member.taken) == len(everything(bus)))
    await member.reader.hint({(bus.a, 0): 1, ("elsewhere", 0): 5})  # type: ignore[union-attr]  # joined above
    await member.leave()
    lag_tool = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=bus.group, enable_auto_commit=False)
    await lag_tool.start()
    assert await lag_tool.committed(TopicPartition(bus.a, 0)) == 1
    await lag_tool.stop()


async def test_the_group_takes_no_word_from_one_that_it_put_out(bus: Bus, publisher: Publisher) -> None:
    """A member of an earlier generation learns by it that its numbers may be another's by now; then it joins anew."""
    await write(publisher, everything(bus), ["0"])
    member = Member({})
    await member.join(bus)
    await work([member], lambda: len(member.taken) == len(everything(bus)))
    reader: Any = member.reader
    assert await reader.hint({(bus.a, 0): 1})
    reader._consumer._coordinator.generation -= 1  # it slept over a rebalance
    assert not await reader.hint({(bus.a, 0): 1})
    claims = len(member.told)
    await work([member], lambda: len(member.told) > claims and len(member.owned) == PARTITIONS)
    assert await reader.hint({(bus.a, 0): 1})
    await member.leave()


async def test_static_membership(bus: Bus, publisher: Publisher, kafka: str) -> None:
    """A member with a name that comes back within its session claims anew without another member's being disturbed."""
    named, other = KafkaLog(kafka, instance="one", session_timeout_seconds=10), Member({})
    first, again = Member({}), Member({})
    await first.join(Bus(named, bus.a, bus.b, bus.group))
    await work([first], lambda: len(first.owned) == PARTITIONS)
    await other.join(bus)
    await work([first, other], lambda: len(first.owned) == len(other.owned) == PARTITIONS // 2)
    share, before = set(first.owned), len(other.told)
    await first.leave()
    await again.join(Bus(named, bus.a, bus.b, bus.group))
    await work([again, other], lambda: again.owned == share)
    assert len(other.told) == before
    await again.leave()
    await other.leave()
