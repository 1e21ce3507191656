"""What this process has sent to each desk since the desk last told its load: loads are always a little stale."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.routing.boards import LOAD_BOARD, LoadView
from services.routing.placement.choice import BatchSight, Sent
from shared.contracts.message import Message
from shared.contracts.routing import WorkPlaced
from shared.runtime.processor import Facts

KEPT_MAX: Final = 10_000  # placings remembered per team; a desk that is told of so many tells its load long before


class Placing(NamedTuple):
    """One item on its way. Units: standard milliseconds, whole, so that what is added can be taken off again exactly."""

    placed_at: datetime
    work_type: str
    milliseconds: int


@dataclass(slots=True)
class OnTheWay:
    """What was sent to one team, oldest first, and its sums by work type, so that looking costs nothing per placing."""

    placings: deque[Placing] = field(default_factory=deque)
    by_type: dict[str, int] = field(default_factory=dict)
    _seconds: Mapping[str, float] | None = None  # until something is added or taken off

    @property
    def seconds(self) -> Mapping[str, float]:
        """The sums in standard seconds, those that are nought left out: the same object while nothing changes."""
        if self._seconds is None:
            self._seconds = {work_type: sum_ms / 1000 for work_type, sum_ms in self.by_type.items() if sum_ms}
        return self._seconds

    def add(self, placing: Placing) -> None:
        """One more; the oldest beyond `KEPT_MAX` is forgotten."""
        self._seconds = None
        self.placings.append(placing)
        self.by_type[placing.work_type] = self.by_type.get(placing.work_type, 0) + placing.milliseconds
        if len(self.placings) > KEPT_MAX:
            self._forget_oldest()

    def forget_until(self, told_at: datetime) -> None:
        """The desk's load counts what was placed until then."""
        while self.placings and self.placings[0].placed_at <= told_at:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        self._seconds = None
        placing = self.placings.popleft()
        self.by_type[placing.work_type] -= placing.milliseconds


class SentSince:
    """Remembers placings until the desk has told a load that counts them.

    Holds:   it is this process's own memory, empty after a restart and of its own shards only; a decision gets what it
             says as `observed`, and tells it in the fact, so that the fact alone explains the decision.
    """

    def __init__(self) -> None:
        self._by_team: Final[dict[str, OnTheWay]] = {}

    def note(self, facts: Facts, now: datetime) -> None:
        """Take what was committed."""
        for fact in facts:
            if type(fact) is WorkPlaced:
                order = fact.order
                placing = Placing(fact.placed_at, order.work_type, round(order.standard_seconds * 1000))
                self._by_team.setdefault(fact.team_id, OnTheWay()).add(placing)

    def since(self, loads: LoadView) -> Sent:
        """What no told load counts yet, in standard seconds. Forgets the rest."""
        for team_id, sent in self._by_team.items():
            load = loads.get(team_id)
            if load is not None:
                sent.forget_until(load.at)
        return {team_id: sent.seconds for team_id, sent in self._by_team.items() if sent.placings}

    async def observe(self, events: Sequence[Message], boards: Mapping[str, Any]) -> Sequence[BatchSight]:
        """The same for every event of a batch: a batch sees the floor as it was when it began."""
        return [BatchSight(self.since(boards[LOAD_BOARD.name]))] * len(events)
