"""What a command line writes to the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from opsfloor import floor
from shared.contracts.message import Message
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.processor import BoardSpec


@asynccontextmanager
async def commands(name: str = "command-line") -> AsyncIterator[CommandPublisher]:
    """A publisher for records from outside, started and stopped around a block."""
    log = KafkaLog(floor.settings().kafka)
    publisher = log.publisher()
    await publisher.start()
    try:
        yield CommandPublisher(log, publisher, f"/opsfloor/{name}/http", RealClock())
    finally:
        await publisher.stop()


@asynccontextmanager
async def command_publisher(name: str = "command-line") -> AsyncIterator[Callable[[Message, str], Awaitable[None]]]:
    """The same for who only publishes."""
    async with commands(name) as publisher:
        yield publisher.publish


async def published(spec: BoardSpec) -> Any:
    """A board as it stands on the bus now. Errors: `TransientError` when the bus is away."""
    boards = Boards((spec,))
    keeper = BoardKeeper(boards, KafkaLog(floor.settings().kafka))
    try:
        await keeper.start()
    finally:
        await keeper.stop()
    return boards.views[spec.name]
