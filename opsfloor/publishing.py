"""What a command line writes to the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from opsfloor import floor
from shared.contracts.message import Message
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.kafka_log import KafkaLog


@asynccontextmanager
async def command_publisher(name: str = "command-line") -> AsyncIterator[Callable[[Message, str], Awaitable[None]]]:
    """A publisher for records from outside, started and stopped around a block."""
    log = KafkaLog(floor.settings().kafka)
    publisher = log.publisher()
    await publisher.start()
    try:
        yield CommandPublisher(log, publisher, f"/opsfloor/{name}/http", RealClock()).publish
    finally:
        await publisher.stop()
