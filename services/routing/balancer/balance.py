"""One balancer's memory between plans: what it hears of arrivals, and the plans that it makes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.routing.balancer.arrivals import Arrivals
from services.routing.balancer.planner import FloorNow, calendar_of, make_plan
from services.routing.boards import ARRIVALS_BOARD, PLAN_BOARD, LearnedView, PlanView
from services.routing.kinds import Kind
from shared.contracts.audit import WorkRequested
from shared.contracts.routing import ArrivalsLearned, PlanMade
from shared.contracts.vendor import InspectionRequested
from shared.reference.board import ReferenceView
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Record

ASKS_FOR_WORK: Final = frozenset({WorkRequested.kind_name(), InspectionRequested.kind_name()})


class Balance:
    """Hears of arrivals, makes a plan whenever it is asked.

    Holds:   everything in it follows from topics: boards, the last plan's estimates, the learned arrivals; so a new
             process goes on where the last one stopped. `refused` counts records that nobody could read.
    """

    def __init__(self, boards: Mapping[str, Any], made_by: str, since: datetime) -> None:
        self._boards: Final = boards
        self._made_by: Final = made_by
        self._arrivals: Final = Arrivals(since)
        self.refused = 0
        self.heard = 0

    def resume(self) -> None:
        """Take what the balancers before it have told. To be called once, when the boards are read."""
        view: PlanView = self._boards[PLAN_BOARD.name]
        if view.plan is not None:
            for part in view.plan.work:
                self._arrivals.resume(Kind.told(part), part.recent_per_hour, view.plan.made_at)
        learned: LearnedView = self._boards[ARRIVALS_BOARD.name]
        for profile in learned.values():
            self._arrivals.remember(profile)

    def hear(self, record: Record) -> None:
        """Take one record of a topic on which work is asked for. Holds: never raises, whatever the record is."""
        try:
            origin = origin_of(record)
            if origin.kind not in ASKS_FOR_WORK:
                return
            asked = body_of(record, origin.kind)
        except ContractError:
            self.refused += 1
            return
        if isinstance(asked, WorkRequested | InspectionRequested):
            self.heard += 1
            self._arrivals.heard(Kind.of(asked.order), asked.order.requested_at)

    def plan(self, now: datetime, interval_seconds: float) -> PlanMade | None:
        """The plan for the coming hour; `None` while nothing is known of what comes, or nobody is there for it."""
        floor = FloorNow.of(self._boards, now)
        made = make_plan(floor, self._arrivals, self._boards[PLAN_BOARD.name], self._made_by, interval_seconds)
        return made if made.work and made.teams else None

    def learned(self, now: datetime) -> list[ArrivalsLearned]:
        """What the quarter of an hour that has just ended taught, if one has."""
        reference: ReferenceView = self._boards["reference"]
        return list(self._arrivals.turn(now, calendar_of(reference)))
