"""What people and outside systems ask for, written to the bus."""

from __future__ import annotations

from typing import Final

from shared.contracts.message import Message
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
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

    async def publish(self, message: Message, event_id: str) -> None:
        """Write one record and wait for its acknowledgement. Errors: `TransientError` when the bus is away."""
        topic = message.topic.name
        if topic not in self._partitions:
            self._partitions[topic] = await self._log.partitions(topic)
        key, now = message.key.encode(), self._clock.now()
        headers = outside_headers(message, self._source, event_id, now, REQUEST.get())
        record = Outgoing(key, message.model_dump_json().encode(), headers, self._clock.wall_ms())
        place = (topic, partition_of(key, self._partitions[topic]))
        failed = await self._publisher.publish({place: [record]})
        if failed:
            raise TransientError(f"Expected {topic} to take the command: {failed[place]}")
