"""What the reroutes in force have done so far, off the desks' rows: looked up again and again, and told as levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from services.routing import looks
from services.routing.emergency.metrics import MOVED, UNPLACEABLE
from services.routing.placement.waiting import Waits
from shared.reroutes import RerouteView
from shared.runtime.levels import Reading


class MovedReads(Protocol):
    """Where it is known what desks have let go. Errors: `TransientError` when that place is away."""

    async def moved_by_reroute(self) -> Mapping[str, int]: ...


def held_by_reroute(waiting: Iterable[Waits]) -> Mapping[str, int]:
    """How many of the items that wait at no desk each reroute keeps from a team."""
    counts: Counter[str] = Counter()
    for waits in waiting:
        counts.update(dict.fromkeys(waits.held_by, waits.items))
    return counts


class Effects:
    """How many items left desks by each reroute, and how many it leaves without a team.

    Holds:   only reroutes on the board are told, so that the series are as few as the open reroutes; true after a
             restart; while the database is away the last look stands.
    """

    def __init__(self, reads: MovedReads, view: RerouteView, waiting: Callable[[], Sequence[Waits]]) -> None:
        self._reads: Final = reads
        self._view: Final = view
        self._waiting: Final = waiting
        self._moved: Mapping[str, int] = {}

    async def follow(self) -> None:
        """Look for as long as the process lives."""
        await looks.follow(self.look, "what reroutes have moved")

    async def look(self) -> None:
        """Look once, unless nothing is in force. Errors: `TransientError` when the database is away."""
        if self._view.acting:
            self._moved = await self._reads.moved_by_reroute()

    def levels(self) -> Iterator[Reading]:
        """Items moved, and items at no desk, by reroute."""
        held = held_by_reroute(self._waiting())
        for reroute_id in sorted(self._view.acting):
            yield MOVED, (reroute_id,), float(self._moved.get(reroute_id, 0))
            yield UNPLACEABLE, (reroute_id,), float(held.get(reroute_id, 0))
