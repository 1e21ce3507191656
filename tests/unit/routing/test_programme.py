"""The plan's programme on cases small enough to be done by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from services.routing.balancer.programme import solve
from services.routing.balancer.terms import Bounds, Demand, Relaxed, SharesByKind, Skill, TeamNow
from services.routing.kinds import Kind

NORTH = TeamNow("north", "bank", "n", 2, {"x": Skill(2, 60.0)})
SOUTH = TeamNow("south", "bank", "s", 1, {"x": Skill(1, 60.0)})


def test_work_is_shared_by_heads() -> None:
    """Two heads and one: two thirds and one third, and both half full with 90 minutes of work for 180."""
    plan = solve([Demand(Kind("x"), 90)], [NORTH, SOUTH], Bounds())
    assert plan.by_kind[Kind("x")] == pytest.approx({"north": 2 / 3, "south": 1 / 3}, abs=0.01)
    assert (plan.saturation, plan.tardiness) == pytest.approx((0.5, 0.0))


def test_what_a_team_has_already_counts() -> None:
    """Two teams of two heads; south has an hour and a half of work: both end the hour equally full."""
    behind = TeamNow("south", "bank", "s", 2, {"x": Skill(2, 60.0)}, waiting=0.5)
    plan = solve([Demand(Kind("x"), 90)], [NORTH, behind], Bounds())
    assert plan.by_kind[Kind("x")] == pytest.approx({"north": 2 / 3, "south": 1 / 3}, abs=0.02)
    assert plan.by_team == pytest.approx({"north": 0.5, "south": 0.5}, abs=0.02)


def test_teams_beside_the_fullest_are_not_filled_for_nothing() -> None:
    """One team is full with what it has; of the others none is filled beyond what keeps queues short."""
    full = TeamNow("full", "bank", "f", 1, {"y": Skill(1, 60.0)}, waiting=0.98)
    teams = [
        full,
        TeamNow("a", "bank", "a", 5, {"x": Skill(5, 60.0)}),
        TeamNow("b", "bank", "b", 5, {"x": Skill(5, 60.0)}),
    ]
    plan = solve([Demand(Kind("x"), 400), Demand(Kind("y"), 0.1)], teams, Bounds())
    assert max(plan.by_team["a"], plan.by_team["b"]) <= 0.701


def test_work_goes_only_where_the_provider_may_see_it() -> None:
    """What is kept in the house and what is of a class that the vendor may not see share nothing with the vendor."""
    vendor = TeamNow("vendor", "clearkey", "v", 9, {"x": Skill(9, 60.0)}, outside=True)
    kinds = [Kind("x"), Kind("x", in_house_only=True), Kind("x", data_class="secret")]
    secret = TeamNow("south", "bank", "s", 1, {"x": Skill(1, 60.0)}, data_classes=frozenset({"internal", "secret"}))
    plan = solve([Demand(kind, 10) for kind in kinds], [NORTH, secret, vendor], Bounds())
    assert "vendor" in plan.by_kind[Kind("x")]
    assert "vendor" not in plan.by_kind[kinds[1]]
    assert set(plan.by_kind[kinds[2]]) == {"south"}


def test_what_a_reroute_holds_away_is_not_planned() -> None:
    """A team barred from a kind gets none of it."""
    barred = TeamNow("north", "bank", "n", 2, {"x": Skill(2, 60.0)}, barred=frozenset({Kind("x")}))
    assert set(solve([Demand(Kind("x"), 10)], [barred, SOUTH], Bounds()).by_kind[Kind("x")]) == {"south"}


def test_a_scarce_skill_bounds_its_own_share() -> None:
    """One of north's ten people knows y: it gets a half of y, not ten elevenths."""
    north = TeamNow("north", "bank", "n", 10, {"y": Skill(1, 60.0)})
    south = TeamNow("south", "bank", "s", 1, {"y": Skill(1, 60.0)})
    plan = solve([Demand(Kind("y"), 60)], [north, south], Bounds())
    assert plan.by_kind[Kind("y")]["north"] == pytest.approx(0.5, abs=0.01)


def test_a_contract_is_kept_although_it_fills_a_team_more() -> None:
    """The vendor is promised half of the items and has a quarter of the heads."""
    vendor = TeamNow("vendor", "clearkey", "v", 1, {"x": Skill(1, 60.0)})
    plan = solve(
        [Demand(Kind("x"), 60)],
        [TeamNow("north", "bank", "n", 3, {"x": Skill(3, 60.0)}), vendor],
        Bounds({"clearkey": 0.5}),
    )
    assert plan.by_kind[Kind("x")]["vendor"] == pytest.approx(0.5, abs=0.01)
    assert plan.relaxed == ()


