"""What people and outside systems ask for, written to the bus."""

from __future__ import annotations

from typing import Final

from shared.contracts.message import Message, Topic, with_nul
from shared.runtime.clock import Clock
from shared.runtime.errors import ContractError, TransientError
from shared.runtime.headers import outside_headers
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Publisher, partition_of
from shared.runtime.tracing import REQUEST


class CommandPublisher:
    """Publishes what people and outside systems ask for: keyed, without a lane, deduplicated by business key."""

    def __init__(self, log: KafkaLog, publisher: Publisher, source: str, clock: Clock) -> None:
        self._log: Final = log
        self._publisher: Final = publisher
        self._source: Final = source
        self._clock: Final = clock
        self._partitions: dict[str, int] = {}

    async def remove(self, topic: Topic, key: str) -> None:
        """Take what stands under a key of a compacted topic away. Errors: `TransientError` when the bus is away."""
        await self._write(topic.name, Outgoing(key.encode(), None, (), self._clock.wall_ms()))

    async def publish(self, message: Message, event_id: str) -> None:
        """Write one record and wait for its acknowledgement.

        Errors:  `TransientError` when the bus is away; `ContractError` for a body that no reader would take.
        """
        headers = outside_headers(message, self._source, event_id, self._clock.now(), REQUEST.get())
        body = message.model_dump_json().encode()
        if with_nul(body):
            raise ContractError(f"Expected text in {message.kind_name()} {message.key}, found the character U+0000")
        await self._write(message.topic.name, Outgoing(message.key.encode(), body, headers, self._clock.wall_ms()))

    async def _write(self, topic: str, record: Outgoing) -> None:
        if topic not in self._partitions:
            self._partitions[topic] = await self._log.partitions(topic)
        place = (topic, partition_of(record.key, self._partitions[topic]))
        failed = await self._publisher.publish({place: [record]})
        if failed:
            raise TransientError(f"Expected {topic} to take the command: {failed[place]}")
