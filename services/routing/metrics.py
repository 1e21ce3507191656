"""What routing counts, and the levels that it reads off the load board: queues, ages, saturation."""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

from prometheus_client import Counter, Histogram

from services.routing.emergency import metrics as emergency
from shared.contracts import routing
from shared.contracts.message import Message
from shared.reference.board import ReferenceView
from shared.reference.shifts import at_work
from shared.runtime.levels import Level, Read, Reading
from shared.runtime.tracing import exemplar_of

SATURATED_SECONDS: Final = 900.0  # a team with a quarter of an hour of work for everybody present is full
_LATENCY: Final = (
    *(0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600),
    *(7200, 14400, 28800, 86400, 259200),  # within a long promise, and in an overload for days
)
_EVERYWHERE: Final = "; the whole floor, the same from every process"
QUEUED: Final = Level("opsfloor_desk_queue_items", f"Items that wait at a desk{_EVERYWHERE}", ("team", "step"))
OLDEST: Final = Level(
    "opsfloor_desk_oldest_seconds", f"Age of the oldest item that waits at a desk{_EVERYWHERE}", ("team", "step")
)
BACKLOG: Final = Level(
    "opsfloor_desk_backlog_standard_seconds",
    f"Standard time of what waits at a desk{_EVERYWHERE}",
    ("team", "step"),
)
TYPE_QUEUED: Final = Level("opsfloor_work_queue_items", f"Items of a work type that wait{_EVERYWHERE}", ("work_type",))
TYPE_OLDEST: Final = Level(
    "opsfloor_work_oldest_seconds", f"Age of the oldest waiting item of a work type{_EVERYWHERE}", ("work_type",)
)
TYPE_BACKLOG: Final = Level(
    "opsfloor_work_backlog_standard_seconds",
    f"Standard time of what waits of a work type{_EVERYWHERE}",
    ("work_type",),
)
IN_HAND: Final = Level("opsfloor_desk_in_hand_items", f"Items offered or in hand{_EVERYWHERE}", ("team",))
PRESENT: Final = Level(
    "opsfloor_desk_present_operators", f"Operators who take work, paused ones not counted{_EVERYWHERE}", ("team",)
)
EXPECTED: Final = Level(
    "opsfloor_desk_expected_operators",
    f"Operators whose shift is worked now, breaks not counted; none of a team in which nobody has a shift{_EVERYWHERE}",
    ("team",),
)
SATURATION: Final = Level(
    "opsfloor_desk_saturation_ratio",
    f"Backlog at the pace of those present, per person, over {SATURATED_SECONDS:.0f} s: at 1 a team is full; "
    f"none for a desk where nobody is{_EVERYWHERE}",
    ("team",),
)
PACE: Final = Level(
    "opsfloor_desk_pace_ratio",
    f"Handling time that a desk has learned of those present over the standard time{_EVERYWHERE}",
    ("team",),
)
ASSIGNED: Final = Histogram(
    "opsfloor_assignment_latency_seconds", "From requested to assigned", ["step"], buckets=_LATENCY
)
ATTEMPTS: Final = Counter("opsfloor_assignments_total", "What became of assignments", ["outcome"])
PLACED: Final = Counter("opsfloor_items_placed_total", "Items placed", ["team"])
PREDICTED_MISSES: Final = Counter(
    "opsfloor_predicted_misses_total",
    "Placings of items that will be late wherever they go, as it looks; one placed again counts again",
    ["business_type"],
)
UNPLACEABLE: Final = Counter("opsfloor_items_unplaceable_total", "Items that nobody may do now", ["reason"])
for _reason in get_args(routing.UnplaceableReason):
    UNPLACEABLE.labels(_reason)  # there from 0 on, so that the first one shows as a rise
