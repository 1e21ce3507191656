"""The programme against the same aims written down plainly: a column for how full the fullest is, a row for each load."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import pytest

from services.routing.balancer.programme import RELAXED_IN_ORDER, SLACK_SHARE, TOLERANCE, Footing, solve
from services.routing.balancer.terms import TIMELY_WEIGHT, WAITS, Bounds, Demand, Hurt, SharesByKind, Skill, TeamNow
from services.routing.kinds import Kind
from services.routing.solver import new_solver

TYPES = ("u", "v", "w", "x", "y")


def a_floor(draw: random.Random) -> tuple[list[Demand], list[TeamNow], Bounds]:
    """Some kinds, several of one work type; teams of several providers, some of them full already; bounds at times."""
    kinds = [Kind(name, house) for name in TYPES for house in (False, True) if draw.random() < 0.7]
    demands = [
        Demand(kind, draw.uniform(5, 400), draw.choice((0.5, 1.0, 3.0)), draw.choice((-3.0, 0.0, 12.0, 50.0, 240.0)))
        for kind in kinds
    ]
    teams = []
    for number in range(draw.randint(2, 9)):
        people = draw.randint(1, 8)
        skills = {
            name: Skill(
                draw.uniform(0.3, 1.0) * people,
                draw.uniform(20, 200),
                draw.choice((0.0, 0.0, draw.uniform(0, 4))),
                draw.uniform(0, 40),
            )
            for name in draw.sample(TYPES, draw.randint(1, 5))
        }
        skills |= {name: skill._replace(people=float(people)) for name, skill in skills.items() if draw.random() < 0.3}
        waiting = sum(skill.waiting for skill in skills.values())
        vendor = draw.random() < 0.3
        place = f"vendor-{number % 2}" if vendor else "bank"
        teams.append(TeamNow(f"t{number}", place, f"c{number % 3}", people, skills, waiting, outside=vendor))
    bounds = Bounds()
    if draw.random() < 0.6:
        bounds = Bounds(
            {"vendor-0": draw.uniform(0, 0.2)}, {"vendor-1": draw.uniform(0, 0.4)}, {"c0": draw.uniform(0, 0.8)}
        )
    return demands, teams, bounds


FIXED = (0.0, 0.7, 0.85, 0.95, 1.0)  # where the bands of a team begin that all teams have


def weighed(demand: Demand, wait: float, age: float = 0.0) -> float:
    """Points of a minute of such a wait: late beyond the slack, or only kept waiting."""
    late = math.exp(-max(demand.slack - age, 0.0) / wait)
    return demand.cost * (late + TIMELY_WEIGHT * (1 - late))


def stair_of(team: TeamNow, mine: list[Demand], teams: list[TeamNow]) -> list[tuple[float, float]]:
    """Up to which saturation of a team an hour of its work more costs how many points."""
    hours = {d.kind: d.items * team.skills[d.kind.work_type].seconds / 3600 for d in mine}
    others = team.waiting - sum(team.skills[name].waiting for name in {d.kind.work_type for d in mine})
    entries: list[tuple[float, float, Demand | None, float]] = [(0.0, others / team.people, None, 0.0)]
    for d in mine:  # price, how full it makes the team, what it is
        skill = team.skills[d.kind.work_type]
        alike = sum(hours[other.kind] for other in mine if other.kind.work_type == d.kind.work_type)
        evenly = sum(other.may_do(d.kind) for other in teams)
        for filled, age in (
            (hours[d.kind] / evenly / team.people, 0.0),
            (skill.waiting * hours[d.kind] / alike / team.people, skill.age),
        ):
            entries.append((weighed(d, 30.0, age) * 3600 / skill.seconds, filled, d, age))
    entries = sorted((entry for entry in entries if entry[1] > 1e-9), key=lambda entry: entry[0])
    ends = [*accumulate(filled for _, filled, _, _ in entries)]
    rises = sorted(((entries[n + 1][0] - entries[n][0], ends[n]) for n in range(len(ends) - 1)), reverse=True)[:4]
    cheaper = [end for rise, end in rises if rise > 0.0]
    cheaper += [ends[-1]] * (4 - len(cheaper))
    begins = [*FIXED, *sorted([max(0.7 + end, 1.0) for end in cheaper] + [1.0 + end for end in cheaper])]
    ends[-1] = math.inf  # the dearest stands for what is beyond all

    def over(begin: float, end: float, wait: float) -> float:
        """What so much saturation costs whose cheapest is at `begin`."""
        total, low = 0.0, 0.0
        for high, (_, _, d, age) in zip(ends, entries, strict=True):
            part = max(min(high, end) - max(low, begin), 0.0)
            if d is not None:
                total += part * weighed(d, wait, age) * 3600 / team.skills[d.kind.work_type].seconds
            low = high
        return total

    found, dearest = [], 0.0
    for low, high in pairwise([*begins, begins[-1] + 3.0]):
        points = 0.0
        for (begin, below), (_, above) in pairwise(WAITS):
            points += (above - below) * over(max(low - begin, 0.0), high - begin, above) / max(high - low, 1e-6)
        dearest = max(dearest, points if high - low > 1e-6 else 0.0)
        found.append((high, dearest))
    return [*found[:-1], (math.inf, dearest)]


def plainly(demands: list[Demand], teams: list[TeamNow], bounds: Bounds) -> tuple[float, float] | None:
    """Least saturation, and least lateness with nearly that; `None` where the bounds cannot all be kept."""
    solver = new_solver()
    share = {
        (demand.kind, team.team_id): solver.addVariable(lb=0, ub=1)
        for demand in demands
        for team in teams
        if team.may_do(demand.kind)
    }
    demands = [demand for demand in demands if any(kind == demand.kind for kind, _ in share)]
    fullest = solver.addVariable(lb=0)
    lateness: list[Any] = []
    for demand in demands:
        solver.addConstr(sum(x for (kind, _), x in share.items() if kind == demand.kind) == 1)
    for team in teams:
        mine = [demand for demand in demands if (demand.kind, team.team_id) in share]
        hours = {d.kind: d.items * team.skills[d.kind.work_type].seconds / 3600 for d in mine}
        if not mine:
            continue
        loads = [(team.people, team.waiting, mine, stair_of(team, mine, teams))]
        for name, skill in team.skills.items():
            those = [d for d in mine if d.kind.work_type == name]
            if those and skill.people < team.people:
                hardest = Demand(those[0].kind, 1.0, max(d.cost for d in those), min(d.slack for d in those))
                dear = 30.0 * weighed(hardest, 30.0) * 3600 / skill.seconds
                loads.append((skill.people, skill.waiting, those, [(1.0, 0.0), (float("inf"), dear)]))
        for people, waiting, those, bands in loads:
            work = waiting + sum(hours[d.kind] * share[d.kind, team.team_id] for d in those)
            solver.addConstr(work <= people * fullest)
            below = 0.0
            widths = []
            for upto, points in bands:
                width = solver.addVariable(lb=0, ub=min((upto - below) * people, 1e9))
                lateness.append(points * width)
                widths.append(width)
                below = upto
            solver.addConstr(work <= sum(widths))
    total = sum(demand.items for demand in demands)
    if not share:
        return None
    for shares, sign, place in (
        (bounds.provider_minimum, 1, "provider_id"),
        (bounds.provider_maximum, -1, "provider_id"),
        (bounds.centre_maximum, -1, "centre_id"),
    ):
        of_kind = {demand.kind: demand.items for demand in demands}
        for name, bound in shares.items():
            there = {team.team_id for team in teams if getattr(team, place) == name}
            given = [of_kind[kind] / total * x for (kind, team_id), x in share.items() if team_id in there]
            if not given and sign > 0 and bound > 0:
                return None
            if given:
                solver.addConstr(sign * sum(given) >= sign * bound)
    solver.minimize(fullest)
    if str(solver.getModelStatus()) != "HighsModelStatus.kOptimal":
        return None
    saturation = solver.getObjectiveValue()
    solver.addConstr(fullest <= saturation * (1 + SLACK_SHARE) + TOLERANCE)
    solver.minimize(sum(lateness))
    return saturation, solver.getObjectiveValue()


def moved(before: SharesByKind, after: SharesByKind, items: dict[Kind, float]) -> float:
    """Items that go elsewhere."""
    return sum(
        items[kind] * max(0.0, share - before.get(kind, {}).get(team, 0.0))
        for kind, by_team in after.items()
        for team, share in by_team.items()
    )


@pytest.mark.parametrize("seed", range(60))
def test_both_aims_are_reached_as_a_plain_programme_reaches_them(seed: int) -> None:
    """From nothing, and from any last shares; where no plan keeps all bounds, some give way."""
    draw = random.Random(seed)
    demands, teams, bounds = a_floor(draw)
    able = [demand for demand in demands if any(team.may_do(demand.kind) for team in teams)]
    expected = plainly(able, teams, bounds)
    first = solve(able, teams, bounds)
    if expected is None:
        assert first.relaxed
        return
    other = [replace(demand, items=demand.items * draw.uniform(0.3, 3.0)) for demand in able]
    again = solve(able, teams, bounds, solve(other, teams, bounds).by_kind)
    for found in (first, again):
        assert found.relaxed == ()
        assert found.saturation == pytest.approx(expected[0], rel=1e-5, abs=1e-5)
        assert found.tardiness == pytest.approx(expected[1], rel=1e-3, abs=0.01)
        assert max(found.by_team.values()) <= found.saturation * 1.011 + 1e-3 or any(
            team.waiting / team.people > found.saturation for team in teams
        )


@pytest.mark.parametrize("seed", range(20))
def test_what_was_is_kept_as_far_as_the_aims_allow(seed: int) -> None:
    """A plan made from the one before moves no more items than one made from nothing would."""
    draw = random.Random(seed)
    demands, teams, bounds = a_floor(draw)
    items = {demand.kind: demand.items for demand in demands}
    last = solve(demands, teams, bounds).by_kind
    changed = [replace(demand, items=demand.items * draw.uniform(0.8, 1.25)) for demand in demands]
    near, anew = solve(changed, teams, bounds, last), solve(changed, teams, bounds)
    assert moved(last, near.by_kind, items) <= moved(last, anew.by_kind, items) + 0.01 * sum(items.values())
    settled = solve(changed, teams, bounds, near.by_kind)
    assert moved(near.by_kind, settled.by_kind, items) <= 1e-3 * sum(items.values())


@pytest.mark.parametrize("seed", range(40))
def test_a_footing_changes_neither_shares_nor_figures(seed: int) -> None:
    """One balancer's plans of an hour that grows busier, and those of one that is new each time; also where people come and go."""
    draw = random.Random(seed)
    demands, teams, bounds = a_floor(draw)
    footing, last = Footing(), solve(demands, teams, bounds).by_kind
    for _ in range(8):
        demands = [replace(demand, items=demand.items * draw.choice((0.9, 1.0, 1.0, 1.3))) for demand in demands]
        there = [replace(team, waiting=team.waiting * draw.uniform(0.8, 1.3)) for team in teams if draw.random() > 0.05]
        sooner, anew = (solve(demands, there, bounds, last, footing=one) for one in (footing, None))
        assert sooner.by_kind == anew.by_kind  # to the last digit
        assert sooner.saturation == anew.saturation
        assert dict(sooner.by_team) == pytest.approx(dict(anew.by_team))
        assert sooner.tardiness == pytest.approx(anew.tardiness, rel=1e-9, abs=1e-6)
        last = sooner.by_kind


