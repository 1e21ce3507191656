"""Days from a real log: working time, and loads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from opsfloor.comparing import DEALINGS
from opsfloor.event_log import Activity
from opsfloor.log_days import LogWorld, worked_seconds
from services.routing.simulator.bound import on_time_bound
from services.routing.simulator.figures import figures_of
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.contracts.reference import Operator, Team

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def activity(case: int, line: int, name: str, begins: datetime, minutes: float, resource: str) -> Activity:
    """One line of a log."""
    end = begins + timedelta(minutes=minutes)
    return Activity(line, str(case), name, resource, "Clerk", begins, begins, end)


LOG = [
    one
    for number in range(20)
    for at in [MONDAY + 8 * HOUR + number * timedelta(minutes=15)]
    for one in (
        activity(number, 2 * number, "Check", at, 10, f"Clerk-{number % 3}"),
        activity(number, 2 * number + 1, "Approve", at + timedelta(minutes=10), 5, f"Clerk-{(number + 1) % 3}"),
    )
]


def test_nights_and_weekends_are_cut_out() -> None:
    """From Friday 15:00 to Monday 08:00 two hours are worked, nine on a whole day."""
    friday, next_monday = MONDAY + 4 * 24 * HOUR + 15 * HOUR, MONDAY + 7 * 24 * HOUR + 8 * HOUR
    assert worked_seconds(next_monday, MONDAY) - worked_seconds(friday, MONDAY) == 2 * 3600
    assert worked_seconds(MONDAY + 24 * HOUR, MONDAY) == 9 * 3600
    assert worked_seconds(MONDAY + 6 * 24 * HOUR, MONDAY) == 5 * 9 * 3600


@pytest.mark.parametrize("hours", [8, -5])
def test_people_work_by_the_clock_of_the_zone_that_the_log_names(hours: int) -> None:
    """Eight in the morning there, whatever it is in Greenwich."""
    there = timezone(timedelta(hours=hours))
    moved = [
        replace(
            one, **{name: getattr(one, name).replace(tzinfo=there) for name in ("enabled_at", "start_at", "end_at")}
        )
        for one in LOG
    ]
    assert LogWorld.of(moved, frozenset()) == LogWorld.of(LOG, frozenset())


@pytest.mark.parametrize("load", [0.5, 1.2])
def test_arrivals_are_drawn_together_until_the_busiest_role_has_the_load(load: float) -> None:
    """The work that comes in over the people's time until the last arrival is the load."""
    world = LogWorld.of(LOG, frozenset())
    day = world.day(load, 1)
    work = sum(t.standard_seconds * t.size for case in day.cases for stage in case.stages for t in stage)
    assert work / (day.closes * 3) == pytest.approx(load)


def test_seed_one_is_the_log_itself_and_it_can_be_played() -> None:
    """Each case has its own activities in their order; other seeds draw anew; every case ends."""
    world = LogWorld.of(LOG, frozenset())
    day, again = world.day(0.9, 1), world.day(0.9, 2)
    assert [[task.field for task in stage] for stage in day.cases[0].stages] == [["1-check"], ["2-approve"]]
    assert [case.arrives for case in day.cases] == [case.arrives for case in again.cases]
    played = Floor(day, RealDealing()).play()
    assert all(case.ended is not None for case in played.cases)


def test_people_and_activities_in_another_script_stay_apart() -> None:
    """Six people of two roles and two activities: as many operators, on four teams, and two types of work."""
    lines = [
        Activity(n, str(n), name, f"{family}{n % 3}", role, at, at, at + timedelta(minutes=5))
        for n in range(12)
        for name, family, role in [(("审核", "王", "角色"), ("录入", "李", "录"))[n % 2]]
        for at in [MONDAY + 8 * HOUR + n * timedelta(minutes=10)]
    ]
    reference = LogWorld.of(lines, frozenset()).day(0.9, 1).reference
    operators = [entry for entry in reference if isinstance(entry, Operator)]
    assert len({one.id for one in operators}) == len({one.name for one in operators}) == 6
    assert (
        len({one.team_id for one in operators}) == len([entry for entry in reference if isinstance(entry, Team)]) == 4
    )
    assert {work_type for one in operators for work_type in one.work_types} == {"审核/entry", "录入/entry"}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("way", list(DEALINGS))
@pytest.mark.long
def test_no_policy_passes_the_bound_on_a_day_of_the_log(way: str, seed: int) -> None:
    """In overload, where not all cases can be on time: the log as it is, and drawn anew."""
    day = LogWorld.of(LOG, frozenset()).day(3.0, seed)
    bound = on_time_bound(day)
    assert bound < 1.0
    assert figures_of(Floor(day, DEALINGS[way]()).play())["on_time"] <= bound + 1e-9