RELEASED: Final = Counter("opsfloor_items_released_total", "Items that a desk gave back to placement", ["reason"])
COMPLETED: Final = Counter("opsfloor_items_completed_total", "Items completed", ["team", "step"])
BY_PROVIDER: Final = Counter(
    "opsfloor_provider_items_completed_total", "Items completed, by who was paid for them", ["provider", "step"]
)
REFUSED: Final = Counter("opsfloor_desk_commands_refused_total", "Commands of operators that a desk refused", ["code"])
HANDLED: Final = Histogram(
    "opsfloor_item_handle_seconds",
    "Handling time",
    ["step"],
    buckets=(5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 7200),
)


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided: a kind at a time, so that what is told of many items under one heading is counted at once."""
    emergency.measure(facts, now)
    by_kind: dict[type[Message], list[Message]] = defaultdict(list)
    for fact in facts:
        by_kind[type(fact)].append(fact)
    for kind, told in by_kind.items():
        count = _COUNTED.get(kind)
        if count is not None:
            count(told)


def _placed(facts: Sequence[routing.WorkPlaced]) -> None:
    for team_id, items in Tally([fact.team_id for fact in facts]).items():
        PLACED.labels(team_id).inc(items)
    late = Tally([fact.order.business_type for fact in facts if fact.late_seconds > 0])
    for business_type in {fact.order.business_type for fact in facts}:
        PREDICTED_MISSES.labels(business_type).inc(
            late[business_type]
        )  # there from the first on, so that a miss is a rise


def _released(facts: Sequence[routing.WorkReleased]) -> None:
    for reason, items in Tally([fact.reason for fact in facts]).items():
        RELEASED.labels(reason).inc(items)


def _each(count: Callable[[Any], None]) -> Callable[[Sequence[Any]], None]:
    def counted(facts: Sequence[Any]) -> None:
        for fact in facts:
            count(fact)

    return counted


def _assigned(fact: routing.WorkAssigned) -> None:
    waited = max(0.0, (fact.at - fact.requested_at).total_seconds())
    ASSIGNED.labels(fact.step).observe(waited, exemplar_of(fact.case_id))
    ATTEMPTS.labels("assigned").inc()


def _completed(fact: routing.WorkCompleted) -> None:
    ATTEMPTS.labels("completed").inc()
    COMPLETED.labels(fact.team_id, fact.step).inc()
    BY_PROVIDER.labels(fact.provider_id, fact.step).inc()
    HANDLED.labels(fact.step).observe(fact.handle_seconds, exemplar_of(fact.case_id))


_COUNTED: Final[Mapping[type[Message], Callable[[Any], None]]] = {
    routing.WorkPlaced: _placed,
    routing.WorkUnplaceable: _each(lambda fact: UNPLACEABLE.labels(fact.reason).inc()),
    routing.WorkReleased: _released,
    routing.WorkAssigned: _each(_assigned),
    routing.AssignmentDeclined: lambda facts: ATTEMPTS.labels("declined").inc(len(facts)),
    routing.AssignmentRevoked: lambda facts: ATTEMPTS.labels("revoked").inc(len(facts)),
    routing.AssignmentExpired: lambda facts: ATTEMPTS.labels("expired").inc(len(facts)),
    routing.WorkCompleted: _each(_completed),
    routing.CommandRefused: _each(lambda fact: REFUSED.labels(fact.code).inc()),
}


@dataclass(slots=True)
class _Waiting:
    """What waits under one heading. Units: seconds."""

    items: int = 0
    standard_seconds: float = 0.0
    oldest_seconds: float = 0.0

    def add(self, load: routing.LoadByWorkType | None, now: datetime) -> None:
        """Count one work type of one desk in, of which perhaps nothing waits."""
        if load is None:
            return
        self.items += load.queued
        self.standard_seconds += load.standard_seconds
        if load.oldest_requested_at is not None:
            self.oldest_seconds = max(self.oldest_seconds, (now - load.oldest_requested_at).total_seconds())


def pace_levels(view: Mapping[str, routing.LoadSnapshot], reference: ReferenceView) -> Read:
    """Read how far the learned handling times have drifted from the standard ones, by who is there for the work."""

    def read() -> Iterator[Reading]:
        for team_id, snapshot in sorted(view.items()):
            known = [(one, reference.standard_seconds(one.work_type)) for one in snapshot.capacity]
            there = [(one, standard) for one, standard in known if standard]
            people = sum(one.present for one, _ in there)
            if people:
                yield (
                    PACE,
                    (team_id,),
                    sum(one.present * one.learned_seconds / standard for one, standard in there) / people,
                )

    return read


def shift_levels(reference: ReferenceView, now: Callable[[], datetime]) -> Read:
    """Read whom the shift calendar has at their desks."""

    def read() -> Iterator[Reading]:
        zone, instant = ZoneInfo(reference.limits.time_zone), now()
        working = {name for name, shift in reference.shifts.items() if at_work(shift, instant, zone)}
        for team_id, people_by_shift in sorted(_people_by_shift(reference).items()):
            yield EXPECTED, (team_id,), float(sum(people_by_shift[name] for name in working))

    return read


def _people_by_shift(reference: ReferenceView) -> Mapping[str, Tally[str]]:
    """How many of each team have which shift; counted once, the board forgets it when the reference data changes."""
    kept: dict[str, Tally[str]] | None = reference.derived.get((__name__, "shifts"))
    if kept is None:
        kept = defaultdict(Tally)
        for operator in reference.operators.values():
            if operator.shift_id is not None:
                kept[operator.team_id][operator.shift_id] += 1
        reference.derived[__name__, "shifts"] = kept
    return kept


def load_levels(view: Mapping[str, routing.LoadSnapshot], now: Callable[[], datetime]) -> Read:
    """Read the desks off the load board; ages grow with the clock, whether or not a desk still tells its load.

    Holds:   what a desk has people for is 0 when nothing of it waits, not absent: a queue that empties falls
             to 0 on every graph, and an alert on it ends.
    """

    def read() -> Iterator[Reading]:
        instant = now()
        by_desk: dict[tuple[str, ...], _Waiting] = defaultdict(_Waiting)
        by_type: dict[tuple[str, ...], _Waiting] = defaultdict(_Waiting)
        for team_id, snapshot in sorted(view.items()):
            yield IN_HAND, (team_id,), float(snapshot.in_hand)
            yield PRESENT, (team_id,), float(len(snapshot.present))
            if snapshot.present:
                yield SATURATION, (team_id,), backlog_seconds(snapshot) / len(snapshot.present) / SATURATED_SECONDS
            waits = {load.work_type: load for load in snapshot.queued}
            for work_type in sorted(waits.keys() | {part.work_type for part in snapshot.capacity}):
                for waiting in (by_desk[(team_id, work_type.rpartition("/")[2])], by_type[(work_type,)]):
                    waiting.add(waits.get(work_type), instant)
        yield from _waiting(by_desk, QUEUED, BACKLOG, OLDEST)
        yield from _waiting(by_type, TYPE_QUEUED, TYPE_BACKLOG, TYPE_OLDEST)

    return read


def backlog_seconds(snapshot: routing.LoadSnapshot) -> float:
    """What waits at a desk, at the pace of those present; at the standard pace where none was told."""
    return sum(snapshot.seconds_by_work_type.values())


def _waiting(
    found: Mapping[tuple[str, ...], _Waiting], items: Level, backlog: Level, oldest: Level
) -> Iterator[Reading]:
    for labels, waiting in sorted(found.items()):
        yield items, labels, float(waiting.items)
        yield backlog, labels, waiting.standard_seconds
        yield oldest, labels, waiting.oldest_seconds