def with_one_more(teams: list[TeamNow], hurt: Hurt) -> list[TeamNow]:
    """The same teams with the person there that the hurt calls for, who can also do what everybody of the team can."""

    def more(team: TeamNow) -> TeamNow:
        joins = {name for name, skill in team.skills.items() if skill.people >= team.people}
        joins |= {hurt.work_type} if hurt.work_type else set(team.skills)
        skills = {name: s._replace(people=s.people + 1) if name in joins else s for name, s in team.skills.items()}
        return replace(team, people=team.people + 1, skills=skills)

    return [more(team) if team.team_id == hurt.team_id else team for team in teams]


def just_not_done(team: TeamNow) -> bool:
    """Of some skill as much waits as its people do in the hour, and another would have done more."""
    return any(skill.people <= skill.waiting < skill.people + 1 for skill in team.skills.values())


@pytest.mark.parametrize("seed", range(60))
def test_one_more_person_saves_what_the_plan_with_that_person_saves(seed: int) -> None:
    """Hardly late floors and hopeless ones; where nothing of a skill was done in the hour, it may be more than is told."""
    draw = random.Random(seed)
    demands, teams, bounds = a_floor(draw)
    demands = [replace(demand, items=demand.items * draw.choice((0.2, 0.5, 1.0))) for demand in demands]
    demands = [demand for demand in demands if any(team.may_do(demand.kind) for team in teams)]
    bounds = Bounds() if plainly(demands, teams, bounds) is None else bounds
    plan = solve(demands, teams, bounds)
    for hurt in plan.hurts:
        expected = plainly(demands, with_one_more(teams, hurt), bounds)
        assert expected is not None
        saved = plan.tardiness - expected[1]
        at_least = any(team.team_id == hurt.team_id and just_not_done(team) for team in teams)
        assert hurt.worth <= 1.02 * saved + 1.0
        assert at_least or hurt.worth >= 0.98 * saved - 1.0
        assert hurt.worth <= plan.tardiness
    for last in (None, solve(demands, teams[1:], bounds).by_kind):
        told, untold = (solve(demands, teams, bounds, last, told) for told in (True, False))
        assert {kind: dict(shares) for kind, shares in told.by_kind.items()} == {
            kind: pytest.approx(shares, abs=1e-9) for kind, shares in untold.by_kind.items()
        }


