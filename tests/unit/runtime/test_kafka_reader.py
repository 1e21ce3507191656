"""Readers and publishers while aiokafka's clients are being replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import ConsumerStoppedError

from shared.runtime.errors import TransientError
from shared.runtime.kafka_log import KafkaPublisher, KafkaReader
from shared.runtime.log import Outgoing, Place


class SlowToJoin:
    """As aiokafka's consumer; joining needs a few turns of the event loop."""

    joined = False

    async def start(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.joined = True

    def subscribe(self, topics: list[str], listener: object) -> None:
        return None


async def _claimed(numbers: frozenset[int]) -> Mapping[Place, int]:
    return {}


async def _dropped(numbers: frozenset[int]) -> None:
    return None


async def test_who_asks_a_reader_that_is_joining_lets_it_join() -> None:
    """A runner asks again at once and without a wait; the new client's start goes on meanwhile."""
    client = SlowToJoin()
    reader = KafkaReader(lambda: client, ["topic"], _claimed, _dropped)
    joining = asyncio.ensure_future(reader.start())
    for _ in range(3):
        assert await reader.fetch(10, 0.0) == []
        if client.joined:
            break
    assert client.joined
    await joining


class Replaced(SlowToJoin):
    """As aiokafka's consumer that was stopped while somebody read from it."""

    def paused(self) -> set[TopicPartition]:
        return set()

    def resume(self, *spots: TopicPartition) -> None:
        return None

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("topic", 0)}

    async def getmany(self, *spots: TopicPartition, **how: int) -> dict[TopicPartition, list[object]]:
        raise ConsumerStoppedError


async def test_who_reads_from_a_client_that_is_replaced_reads_nothing() -> None:
    """The watchdog stops a client while a batch is being fetched from it: no reason to end the service."""
    reader = KafkaReader(Replaced, ["topic"], _claimed, _dropped)
    await reader.start()
    assert await reader.fetch(10, 0.0) == []
    assert await reader.at_hand(10) == []


class Dying:
    """As aiokafka's producer whose sender died of itself."""

    def __init__(self) -> None:
        self.client = self
        self._message_accumulator = self
        self._sender = self
        self.sender_task = None
        self.closed = False

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def create_batch(self) -> SimpleNamespace:
        return SimpleNamespace(append=lambda **_: object(), close=lambda: None)

    async def send_batch(self, batch: object, topic: str, partition: int) -> asyncio.Future[None]:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.set_exception(KeyError("a batch that was given up"))
        return written

    async def stop(self) -> None:
        raise KeyError("a batch that was given up")

    def fail_all(self, error: Exception) -> None:
        return None

    async def close(self) -> None:
        self.closed = True


async def test_a_producer_that_died_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What aiokafka's sender died of is the failure of the place, also when it comes again at its stop; then it is closed."""
    publisher, dying = KafkaPublisher("nowhere:1"), Dying()
    monkeypatch.setattr(publisher, "_producer", dying)

    async def away() -> None:
        raise TransientError("Expected a broker")

    monkeypatch.setattr(publisher, "start", away)
    failed = await publisher.publish({("topic", 0): [Outgoing(b"k", b"v", (), 0)]})
    assert list(failed) == [("topic", 0)]
    assert dying.closed
