"""What waits at placement because no team may or can take it now: looked up again and again, and told as levels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from services.routing.placement.metrics import UNPLACEABLE_ITEMS, UNPLACEABLE_OLDEST
from shared.runtime.errors import TransientError
from shared.runtime.levels import Reading

LOOK_SECONDS: Final = 15.0  # as often as Prometheus asks
REST_FACTOR: Final = 10.0  # a look that takes long is followed by so much longer a rest: the database is for the work
Heading = tuple[str, str]
"""Why it waits, and its business type."""

_log: Final = structlog.get_logger("opsfloor.placement")


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits under one heading: at least one item."""

    items: int
    oldest_requested_at: datetime


class WaitingReads(Protocol):
    """Where it is known what waits. Errors: `TransientError` when that place is away."""

    async def waiting(self) -> Mapping[Heading, Waits]: ...


class Waiting:
    """What waits without a team, as of the last look.

    Holds:   true right after a start, since it is read off the rows and not counted from facts; a heading under which
             something once waited is told as 0 from then on; while the database is away the last look stands, as
             placement moves nothing then, and ages grow all the same.
    """

    def __init__(self, reads: WaitingReads, now: Callable[[], datetime]) -> None:
        self._reads: Final = reads
        self._now: Final = now
        self._found: dict[Heading, Waits | None] = {}

    async def follow(self) -> None:
        """Look for as long as the process lives."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self.look()
            except TransientError as error:
                _log.warning("cannot see what waits", reason=str(error))
            await asyncio.sleep(max(LOOK_SECONDS, REST_FACTOR * (loop.time() - began)))

    async def look(self) -> None:
        """Look once. Errors: `TransientError` when the database is away."""
        self._found = {**dict.fromkeys(self._found), **await self._reads.waiting()}

    def levels(self) -> Iterator[Reading]:
        """How many items wait, and the age of the oldest, by reason and business type."""
        instant = self._now()
        for heading, waits in sorted(self._found.items()):
            yield UNPLACEABLE_ITEMS, heading, 0.0 if waits is None else float(waits.items)
            yield (
                UNPLACEABLE_OLDEST,
                heading,
                0.0 if waits is None else max(0.0, (instant - waits.oldest_requested_at).total_seconds()),
            )
