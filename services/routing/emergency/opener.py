"""Opens the drill calendar: a book that nobody has ever commanded is asleep, and must hold its drills all the same."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from shared.contracts.message import Message
from shared.contracts.reroute import HeedCalendar
from shared.runtime.errors import TransientError

RETRY_SECONDS: Final = 5.0

Publish = Callable[[Message, str], Awaitable[None]]

_log: Final = structlog.get_logger("opsfloor.emergency")


class CalendarOpener:
    """Says once, when a process begins, that the calendar is to be looked at; after that the book wakes by itself.

    Holds:   nothing bad comes of two processes that say it.
    """

    def __init__(self, publish: Publish, now: Callable[[], datetime], retry_seconds: float = RETRY_SECONDS) -> None:
        self._publish: Final = publish
        self._now: Final = now
        self._retry_seconds: Final = retry_seconds

    async def run(self) -> None:
        """Say it, again while the bus is away, then do nothing until cancelled."""
        while not await self._said():
            await asyncio.sleep(self._retry_seconds)
        await asyncio.Event().wait()  # what runs in the background of a service ends with it, never before

    async def _said(self) -> bool:
        try:
            await self._publish(HeedCalendar(issued_at=self._now()), f"calendar/{uuid.uuid4()}")
        except TransientError as error:
            _log.warning("cannot open the drill calendar yet", reason=str(error))
            return False
        return True
