"""What this process has sent to each desk since the desk last told its load: loads are always a little stale."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.routing.boards import LOAD_BOARD, LoadView
from services.routing.placement.choice import Glance, Sent
from shared.contracts.message import Message
from shared.contracts.routing import WorkPlaced
from shared.runtime.processor import Facts

KEPT_MAX: Final = 10_000  # placings remembered per team; a desk that is told of so many tells its load long before


class Placing(NamedTuple):
    """One item on its way."""

    placed_at: datetime
    work_type: str
    seconds: float


class SentSince:
    """Remembers placings until the desk has told a load that counts them.

    Holds:   it is this process's own memory, empty after a restart and of its own shards only; a decision gets what it
             says as `observed`, and tells it in the fact, so that the fact alone explains the decision.
    """

    def __init__(self) -> None:
        self._by_team: Final[dict[str, deque[Placing]]] = {}

    def note(self, facts: Facts, now: datetime) -> None:
        """Take what was committed."""
        for fact in facts:
            if isinstance(fact, WorkPlaced):
                placings = self._by_team.setdefault(fact.team_id, deque(maxlen=KEPT_MAX))
                placings.append(Placing(fact.placed_at, fact.order.work_type, fact.order.standard_seconds))

    def since(self, loads: LoadView) -> Sent:
        """What no told load counts yet. Forgets the rest."""
        found: dict[str, Mapping[str, float]] = {}
        for team_id, placings in self._by_team.items():
            load = loads.get(team_id)
            while placings and load is not None and placings[0].placed_at <= load.at:
                placings.popleft()
            if placings:
                by_type: dict[str, float] = {}
                for placing in placings:
                    by_type[placing.work_type] = by_type.get(placing.work_type, 0.0) + placing.seconds
                found[team_id] = by_type
        return found

    async def observe(self, events: Sequence[Message], boards: Mapping[str, Any]) -> Sequence[Glance]:
        """The same for every event of a batch: a batch sees the floor as it was when it began."""
        return [Glance(self.since(boards[LOAD_BOARD.name]))] * len(events)