def least_broken(demands: list[Demand], teams: list[TeamNow], bounds: Bounds) -> dict[str, float]:
    """By how much the bounds of each kind give way at least, those first that are kept longest."""
    solver = new_solver()
    total = sum(demand.items for demand in demands)
    placed: list[tuple[float, TeamNow, Any]] = []
    for demand in demands:
        mine = [(demand.items / total, team, solver.addVariable(0, 1)) for team in teams if team.may_do(demand.kind)]
        if mine:
            solver.addConstr(sum(share for _, _, share in mine) == 1)
        placed += mine
    found = {}
    for reason, shares, sign, place in (
        ("provider_maximum", bounds.provider_maximum, -1, "provider_id"),
        ("provider_minimum", bounds.provider_minimum, 1, "provider_id"),
        ("centre_maximum", bounds.centre_maximum, -1, "centre_id"),
    ):
        gives = [solver.addVariable(lb=0) for _ in shares]
        for (name, bound), by in zip(shares.items(), gives, strict=True):
            given = sum((part * share for part, team, share in placed if getattr(team, place) == name), 0 * by)
            solver.addConstr(sign * given + by >= sign * bound)
        found[reason] = 0.0
        if gives:
            solver.minimize(sum(gives))
            found[reason] = solver.getObjectiveValue()
            solver.addConstr(sum(gives) <= found[reason] * (1 + SLACK_SHARE) + TOLERANCE)
    return found


