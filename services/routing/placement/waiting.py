"""What waits at placement because no team may or can take it now: looked up again and again, and told as levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.routing import looks
from services.routing.placement.metrics import UNPLACEABLE_ITEMS, UNPLACEABLE_OLDEST
from shared.runtime.levels import Reading

Heading = tuple[str, str]
"""Why it waits, and its business type."""


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits for the same cause: at least one item. `held_by` are the reroutes that keep it from teams."""

    reason: str
    work_type: str
    held_by: tuple[str, ...]
    items: int
    oldest_requested_at: datetime

    @property
    def heading(self) -> Heading:
        return self.reason, self.work_type.rpartition("/")[0]


class WaitingReads(Protocol):
    """Where it is known what waits. Errors: `TransientError` when that place is away."""

    async def waiting(self) -> Sequence[Waits]: ...


class Waiting:
    """What waits without a team, as of the last look.

    Holds:   true right after a start, since it is read off the rows and not counted from facts; a heading under which
             something once waited is told as 0 from then on; while the database is away the last look stands, as
             placement moves nothing then, and ages grow all the same.
    """

    def __init__(self, reads: WaitingReads, now: Callable[[], datetime]) -> None:
        self._reads: Final = reads
        self._now: Final = now
        self._found: Sequence[Waits] = ()
        self._headings: set[Heading] = set()

    async def follow(self) -> None:
        """Look for as long as the process lives."""
        await looks.follow(self.look, "what waits")

    async def look(self) -> None:
        """Look once. Errors: `TransientError` when the database is away."""
        self._found = await self._reads.waiting()
        self._headings.update(waits.heading for waits in self._found)

    def found(self) -> Sequence[Waits]:
        """What waited at the last look."""
        return self._found

    def levels(self) -> Iterator[Reading]:
        """How many items wait, and the age of the oldest, by reason and business type."""
        instant = self._now()
        for heading in sorted(self._headings):
            under = [waits for waits in self._found if waits.heading == heading]
            oldest = min((waits.oldest_requested_at for waits in under), default=instant)
            yield UNPLACEABLE_ITEMS, heading, float(sum(waits.items for waits in under))
            yield UNPLACEABLE_OLDEST, heading, max(0.0, (instant - oldest).total_seconds())