def test_bounds_that_cannot_all_hold_give_way_in_order_and_are_named() -> None:
    """A vendor's minimum of 0.6 and its centre's maximum of 0.5: the centre's gives way by a tenth."""
    vendor = TeamNow("vendor", "clearkey", "v", 1, {"x": Skill(1, 60.0)})
    bounds = Bounds(provider_minimum={"clearkey": 0.6}, centre_maximum={"v": 0.5})
    plan = solve([Demand(Kind("x"), 60)], [NORTH, vendor], bounds)
    assert [(found.reason, found.name) for found in plan.relaxed] == [("centre_maximum", "v")]
    assert plan.relaxed[0].by == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("people", [1, 20])
@pytest.mark.parametrize("last", [None, {}, {Kind("x"): {"gone": 0.5, "vendor": 0.5}}, {Kind("x"): {"vendor": 1.0}}])
@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (Bounds(provider_maximum={"clearkey": 0.6}), Relaxed("provider_maximum", "clearkey", 0.4)),
        (Bounds(centre_maximum={"v": 0.5}), Relaxed("centre_maximum", "v", 0.5)),
    ],
)
def test_a_maximum_that_cannot_be_kept_gives_way_and_is_named(
    bounds: Bounds, expected: Relaxed, last: SharesByKind | None, people: int
) -> None:
    """Only one team is open: from nothing, after another one was open, and again; with too few people and with many."""
    vendor = TeamNow("vendor", "clearkey", "v", people, {"x": Skill(people, 60.0)})
    plan = solve([Demand(Kind("x"), 120)], [vendor], bounds, last)
    assert plan.by_kind == {Kind("x"): {"vendor": 1.0}}
    assert plan.saturation == pytest.approx(2.0 / people)
    (broken,) = plan.relaxed
    assert (broken.reason, broken.name) == (expected.reason, expected.name)
    assert broken.by == pytest.approx(expected.by)


def test_a_bound_missed_by_less_than_shares_may_be_off_does_not_stop_the_plan() -> None:
    """The last shares break it by less than is named: it gives way all the same."""
    team = TeamNow("north", "bank", "n", 2, {"x": Skill(2, 60.0)})
    last = {Kind("x"): {"north": 1.0}}
    plan = solve([Demand(Kind("x"), 60)], [team], Bounds(centre_maximum={"n": 1 - 5e-6}), last)
    assert (plan.by_kind, plan.relaxed) == (last, ())


@pytest.mark.parametrize("items", [1e-9, 1e-4, 1e-3, 1e-2])
def test_work_of_which_hardly_any_comes_breaks_no_plan(items: float) -> None:
    """All work was promised to the vendor; of what only the bank knows hardly any comes, after it was heard of hours ago."""
    vendor = TeamNow("vendor", "clearkey", "v", 1, {"x": Skill(1, 60.0)})
    rare = TeamNow("rare", "bank", "n", 0.05, {"y": Skill(0.05, 36000.0, 10.0)}, waiting=10.0)
    bounds = Bounds(provider_minimum={"clearkey": 1.0})
    plan = solve([Demand(Kind("x"), 5000), Demand(Kind("y"), items)], [vendor, rare], bounds)
    assert plan.by_kind == {Kind("x"): {"vendor": pytest.approx(1.0)}, Kind("y"): {"rare": pytest.approx(1.0)}}
    assert all(one.by < 1e-4 for one in plan.relaxed)


def test_work_for_nobody_is_named_and_shared_with_nobody() -> None:
    """Eligibility never gives way."""
    plan = solve([Demand(Kind("x"), 60), Demand(Kind("q"), 3)], [NORTH], Bounds())
    assert plan.relaxed == (Relaxed("nobody_eligible", "q", 3),)
    assert Kind("q") not in plan.by_kind


def test_one_more_person_is_worth_what_the_hour_overflows() -> None:
    """240 minutes of work for 180: each further head takes an hour of it, sixty items that are late by half an hour."""
    plan = solve([Demand(Kind("x"), 240)], [NORTH, SOUTH], Bounds())
    assert plan.saturation == pytest.approx(4 / 3, rel=0.01)
    most = 30.0 * 60  # less what those in the last bands before full already cost
    assert {hurt.team_id for hurt in plan.hurts} == {"north", "south"}
    assert all(0.95 * most < hurt.saves <= most for hurt in plan.hurts)


def test_a_scarce_skill_is_told_by_name() -> None:
    """Ten people, one of whom knows y, and two hours of y: another who knows y would save, anybody else would not."""
    team = TeamNow("north", "bank", "n", 10, {"y": Skill(1, 60.0)})
    hurts = solve([Demand(Kind("y"), 120)], [team], Bounds()).hurts
    assert [(hurt.team_id, hurt.work_type) for hurt in hurts] == [("north", "y")]


def test_what_may_wait_is_where_teams_are_filled() -> None:
    """One team is full as it is; z can be done beside what is due at once, or beside what has until tomorrow."""
    full = TeamNow("full", "bank", "f", 1, {"y": Skill(1, 60.0)}, waiting=0.98)
    hasty = TeamNow("hasty", "bank", "a", 5, {"u": Skill(5, 60.0), "z": Skill(5, 60.0)})
    patient = TeamNow("patient", "bank", "b", 5, {"v": Skill(5, 60.0), "z": Skill(5, 60.0)})
    found = {}
    for slack in (0.0, 240.0):
        comes = [
            Demand(Kind("u"), 180),
            Demand(Kind("v"), 180, slack=slack),
            Demand(Kind("z"), 130),
            Demand(Kind("y"), 0.1),
        ]
        plan = solve(comes, [full, hasty, patient], Bounds())
        found[slack] = plan.by_team
    assert found[0.0]["hasty"] > 0.75
    assert found[240.0]["hasty"] <= 0.701
    assert found[240.0]["patient"] > 0.9


