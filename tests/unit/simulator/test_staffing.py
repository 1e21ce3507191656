"""Staffing: needs from Erlang C, whole people on shifts that meet them, and the search for the smallest roster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from opsfloor.answers import Remedied
from opsfloor.profiles import profile_of
from opsfloor.staffing import HALVINGS, SCALE_MAX, SCALE_MIN, Simulator, settle
from services.routing.simulator import formulas
from services.routing.simulator.bank import CLOSES, HOUR, Post, cases_at_full_load, day_of, posts_of
from services.routing.simulator.figures import figures_of
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from services.routing.simulator.staffing import (
    HALF_HOURS,
    SHIFTS,
    Goal,
    Need,
    needs_of,
    paid_hours,
    present,
    roster,
)

PROFILE = profile_of("small-centre")
CASES = round(0.9 * cases_at_full_load(PROFILE, posts_of(PROFILE)))


@pytest.mark.long
def test_the_solver_prints_nothing() -> None:
    """Standard output is a command's own, from the first solver of a process on."""
    told = "import sys; from services.routing.solver import new_solver; new_solver().run(); print('mine')"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "mine\n"


def test_every_half_hour_has_the_people_it_needs() -> None:
    """Each need is met by whole people, specialists counted apart."""
    needs = needs_of(PROFILE, CASES, Goal())
    posts = roster(needs)
    assert len(needs) == HALF_HOURS * len({(need.team_id, need.role) for need in needs})
    for need in needs:
        assert present(posts, need.team_id, need.half_hour) >= need.heads
        assert present(posts, need.team_id, need.half_hour, specialists=True) >= need.specialists


@pytest.mark.parametrize("cases", [1, 300])
def test_until_the_last_case_is_due_there_is_somebody_for_each_of_its_steps(cases: int) -> None:
    """Few cases offer next to no load; yet nobody has two parts in a case, and what comes at 17:00 is to be done after it."""
    needs = needs_of(PROFILE, cases, Goal(wait=0.001), SCALE_MIN)
    for half_hour in range(HALF_HOURS):
        for role in ("entry", "control"):
            there = [need for need in needs if (need.half_hour, need.role) == (half_hour, role)]
            assert sum(need.heads for need in there) >= 3
            assert sum(need.specialists for need in there) >= 3


def test_a_small_roster_finishes_its_day() -> None:
    """The least that the search tries for few cases leaves none over."""
    vendor = [post for post in posts_of(PROFILE) if post.role == "vendor"]
    posts = [*roster(needs_of(PROFILE, 40, Goal(wait=0.001), SCALE_MIN)), *vendor]
    floor = Floor(day_of(PROFILE, posts, 40, 1), RealDealing(loads_a_plan=None))
    assert figures_of(floor.play(until=CLOSES + 10 * HOUR))["left_over"] == 0.0


def test_nobody_is_needed_once_the_last_case_is_due() -> None:
    """The last freeze comes at 17:00: due within seconds nobody has to stay for it, due in half an hour three of a role have."""
    freeze = next(work for work in PROFILE.work if work.name == "judicial-freeze")
    for minutes, people in ((0.0, 0), (30.0, 3)):
        needs = needs_of(replace(PROFILE, work=(replace(freeze, service_level=minutes),)), 10, Goal())
        assert sum(need.heads for need in needs if need.half_hour == HALF_HOURS - 1 and need.role == "entry") == people


@pytest.mark.parametrize("vendor", [False, True])
def test_the_vendor_takes_no_more_than_it_may_do(vendor: bool) -> None:
    """Nothing where it may do no type; else at most the first keying of its types, never the second."""
    work = tuple(replace(one, vendor=vendor, specialist=False, entries=2) for one in PROFILE.work)
    alone = tuple(crew for crew in PROFILE.crews if crew.role != "vendor")
    crowd = tuple(replace(crew, people=1_000) if crew.role == "vendor" else crew for crew in PROFILE.crews)
    with_it, without = (
        sum(
            need.offered
            for need in needs_of(replace(PROFILE, work=work, crews=crews), CASES, Goal())
            if need.role == "entry"
        )
        for crews in (crowd, alone)
    )
    assert with_it == pytest.approx(without / 2 if vendor else without)


