"""The plan of a simulated day sees what the balancer sees in life, as often as it is asked to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from opsfloor import comparing, simulate, whatif
from services.routing.balancer.planner import make_plan
from services.routing.simulator import real
from services.routing.simulator.bank import PROFILES, Profile, bank_day
from services.routing.simulator.calendar import shift_of
from services.routing.simulator.changes import contract_set
from services.routing.simulator.day import Day
from services.routing.simulator.figures import FIGURES, LEFT_OVER, OUTSIDE
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.contracts.routing import PlanMade

HOUR = 3600.0
SMALL = PROFILES["small-centre"]
BOUND = replace(SMALL, calendar=True, vendor_minimum=0.15, vendor_maximum=0.2, centre_maximum=0.45)


def plans_of(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, until: float = 11.1, **asked: Any
) -> Sequence[PlanMade]:
    """The plans made from 10:45 until then of a day on which nothing comes before."""
    made: list[PlanMade] = []

    def kept(*given: Any, **named: Any) -> PlanMade:
        made.append(make_plan(*given, **named))
        return made[-1]

    monkeypatch.setattr(real, "make_plan", kept)
    day = bank_day(profile, 0.9, 1)
    cases = tuple(case for case in day.cases if 10.75 * HOUR <= case.arrives < until * HOUR)
    floor = Floor(replace(day, cases=cases), RealDealing(**asked))
    floor.play(until * HOUR)
    begin = floor.at(10.75 * HOUR)
    return [plan for plan in made if plan.made_at >= begin]


def share_of(plan: PlanMade, belongs: Callable[[str], bool]) -> float:
    """Of all items that are expected, those planned for these teams."""
    total = sum(part.coming_per_hour for part in plan.work)
    return sum(p.coming_per_hour * one.share for p in plan.work for one in p.shares if belongs(one.team_id)) / total


def done_outside(profile: Profile) -> float:
    """What the vendor's people have begun, of all that was begun in two hours of a day."""
    day = bank_day(profile, 0.7, 1)
    cases = tuple(case for case in day.cases if 9 * HOUR <= case.arrives < 11 * HOUR)
    played = Floor(replace(day, cases=cases), RealDealing()).play(11 * HOUR)
    begun = [item for item in played.items if item.began is not None]
    return sum((item.operator_id or "").startswith("clearkey") for item in begun) / len(begun)


def test_people_do_what_contracts_and_the_bank_allow_and_not_only_plans() -> None:
    """Two draws see both of two teams, whatever the plan: a vendor that may have a twentieth did a seventh."""
    assert done_outside(SMALL) > 0.1
    assert done_outside(replace(SMALL, vendor_maximum=0.05)) < 0.06
    assert done_outside(replace(SMALL, vendor_minimum=0.25)) > 0.23


def test_a_plan_sees_the_lunch_that_comes_the_contract_and_the_centres_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 11:00, of six people two go to eat at 11:30 for half an hour: five in the mean of the hour."""
    plan = plans_of(BOUND, monkeypatch)[-1]
    assert next(team.people for team in plan.teams if team.team_id == "north-entry") == pytest.approx(5.0)
    assert plan.relaxed == ()
    assert 0.14 < share_of(plan, lambda team: team.startswith("clearkey")) < 0.21
    assert share_of(plan, lambda team: team.startswith("north")) < 0.46


@pytest.mark.parametrize(("least", "short"), [(0.15, set()), (0.9, {("provider_minimum", "clearkey")})])
def test_plans_that_cannot_keep_a_bound_are_counted(least: float, short: set[tuple[str, str]]) -> None:
    """A vendor of one team cannot do nine tenths of all: each plan says so."""
    day = contract_set("clearkey", least, None)(bank_day(BOUND, 0.9, 1))
    dealing = RealDealing()
    Floor(replace(day, cases=tuple(case for case in day.cases if case.arrives < 10.0 * HOUR)), dealing).play(
        10.2 * HOUR
    )
    assert dealing.plans_made > 10
    assert {gave for gave, plans in dealing.gave_way.items() if plans > dealing.plans_made / 2} == short


def test_a_day_without_calendar_and_limits_has_a_plan_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """All six count, and the vendor gets more than it would be allowed."""
    plan = plans_of(SMALL, monkeypatch)[-1]
    assert next(team.people for team in plan.teams if team.team_id == "north-entry") == 6.0


@pytest.mark.parametrize(("asked", "seconds"), [({}, 60), ({"plan_seconds": 5.0}, 5)])
def test_plans_are_made_as_often_as_is_asked(
    asked: dict[str, float], seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every minute unless told otherwise."""
    made = [plan.made_at for plan in plans_of(SMALL, monkeypatch, until=10.8, **asked)]
    assert {(later - earlier).total_seconds() for earlier, later in itertools.pairwise(made)} == {seconds}


def test_a_shift_is_told_as_it_is_kept() -> None:
    """Half past eight to five with a break, and one who sees the day out."""
    early = shift_of(((8.5 * HOUR, 12 * HOUR), (12.5 * HOUR, 17 * HOUR)))
    assert (early.begins, early.ends, early.breaks[0].begins, early.breaks[0].ends) == (
        "08:30",
        "17:00",
        "12:00",
        "12:30",
    )
    assert shift_of(((9.25 * HOUR, float("inf")),)).ends == "23:30"


@pytest.mark.parametrize("words", [("compare", "--plan-every", "1"), ("whatif", "--close", "north-entry")])
def test_other_days_can_be_asked_for(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--seed 7 --days 2` plays the days 7 and 8."""
    seeds: list[int] = []

    def day_of(profile: Profile, load: float, seed: int) -> Day:
        seeds.append(seed)
        return bank_day(profile, load, seed)

    def compared(make: Any, loads: Any, asked: Sequence[int], tell: Any, plan_seconds: float | None) -> None:
        assert plan_seconds == 1.0
        seeds[:] = asked
        raise typer.Exit

    monkeypatch.setattr(comparing, "compare", compared)
    monkeypatch.setattr(whatif, "busy_day", day_of)
    nothing = whatif.DayPlayed(dict.fromkeys((*FIGURES, LEFT_OVER, OUTSIDE), 0.0), {})
    monkeypatch.setattr(whatif, "_play", lambda day, tell: nothing)
    asked = [*words, "--seed", "7", "--days", "2", "--load", "0.1", "--profile", "small-centre"]
    found = CliRunner().invoke(simulate.app, asked)
    assert found.exit_code == 0, found.output
    assert seeds == [7, 8]