def test_work_that_is_left_over_is_late_by_what_outlasts_its_slack() -> None:
    """An hour of sixty items more than people: at once due, in time within the hour, tomorrow."""
    late = []
    for slack in (-5.0, 0.0, 30.0, 60.0, 1440.0):
        plan = solve([Demand(Kind("x"), 120, slack=slack)], [SOUTH], Bounds())
        late.append(plan.late_minutes)
        assert (slack < 1440.0) == bool(plan.hurts)
    overdue, at_once, half, hour, tomorrow = late
    assert overdue == at_once
    assert at_once == pytest.approx(60 * 30.0, rel=0.05)
    assert half == pytest.approx(60 * (25 * math.exp(-30 / 30) + 4 * math.exp(-30 / 5)), rel=0.02)
    assert hour == pytest.approx(60 * 25 * math.exp(-60 / 30), rel=0.02)
    assert tomorrow < 1e-6


def test_who_may_wait_waits_first() -> None:
    """A team with as much work due at once as due tomorrow, and a tenth too much of it: nobody is late. Twice too much: some are."""
    team = TeamNow("north", "bank", "n", 2, {"u": Skill(2, 60.0), "v": Skill(2, 60.0)})
    found = [
        solve([Demand(Kind("u"), 60 * much), Demand(Kind("v"), 60 * much, slack=1440.0)], [team], Bounds())
        for much in (1.1, 2.5)
    ]
    assert [plan.saturation for plan in found] == pytest.approx([1.1, 2.5], rel=0.01)
    assert found[0].late_minutes < 1.0
    assert found[1].late_minutes > 100.0


def test_more_work_that_may_wait_makes_nobody_later() -> None:
    """Beside five sixths of a team's hours that are due at once, any amount of what is due tomorrow: nothing jumps."""
    team = TeamNow("north", "bank", "n", 6, {"u": Skill(6, 60.0), "v": Skill(6, 90.0)})
    late = [
        solve([Demand(Kind("u"), 300, cost=10.0), Demand(Kind("v"), n, slack=1440.0)], [team], Bounds()).late_minutes
        for n in range(60, 1000, 20)
    ]
    assert all(after >= before - 1e-6 for before, after in pairwise(late))
    assert late[-1] < 0.02 * 300 * 30.0  # of what they were if all of it waited half an hour


@pytest.mark.parametrize("others", [{}, {"v": Skill(0.5, 90.0)}])
def test_what_waits_and_nobody_may_do_makes_nobody_late(others: dict[str, Skill]) -> None:
    """Sixteen hours of it at eight people, of a kind that was not heard of, whether somebody there may do it or not."""
    team = TeamNow("north", "bank", "n", 8, {"u": Skill(8, 60.0), **others}, waiting=16.0)
    plan = solve([Demand(Kind("u"), 100)], [team], Bounds())
    assert plan.saturation > 2.0
    assert plan.late_minutes == pytest.approx(0.0, abs=1e-6)
    assert plan.hurts == ()


def test_shares_that_are_still_as_good_stay() -> None:
    """A last plan that fills nobody more than the best one does is kept to the last digit."""
    teams = [TeamNow(name, "bank", name, 2, {"x": Skill(2, 60.0), "y": Skill(2, 60.0)}) for name in ("a", "b")]
    last = {Kind("x"): {"a": 0.75, "b": 0.25}, Kind("y"): {"a": 0.25, "b": 0.75}}
    plan = solve([Demand(Kind("x"), 60), Demand(Kind("y"), 60)], teams, Bounds(), last)
    assert {kind: dict(shares) for kind, shares in plan.by_kind.items()} == last


def test_shares_that_are_good_no_more_move_as_little_as_they_can() -> None:
    """South lost half its people: of the two ways to keep the fullest least full, the one that moves fewer items."""
    teams = [
        TeamNow("a", "bank", "a", 4, {"x": Skill(4, 60.0), "y": Skill(4, 60.0)}),
        TeamNow("b", "bank", "b", 2, {"x": Skill(2, 60.0), "y": Skill(2, 60.0)}),
    ]
    last = {Kind("x"): {"a": 1.0}, Kind("y"): {"b": 1.0}}
    plan = solve([Demand(Kind("x"), 60), Demand(Kind("y"), 60)], teams, Bounds(), last)
    assert plan.by_kind[Kind("x")] == {"a": pytest.approx(1.0)}
    assert plan.by_kind[Kind("y")] == pytest.approx({"a": 1 / 3, "b": 2 / 3}, abs=0.02)
