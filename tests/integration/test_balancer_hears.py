"""A balancer's Faust application on a real broker: it begins to hear where the last plan ends."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaProducer

from services.routing.balancer.app import ASKED_ON, faust_app, group_of, heard_out
from shared.runtime.log import Place, Record
from shared.runtime.noted import ends, note
from shared.runtime.topics import ensure_topics

ANSWER_SECONDS: Final = 60.0
BEFORE, MEANWHILE, LIVE = range(3)


async def tell(kafka: str, place: Place, values: Sequence[int]) -> None:
    """Put one record of each value on a place."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(place[0], bytes([value]), partition=place[1])
    finally:
        await producer.stop()


async def test_it_hears_what_came_since_the_last_plan_and_nothing_twice(kafka: str, tmp_path: Path) -> None:
    """Two records stand in the plan, two come while no balancer lives, two while the next one hears."""
    names = [topic.name for topic in ASKED_ON]
    await ensure_topics(kafka)
    starts = await ends(kafka, names)
    place = (names[0], 0)
    await tell(kafka, place, [BEFORE, BEFORE])
    starts = {**starts, place: starts[place] + 2}
    await tell(kafka, place, [MEANWHILE, MEANWHILE])
    instance, heard = uuid.uuid4().hex[:8], list[Record]()
    await note(kafka, group_of(instance), starts)
    listening = asyncio.create_task(heard_out(faust_app(kafka, instance, heard.append, tmp_path)))
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await _count(heard, 2)
            await tell(kafka, place, [LIVE, LIVE])
            await _count(heard, 4)
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
    assert [record.value for record in heard] == [bytes([one]) for one in (MEANWHILE, MEANWHILE, LIVE, LIVE)]
    assert [record.offset - starts[place] for record in heard] == [0, 1, 2, 3]


async def _count(heard: Sequence[Record], count: int) -> None:
    while len(heard) < count:
        await asyncio.sleep(0.1)
