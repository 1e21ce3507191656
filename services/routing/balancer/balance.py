"""One balancer's memory between plans: what it hears of arrivals, and the plans that it makes. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final

from services.routing.balancer.arrivals import Arrivals
from services.routing.balancer.planner import FloorNow, calendar_of, make_plan
from services.routing.balancer.programme import Footing
from services.routing.boards import ARRIVALS_BOARD, PLAN_BOARD, LearnedView, PlanView
from shared.contracts.audit import WorkRequested
from shared.contracts.routing import ArrivalsLearned, HeardTo, PlanMade
from shared.contracts.vendor import InspectionRequested
from shared.reference.board import ReferenceView
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Place, Record

ASKS_FOR_WORK: Final = frozenset({WorkRequested.kind_name(), InspectionRequested.kind_name()})


class Balance:
    """Hears of arrivals, makes a plan whenever it is asked.

    Holds:   everything in it follows from topics: boards, the last plan's estimates, the learned arrivals (but for the
             footing, which only saves time); so a new process goes on where the last one stopped, and hears what came
             meanwhile. A record that is handed over again counts once. `refused` counts records that nobody could read.
    """

    def __init__(
        self, boards: Mapping[str, Any], made_by: str, since: datetime, footing: Footing | None = None
    ) -> None:
        self._boards: Final = boards
        self._made_by: Final = made_by
        self._arrivals: Final = Arrivals(since)
        self._footing: Final = footing or Footing()
        self._heard_to: Final[dict[Place, int]] = {}
        self._taken_over: PlanMade | None = None  # the plan gone on from, until all is heard that came since
        self._missed_to: Mapping[Place, int] | None = None  # where the topics ended when hearing began
        self._heard_at = datetime.min.replace(tzinfo=UTC)  # the latest instant of what was heard
        self.refused = 0
        self.heard = 0

    def resume(self, now: datetime) -> None:
        """Take what the balancers before it have told. To be called once, when the boards are read."""
        view: PlanView = self._boards[PLAN_BOARD.name]
        last = view.in_force(now).plan
        if view.plan is not None:
            self._arrivals.resume(view.plan, heard_since=last is not None)
        if last is not None:
            self._taken_over = last
            self._heard_to.update(
                {(to.topic, number): at for to in last.heard for number, at in enumerate(to.next_offsets)}
            )
        learned: LearnedView = self._boards[ARRIVALS_BOARD.name]
        for profile in learned.values():
            self._arrivals.remember(profile)

    def begin(self, ends: Mapping[Place, int]) -> Mapping[Place, int]:
        """Where to hear each place from, given where they end now: from where the last plan in force had heard it.

        Holds:   what came while no plan was in force is not heard: it would be taken for what comes now.
        """
        for place, end in ends.items():
            self._heard_to.setdefault(place, end)
        self._missed_to = dict(ends)
        return {place: self._heard_to[place] for place in ends}

    def hear(self, record: Record) -> None:
        """Take one record of a topic on which work is asked for. Holds: never raises, whatever the record is."""
        place = (record.topic, record.partition)
        if record.offset < self._heard_to.get(place, 0):
            return
        self._heard_to[place] = record.next_offset
        try:
            origin = origin_of(record)
            if origin.kind not in ASKS_FOR_WORK:
                return
            asked = body_of(record, origin.kind)
            if not isinstance(asked, WorkRequested | InspectionRequested):
                return
            self._arrivals.asked(asked.order)
        except (ContractError, OverflowError):
            self.refused += 1
            return
        self.heard += 1
        self._heard_at = max(self._heard_at, asked.order.requested_at)

    def plan(self, now: datetime, interval_seconds: float) -> PlanMade | None:
        """The plan for the coming hour; `None` while nothing is known of what comes, or nobody is there for it."""
        floor = FloorNow.of(self._boards, now)
        last: PlanView = self._boards[PLAN_BOARD.name]
        heard = list(self._heard())
        made = make_plan(
            floor,
            self._arrivals,
            last,
            self._made_by,
            interval_seconds,
            heard=heard,
            footing=self._footing,
            known_at=self._known_at(now),
        )
        return made if made.work and made.teams else None

    def _known_at(self, now: datetime) -> datetime:
        """As of when it is known what comes: of what came while nobody heard, only as far as it is heard by now.

        Why:     a balancer that has just begun would take what it has not heard yet for nothing having come.
        Holds:   no longer than the plan that it goes on from would have been in force.
        """
        taken_over, ends = self._taken_over, self._missed_to
        if taken_over is None:
            return now
        heard = ends is not None and all(self._heard_to[place] >= end for place, end in ends.items())
        if heard or now > taken_over.good_until:
            self._taken_over = None
            return now
        return min(max(taken_over.made_at, self._heard_at), now)

    def _heard(self) -> Iterator[HeardTo]:
        """How far each topic was heard; one whose partitions are not all known is left out."""
        for topic, places in groupby(sorted(self._heard_to.items()), lambda item: item[0][0]):
            numbers, offsets = zip(*((place[1], at) for place, at in places), strict=True)
            if numbers == tuple(range(len(numbers))):
                yield HeardTo(topic=topic, next_offsets=offsets)

    def learned(self, now: datetime) -> list[ArrivalsLearned]:
        """What the quarter of an hour that has just ended taught, if one has."""
        reference: ReferenceView = self._boards["reference"]
        return list(self._arrivals.turn(now, calendar_of(reference)))
