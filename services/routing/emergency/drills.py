"""What came of a drill: did the rest of the floor carry it, and did the work come back? Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.routing.emergency.capacity import FAILED
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.health import tally_of
from services.routing.emergency.safety import rivals
from services.routing.emergency.state import HOUR, Almanac, OrderBook, OrdinaryHour
from shared.contracts.reference import FloorLimits
from shared.contracts.reroute import DrillJudged, DrillOutcome, HourTallied, RerouteOrder, TeamTally
from shared.reroutes import over_at
from shared.runtime.processor import Situation

EVIDENCE_MIN: Final = 20  # completed items, of a drill and of what it is compared with; a share of fewer says nothing
HOUR_TOLERANCE: Final = timedelta(minutes=5)  # an hour tallied so much late still counts as one
HOURS_OF_DAY: Final = 24

Found = Literal["same_hour_of_week", "same_hour_of_day", "any_hour", "none"]
HOURS: Final[Mapping[Found, str]] = {
    "same_hour_of_week": "ordinary weeks at this hour",
    "same_hour_of_day": "other days at this hour",
    "any_hour": "other ordinary hours",
    "none": "no hour at all",
}


def floor_tallies(floor: FloorNow) -> tuple[TeamTally, ...]:
    """What every desk has counted so far: a drill is felt by those who take the work over."""
    return tuple(tally_of(floor, team.id) for team in floor.teams())


def completed_between(before: Iterable[TeamTally], after: Iterable[TeamTally]) -> tuple[int, int]:
    """Items completed, and of them those too late for their case. Holds: a desk that began anew counts for nothing."""
    known = {tally.team_id: tally for tally in before}
    completed = late = 0
    for tally in after:
        old = known.get(tally.team_id)
        if old is not None and tally.completed >= old.completed and tally.late >= old.late:
            completed, late = completed + tally.completed - old.completed, late + tally.late - old.late
    return completed, late


# ------------------------------------------------------------- ordinary hours


def hour_gone(book: OrderBook, floor: FloorNow) -> HourTallied:
    """What the floor completed since the last mark; of an ordinary whole hour also which hour of the week it was."""
    tallies, since = floor_tallies(floor), book.almanac.marked_at
    completed, late = completed_between(book.almanac.tallies, tallies)
    whole = since is not None and abs(floor.now - since - HOUR) <= HOUR_TOLERANCE
    ordinary = since is not None and whole and not any(_was_in_force(order, since) for order in book.orders.values())
    hour = hour_of_week(floor.now - HOUR / 2, floor.book.reference.limits) if ordinary else None
    return HourTallied(at=floor.now, hour_of_week=hour, completed=completed, late=late, tallies=tallies)


def _was_in_force(order: RerouteOrder, since: datetime) -> bool:
    return order.started_at is not None and (order.over_at is None or order.over_at > since)


def hour_of_week(at: datetime, limits: FloorLimits) -> int:
    """Counted from Monday 0:00, local."""
    local = at.astimezone(ZoneInfo(limits.time_zone))
    return local.weekday() * HOURS_OF_DAY + local.hour


def ordinary_hours(almanac: Almanac, hour: int) -> tuple[Found, Sequence[OrdinaryHour]]:
    """What a drill in that hour of the week is compared with, and which hours they are.

    Holds:   hours in which a reroute was in force are never among them: a drill is not measured by earlier drills. So a
             floor that always drills in the same hour compares with that hour of other days, and a new floor with any.
    """
    choices: tuple[tuple[Found, tuple[int, ...]], ...] = (
        ("same_hour_of_week", (hour,)),
        ("same_hour_of_day", tuple(range(hour % HOURS_OF_DAY, 7 * HOURS_OF_DAY, HOURS_OF_DAY))),
        ("any_hour", tuple(range(7 * HOURS_OF_DAY))),
    )
    for name, hours in choices:
        found = [one for number in hours for one in almanac.hours.get(number, ())]
        if sum(one.completed for one in found) >= EVIDENCE_MIN:
            return name, found
    return "none", ()


# -------------------------------------------------------------------- judging


def judgement(book: OrderBook, order: RerouteOrder, situation: Situation) -> DrillJudged:
    """What came of a drill that is over."""
    floor = FloorNow.of(situation.boards, (), situation.now)
    outcome = _never_in_force(order) if order.started_at is None else _measured(book, order, floor)
    return DrillJudged(reroute_id=order.reroute_id, at=situation.now, outcome=outcome)


def _never_in_force(order: RerouteOrder) -> DrillOutcome:
    refused = order.phase == "refused" and order.over_because.startswith(FAILED)
    return DrillOutcome(outcome="refused" if refused else "not_held", detail=order.over_because)


def laid_over(book: OrderBook, drill: RerouteOrder, floor: FloorNow) -> list[str]:
    """The orders that held some of the same work at the same teams while the drill did, by id.

    Holds:   a drill begins while nothing is in force, so these have begun after it.
    """
    since = drill.started_at or floor.now
    others = (one for one in book.orders.values() if one.started_at is not None and one.started_at >= since)
    return sorted(one.reroute_id for one in rivals(drill, others, floor.teams()))


def _measured(book: OrderBook, order: RerouteOrder, floor: FloorNow) -> DrillOutcome:
    limits, almanac = floor.book.reference.limits, book.almanac
    completed, late = completed_between(order.drill_tallies, floor_tallies(floor))
    name, hours = ordinary_hours(almanac, hour_of_week(order.started_at or floor.now, limits))
    began, back = (
        order.return_began_at,
        min(floor.now, over_at(order) or floor.now),
    )  # noted late, it was back by its clock
    bare = DrillOutcome(
        outcome="passed",
        detail="",
        completed=completed,
        late=late,
        baseline=name,
        baseline_completed=sum(one.completed for one in hours),
        baseline_late=sum(one.late for one in hours),
        return_seconds=None if began is None else (back - began).total_seconds(),
        fell_back=order.fell_back,
    )
    outcome, detail = _verdict(order, bare, laid_over(book, order, floor), limits.drill_on_time_drop_max)
    return bare.model_copy(update={"outcome": outcome, "detail": detail})


def _verdict(order: RerouteOrder, found: DrillOutcome, over_it: Sequence[str], drop_max: float) -> tuple[str, str]:
    if order.phase != "ended":
        return "failed", f"Expected the drill to run to its end, found it {order.phase}: {order.over_because}"
    if found.fell_back:
        return "failed", f"Expected the work to come back at once, found that it fell back {found.fell_back} times."
    if order.not_well:
        return (
            "failed",
            f"Expected the scope well as the work came back, found that it was not in {order.not_well} steps.",
        )
    if _unseen(order):
        return (
            "unmeasured",
            "Expected somebody to look as the work came back, found it noted too late: nothing is proved.",
        )
    if over_it:
        names = ", ".join(over_it)
        return "unmeasured", f"Expected the drill alone at its place, found {names} over it: nothing is proved."
    if found.completed < EVIDENCE_MIN or found.baseline == "none":
        what = "completed meanwhile" if found.completed < EVIDENCE_MIN else "known of ordinary hours"
        return "unmeasured", f"Expected at least {EVIDENCE_MIN} items {what}, found fewer: nothing is proved."
    share, usual = on_time(found.completed, found.late), on_time(found.baseline_completed, found.baseline_late)
    if share < usual - drop_max:
        return "failed", f"Expected about {usual:.1%} on time as in {HOURS[found.baseline]}, found {share:.1%}."
    return "passed", f"{share:.1%} on time, {usual:.1%} in {HOURS[found.baseline]}; all work came back."


def _unseen(order: RerouteOrder) -> bool:
    """It was over for half a step by its own clock before anybody looked at its last step."""
    back = over_at(order)
    return (
        back is not None
        and order.over_at is not None
        and order.over_at - back > timedelta(seconds=order.return_step_seconds / 2)
    )


def on_time(completed: int, late: int) -> float:
    """The share completed in time. Holds: `completed` is not 0."""
    return 1 - late / completed
