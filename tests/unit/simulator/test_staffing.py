"""Staffing: needs from Erlang C, whole people on shifts that meet them, and the search for the smallest roster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from opsfloor.answers import Remedied
from opsfloor.sources import profile_of
from opsfloor.staffing import HALVINGS, SCALE_MAX, SCALE_MIN, settle
from services.routing.simulator import formulas
from services.routing.simulator.bank import Post, cases_at_full_load, posts_of
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

    def judge(posts: Sequence[Post]) -> Mapping[str, float]:
        hours = paid_hours([post for post in posts if post.role != "vendor"])
        return {"on_time": 1.0 if hours >= 300.0 else 0.5}

    found = settle(PROFILE, CASES, Goal(), judge)
    step = (SCALE_MAX - SCALE_MIN) / 2**HALVINGS
    smaller = roster(needs_of(PROFILE, CASES, Goal(), found.scale - step))
    assert judge(found.posts)["on_time"] == 1.0
    assert paid_hours(smaller) < 300.0


def test_a_goal_beyond_reach_is_said_to_be() -> None:
    """With the most people on offer still too late: the remedy is told, nothing is made up."""
    with pytest.raises(Remedied, match="on time"):
        settle(PROFILE, CASES, replace(Goal(), on_time=0.99), lambda posts: {"on_time": 0.9})