def test_a_short_need_is_met_by_one_short_shift() -> None:
    """One head for the first half hour: four paid hours, and no cheaper shift covers it."""
    posts = roster([Need(0, "north", "entry", 0.5, 1, 0)])
    assert (len(posts), paid_hours(posts)) == (1, 4.0)
    assert min(shift.paid for shift in SHIFTS if shift.covers(0)) == 4.0


def test_a_specialist_stands_in_for_everybody() -> None:
    """One head who must know the rare type is one person, not two."""
    posts = roster([Need(4, "north", "entry", 0.5, 1, 1)])
    assert [post.specialist for post in posts] == [True]


def test_a_need_that_no_shift_covers_is_named() -> None:
    """There is nobody to roster before the shifts begin."""
    with pytest.raises(ArithmeticError, match="north"):
        roster([Need(-4, "north", "entry", 1.0, 1, 0)])


def test_more_is_needed_when_less_waiting_is_allowed() -> None:
    """Erlang C: the tighter goal never takes fewer heads, and heads always exceed the load offered."""
    relaxed, tight = (needs_of(PROFILE, CASES, Goal(wait=wait)) for wait in (600.0, 10.0))
    assert sum(need.heads for need in tight) > sum(need.heads for need in relaxed)
    assert all(one.heads >= other.heads for one, other in zip(tight, relaxed, strict=True))
    servers = formulas.servers_for(8.0, 60.0, 20.0, 0.8)
    assert servers > 8


def test_the_smallest_roster_that_meets_the_goal_is_found() -> None:
    """The search ends within its last halving of where the judge begins to be content."""

    def judge(rosters: Sequence[Sequence[Post]]) -> Sequence[Mapping[str, float]]:
        hours = [paid_hours([post for post in posts if post.role != "vendor"]) for posts in rosters]
        return [{"on_time": 1.0 if paid >= 300.0 else 0.5} for paid in hours]

    found = settle(PROFILE, CASES, Goal(), judge)
    assert not found.least_tried
    step = (SCALE_MAX - SCALE_MIN) / 2**HALVINGS
    smaller = roster(needs_of(PROFILE, CASES, Goal(), found.scale - step))
    assert found.figures["on_time"] == 1.0
    assert paid_hours(smaller) < 300.0


def test_a_goal_beyond_reach_is_said_to_be() -> None:
    """With the most people on offer still too late: the remedy is told, nothing is made up."""
    with pytest.raises(Remedied, match="on time"):
        settle(PROFILE, CASES, replace(Goal(), on_time=0.99), lambda rosters: [{"on_time": 0.9}])


def test_a_goal_missed_by_cases_that_nobody_ends_says_how_many() -> None:
    """They count as late; a larger roster of the same skills would not help them."""
    with pytest.raises(
        Remedied, match=r"found 90\.0% with 1\.6 times the first guess, and 12\.0 cases a day that nobody"
    ):
        settle(PROFILE, CASES, Goal(), lambda rosters: [{"on_time": 0.9, "left_over": 12.0}])


def test_where_the_least_that_is_tried_still_does_that_is_said() -> None:
    """It is then no smallest roster, only the end of the search."""
    assert settle(PROFILE, CASES, Goal(on_time=0.5), lambda rosters: [{"on_time": 1.0}]).least_tried


def test_a_roster_is_played_once_and_every_day_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two scales often need the same whole people; what was said of them is said again."""
    played: list[int] = []

    def figures(asked: tuple[object, int, tuple[Post, ...], int]) -> Mapping[str, float]:
        played.append(asked[3])
        return {"on_time": float(asked[3])}

    monkeypatch.setattr("opsfloor.staffing._figures", figures)
    told: list[None] = []
    simulator = Simulator(PROFILE, CASES, 2, lambda: told.append(None))
    one, other = posts_of(PROFILE), posts_of(PROFILE)[1:]
    assert simulator.judge([one, other]) == [{"on_time": 1.5}, {"on_time": 1.5}]
    assert simulator.judge([one]) == [{"on_time": 1.5}]
    assert (played, len(told)) == ([1, 2, 1, 2], 6)


@pytest.mark.long
def test_several_processes_say_what_one_says() -> None:
    """The days are independent, and their figures come in the order in which they were asked for."""
    posts = posts_of(PROFILE)
    with Simulator(PROFILE, 4, 1, lambda: None) as several:
        at_once = several.judge([posts, posts[1:]])
    alone = Simulator(PROFILE, 4, 1, lambda: None)
    assert at_once == [alone.judge([posts])[0], alone.judge([posts[1:]])[0]]
