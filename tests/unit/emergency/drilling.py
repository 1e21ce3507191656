"""A control room with a drill calendar, for tests: the north on Mondays at 10:30 local, an hour's notice aside."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from services.routing.boards import PLAN_BOARD
from shared.contracts.message import Message
from shared.contracts.reference import DrillEntry, ReferenceEntry
from shared.contracts.reroute import DrillOutcome, HeedCalendar
from shared.contracts.routing import CapacityByWorkType, PlanMade, PlannedWork
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, desk_load
from tests.unit.routing.floor import ENTRY

MONDAY: Final = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)  # 10:30 in Shanghai; the room's tests begin at 10:00
DRILL: Final = "drill-north-weekly-20260302T0230"


def entry(**changes: Any) -> DrillEntry:
    """Half an hour without the north, each Monday, else Tuesday."""
    fields: dict[str, Any] = {
        "id": "north-weekly",
        "label": "without the north",
        "centre": "n",
        "weekdays": ("mon", "tue"),
        "begins": "10:30",
        "owner": CHEN,
        "signed_by": LIN,
        "signed_on": date(2026, 1, 12),
    }
    return DrillEntry(**(fields | changes))


class DrillRoom(ControlRoom):
    """The book with a calendar that it has looked at; nothing waits, so that a drill adds no misses."""

    def __init__(self, *entries: ReferenceEntry, queued: int = 0) -> None:
        super().__init__(queued=queued)
        self.completed, self.late, self.plans = 0, 0, 0
        self.expect(per_hour=60)
        for one in entries or (entry(),):
            self.publish(one)
        self.heed()

    def publish(self, one: ReferenceEntry) -> None:
        """Reference data comes; the book is woken by it."""
        REFERENCE_BOARD.fold(self.views["reference"], one.key, one)

    def expect(self, per_hour: float, hours: float = 24.0) -> None:
        """The balancer's plan: so many entries an hour come, as far as it is good."""
        self.plans += 1
        plan = PlanMade(
            made_at=self.now + timedelta(microseconds=self.plans),
            made_by="b",
            good_until=self.now + timedelta(hours=hours),
            work=(PlannedWork(work_type=ENTRY, recent_per_hour=per_hour, coming_per_hour=per_hour),),
            teams=(),
            saturation=0.5,
            lateness_minutes=0.0,
        )
        PLAN_BOARD.fold(self.views["plan"], plan.key, plan)

    def heed(self) -> list[Message]:
        """A process of routing begins, or the reference data has changed."""
        return list(self.send(HeedCalendar(issued_at=self.now)))

    def until(self, at: datetime) -> list[Message]:
        """Let time pass until then, the desks alive."""
        facts: list[Message] = []
        while self.now < at:
            self.count()
            facts += self.wait(min(30.0, (at - self.now).total_seconds()))
        return facts

    def count(self, completed: int = 0, late: int = 0) -> None:
        """Both desks tell that people are there; the south has completed so many more, of them so many late."""
        self.completed, self.late = self.completed + completed, self.late + late
        self.tell_load(desk_load("north", ("ann", "bob"), at=self.now))
        south = desk_load("south", ("cai", "dee"), at=self.now, completed=self.completed, late=self.late)
        pace = CapacityByWorkType(work_type=ENTRY, present=2, learned_seconds=30.0)
        self.tell_load(south.model_copy(update={"capacity": (pace,)}))

    def ordinary_hour(self, completed: int = 100, late: int = 2) -> None:
        """An hour without reroutes, from full hour to full hour, in which so much is completed."""
        self.until(self.now + timedelta(minutes=30))
        self.count(completed, late)
        self.until(self.now + timedelta(minutes=30))

    def outcome(self, reroute_id: str = DRILL) -> DrillOutcome:
        """What came of a drill."""
        found = self.order(reroute_id).drill_outcome
        assert found is not None, f"Expected a judged drill, found {self.order(reroute_id).phase}"
        return found
