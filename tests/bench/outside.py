"""What stands outside the floor in a bench: writes records to Kafka in batches, follows topics, takes what comes."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from shared.contracts import routing
from shared.contracts.message import Message, Topic
from shared.runtime.clock import RealClock
from shared.runtime.headers import outside_headers
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Place, Record, partition_of
from tests.bench.records import PARTITIONS


@dataclass
class Outside(ABC):
    """A writer and a follower in one process. Holds: `topics` are followed from where they end at the start."""

    kafka: str
    ended: bool = field(default=False, init=False)  # a cancelled fetch may come back as an empty one
    _outgoing: dict[Place, list[Outgoing]] = field(default_factory=dict, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    topics: ClassVar[Sequence[Topic]]

    @abstractmethod
    def take(self, record: Record) -> None:
        """Do something about one record."""

    def write(self, message: Message, event_id: str) -> None:
        """Put a record into the next publication."""
        clock = RealClock()
        key = message.key.encode()
        headers = outside_headers(message, "/outside/bench", event_id, clock.now())
        record = Outgoing(key, message.model_dump_json().encode(), headers, clock.wall_ms())
        place = (message.topic.name, partition_of(key, PARTITIONS))
        self._outgoing.setdefault(place, []).append(record)
        self._wake.set()

    def command(self, contract: type[routing.Command], team_id: str, operator_id: str, **more: Any) -> None:
        """An operator commands something."""
        command = contract(
            command_id=str(uuid.uuid4()),
            team_id=team_id,
            operator_id=operator_id,
            issued_at=RealClock().now(),
            **more,
        )
        self.write(command, command.command_id)

    async def answer(self) -> None:
        """Read what the floor says and take it, until cancelled."""
        log = KafkaLog(self.kafka)
        tail = log.tail([topic.name for topic in self.topics])
        await tail.start()
        try:
            while not self.ended:
                for record in await tail.fetch(2_000, 0.2):
                    self.take(record)
        finally:
            await tail.stop()

    async def publish(self) -> None:
        """Write what was put out, until cancelled."""
        publisher = KafkaLog(self.kafka).publisher()
        await publisher.start()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                batch, self._outgoing = self._outgoing, {}
                failed = await publisher.publish(batch)
                if failed:
                    raise RuntimeError(f"Expected Kafka to take the load, found {failed}")
        finally:
            await publisher.stop()
