"""What a command line writes to the bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from opsfloor import floor
from shared.contracts.message import Message
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.kafka_log import KafkaLog


class command_publisher:  # noqa: N801 - used like a function: `async with command_publisher() as publish`
    """A publisher for records from outside, started and stopped around a block."""

    def __init__(self, name: str = "command-line") -> None:
        log = KafkaLog(floor.settings().kafka)
        self._publisher = log.publisher()
        self._commands = CommandPublisher(log, self._publisher, f"/opsfloor/{name}/http", RealClock())

    async def __aenter__(self) -> Callable[[Message, str], Awaitable[None]]:
        await self._publisher.start()
        return self._commands.publish

    async def __aexit__(self, *_: object) -> None:
        await self._publisher.stop()
