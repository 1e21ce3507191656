"""Whoever opens the drill calendar says it until the bus has heard it, and never ends before its service does."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from services.routing.emergency.opener import CalendarOpener
from shared.contracts.message import Message
from shared.contracts.reroute import HeedCalendar
from shared.runtime.errors import TransientError
from shared.runtime.patience import within
from tests.unit.routing.floor import NOW


async def test_it_is_said_once_however_often_the_bus_was_away() -> None:
    """Two refusals, then it is said; the task still runs, for a service ends with the first of its tasks that does."""
    said: list[Message] = []
    refusals = 2
    heard = asyncio.Event()

    async def publish(message: Message, event_id: str) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise TransientError("Expected the bus, found nothing")
        said.append(message)
        heard.set()

    running = asyncio.create_task(CalendarOpener(publish, lambda: NOW, retry_seconds=0.0).run())
    await within(5, heard.wait())
    for _ in range(10):
        await asyncio.sleep(0)
    assert said == [HeedCalendar(issued_at=NOW)]
    assert not running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