def a_bounded_floor(draw: random.Random) -> tuple[list[Demand], list[TeamNow], Bounds]:
    """Few teams at few places, and bounds of all kinds on them, most of which cannot be kept together."""
    demands, teams, _ = a_floor(draw)
    teams = teams[: draw.randint(1, 5)]
    providers, centres = ("bank", "vendor-0", "vendor-1"), ("c0", "c1", "c2")
    bounds = Bounds(
        {name: draw.choice((0.0, 0.3, 0.7)) for name in providers if draw.random() < 0.4},
        {name: draw.choice((0.0, 0.2, 0.6)) for name in providers if draw.random() < 0.5},
        {name: draw.choice((0.1, 0.5, 1.0)) for name in centres if draw.random() < 0.5},
    )
    return demands, teams, bounds


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_bounds_a_plan_comes_and_names_what_gave_way_in_order(seed: int) -> None:
    """Each kind of bound is broken as little as those that are kept longer allow; from nothing, again, a team less."""
    draw = random.Random(seed)
    demands, teams, bounds = a_bounded_floor(draw)
    last: SharesByKind | None = None
    for there in (teams, teams, teams[1:], teams):
        plan = solve(demands, there, bounds, last)
        last = plan.by_kind
        able = [demand for demand in demands if any(team.may_do(demand.kind) for team in there)]
        assert set(plan.by_kind) == {demand.kind for demand in able}
        if not able:
            continue
        named = dict.fromkeys(RELAXED_IN_ORDER, 0.0)
        for one in plan.relaxed:
            if one.reason != "nobody_eligible":
                named[one.reason] += one.by
        expected = least_broken(demands, there, bounds)
        assert named == {reason: pytest.approx(expected[reason], rel=0.011, abs=2e-3) for reason in RELAXED_IN_ORDER}
        assert {one.name for one in plan.relaxed} >= set(broken(demands, there, bounds, plan.by_kind))


def broken(demands: list[Demand], teams: list[TeamNow], bounds: Bounds, shares: SharesByKind) -> Iterator[str]:
    """The names of bounds that the told shares break by more than a thousandth."""
    total = sum(demand.items for demand in demands)
    for by_name, sign, place in (
        (bounds.provider_minimum, 1, "provider_id"),
        (bounds.provider_maximum, -1, "provider_id"),
        (bounds.centre_maximum, -1, "centre_id"),
    ):
        for name, bound in by_name.items():
            there = [team.team_id for team in teams if getattr(team, place) == name]
            given = sum(d.items * shares.get(d.kind, {}).get(team, 0.0) for d in demands for team in there) / total
            if sign * (bound - given) > 1e-3:
                yield name
