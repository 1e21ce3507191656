"""A tail outlives its client: silent death is noticed and nothing is read twice or left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.runtime.kafka_tail import QUIET_SECONDS, KafkaTail

PLACE = TopicPartition("topic", 0)


@dataclass
class Bus:
    """One partition's records, and the clients that were made to read it."""

    length: int = 0
    down: bool = False
    clients: list[Client] = field(default_factory=list)

    def client(self) -> Client:
        self.clients.append(Client(self))
        return self.clients[-1]


@dataclass
class Client:
    """As aiokafka's consumer: `dead` hands out nothing any more, `blind` cannot tell the ends either."""

    bus: Bus
    at: int = 0
    dead: bool = False
    blind: bool = False
    stopped: bool = False
    asleep: frozenset[TopicPartition] = frozenset()
    asked: int = 0

    async def start(self) -> None:
        if self.bus.down:
            raise KafkaConnectionError("refused")

    async def stop(self) -> None:
        self.stopped = True

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def pause(self, *places: TopicPartition) -> None:
        self.asleep |= set(places)

    def resume(self, *places: TopicPartition) -> None:
        self.asleep -= set(places)

    def paused(self) -> frozenset[TopicPartition]:
        return self.asleep

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.at = offset

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        if self.blind:
            raise KafkaConnectionError("no answer")
        return dict.fromkeys(places, self.bus.length)

    async def beginning_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        assert not self.asleep, "a client that is asleep hands out nothing"
        self.asked += 1
        upto = min(self.bus.length, self.at + max_records)
        first, self.at = self.at, self.at if self.dead else upto
        rows = [
            SimpleNamespace(topic="topic", partition=0, offset=n, key=b"k", value=b"", headers=(), timestamp=0)
            for n in range(first, self.at)
        ]
        return {PLACE: rows} if rows else {}


class Reading:
    """A tail under a clock of its own, and the offsets that it handed out."""

    def __init__(self, gather_seconds: float = 0.0) -> None:
        self.bus, self.now, self.offsets = Bus(), 0.0, list[int]()
        self.tail = KafkaTail(self.bus.client, ["topic"], lambda: self.now, gather_seconds=gather_seconds)

    async def fetch(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += QUIET_SECONDS + 1
            self.offsets += [record.offset for record in await self.tail.fetch(100, 0.0)]


async def test_a_silent_client_is_replaced_and_reads_on() -> None:
    """When the bus has more and nothing comes, a new client goes on at the next record."""
    reading = Reading()
    await reading.tail.start()
    reading.bus.length = 2
    await reading.fetch()
    reading.bus.clients[0].dead, reading.bus.length = True, 5
    await reading.fetch(4)
    assert reading.offsets == [0, 1, 2, 3, 4]
    assert [client.stopped for client in reading.bus.clients] == [True, False]


async def test_a_client_that_cannot_see_the_ends_is_replaced() -> None:
    """Blind is as good as dead, also before the first record."""
    reading = Reading()
    await reading.tail.start()
    reading.bus.clients[0].dead = reading.bus.clients[0].blind = True
    reading.bus.length = 1
    await reading.fetch(4)
    assert reading.offsets == [0]


async def test_a_quiet_bus_replaces_nobody() -> None:
    """While there is nothing to read the client stays, however long it takes."""
    reading = Reading()
    await reading.tail.start()
    reading.bus.length = 1
    await reading.fetch(10)
    assert len(reading.bus.clients) == 1
    assert reading.offsets == [0]


async def test_while_the_bus_is_away_the_old_client_stays() -> None:
    """A new client that cannot start is let go; when the bus is back the next one takes over."""
    reading = Reading()
    await reading.tail.start()
    reading.bus.clients[0].dead = reading.bus.clients[0].blind = reading.bus.down = True
    reading.bus.length = 1
    await reading.fetch(4)
    assert not reading.bus.clients[0].stopped
    reading.bus.down = False
    await reading.fetch(4)
    assert reading.offsets == [0]
    assert [client.stopped for client in reading.bus.clients[:-1]] == [True] * (len(reading.bus.clients) - 1)


async def test_records_gather_once_the_tail_has_caught_up() -> None:
    """What was there at the start is read at once; then the broker is asked once for all that came meanwhile."""
    reading = Reading(gather_seconds=0.25)
    await reading.tail.start()
    client = reading.bus.clients[0]
    reading.bus.length = 150

    async def fetch(after_seconds: float) -> list[int]:
        reading.now += after_seconds
        return [record.offset for record in await reading.tail.fetch(100, 0.0)]

    assert [len(await fetch(0.01)) for _ in range(3)] == [100, 50, 0]
    reading.bus.length = 151
    assert await fetch(0.01) == [150]
    assert client.asleep == {PLACE}
    reading.bus.length = 153
    asked = client.asked
    assert [await fetch(0.1) for _ in range(2)] == [[], []]
    assert client.asked == asked
    assert (await fetch(0.1), client.asked) == ([151, 152], asked + 1)


async def test_a_full_hand_means_that_there_is_more() -> None:
    """Records gather only after a fetch that took all there was."""
    reading = Reading(gather_seconds=0.25)
    await reading.tail.start()
    await reading.tail.fetch(100, 0.0)
    reading.bus.length = 120
    assert [len(await reading.tail.fetch(100, 0.0)) for _ in range(3)] == [100, 20, 0]
