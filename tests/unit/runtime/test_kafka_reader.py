"""A group reader while its client is being replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from shared.runtime.kafka_log import KafkaReader
from shared.runtime.log import Place


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
