"""What the reroutes in force have done so far, off the desks' rows and the book's: looked up again and again, and told as
levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from services.routing import looks
from services.routing.emergency.metrics import MOVED, SENT_BACK, UNPLACEABLE
from services.routing.placement.waiting import Waits
from shared.reroutes import RerouteView
from shared.runtime.levels import Reading


class EffectReads(Protocol):
    """Where it is known what desks have let go and what went back. Errors: `TransientError` when that place is away."""

    async def moved_by_reroute(self) -> Mapping[str, int]: ...

    async def sent_back_by_reroute(self) -> Mapping[str, int]: ...


def held_by_reroute(waiting: Iterable[Waits]) -> Mapping[str, int]:
    """How many of the items that wait at no desk each reroute keeps from a team."""
    counts: Counter[str] = Counter()
    for waits in waiting:
        counts.update(dict.fromkeys(waits.held_by, waits.items))
    return counts


class Effects:
    """How many items left desks by each reroute, how many it leaves without a team, what a `local` one sent back.

    Holds:   only reroutes on the board are told, so that the series are as few as the open reroutes; true after a
             restart; while the database is away the last look stands.
    """

    def __init__(self, reads: EffectReads, view: RerouteView, waiting: Callable[[], Sequence[Waits]]) -> None:
        self._reads: Final = reads
        self._view: Final = view
        self._waiting: Final = waiting
        self._moved: Mapping[str, int] = {}
        self._sent_back: Mapping[str, int] = {}

    async def follow(self) -> None:
        """Look for as long as the process lives."""
        await looks.follow(self.look, "what reroutes have moved")

    async def look(self) -> None:
        """Look once, unless nothing is in force. Errors: `TransientError` when the database is away."""
        if self._view.acting:
            self._moved = await self._reads.moved_by_reroute()
        if any(order.terms.effect == "local" for order in self._view.acting.values()):
            self._sent_back = await self._reads.sent_back_by_reroute()

    def levels(self) -> Iterator[Reading]:
        """Items moved, and items at no desk, by reroute; submissions sent back, by those that do so."""
        held = held_by_reroute(self._waiting())
        for reroute_id, order in sorted(self._view.acting.items()):
            yield MOVED, (reroute_id,), float(self._moved.get(reroute_id, 0))
            yield UNPLACEABLE, (reroute_id,), float(held.get(reroute_id, 0))
            if order.terms.effect == "local":
                yield SENT_BACK, (reroute_id,), float(self._sent_back.get(reroute_id, 0))
