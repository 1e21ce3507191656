"""The plan of odd floors: next to nothing comes, or far too much; teams of a twentieth of a person; days of work waiting."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import pytest

from services.routing.balancer.programme import solve
from services.routing.balancer.terms import Bounds, Demand, Skill, TeamNow
from services.routing.kinds import Kind

FEW: Final = (1e-300, 1e-12, 1e-9, 1e-6, 1e-3, 0.01, 1, 100, 1e4, 1e6)

TOO_LITTLE: Final = (19, 134, 167, 201, 271, 373, 475)
"""Seeds of floors on which less came than the solver can tell from nothing."""

LOST: Final = (1013, 1042, 1528, 1678)
"""Seeds of floors on which the solver, begun from the last shares, said that it did not know."""


def odd_floor(seed: int) -> tuple[list[Demand], list[TeamNow], Bounds, random.Random]:
    """A floor drawn from the seed."""
    draw = random.Random(seed)
    types = [f"w{number}" for number in range(draw.randint(1, 5))]
    teams = [_odd_team(f"t{number}", types, draw) for number in range(draw.randint(1, 8))]
    demands = [Demand(Kind(name), draw.choice(FEW) * draw.random(), draw.choice((1, 0.001, 5, 1e4))) for name in types]
    bounds = Bounds(
        {"p": draw.random()} if draw.random() < 0.4 else {},
        {"q": draw.random()} if draw.random() < 0.4 else {},
        {"x": draw.random()} if draw.random() < 0.3 else {},
    )
    return demands, teams, bounds, draw


def _odd_team(team_id: str, types: list[str], draw: random.Random) -> TeamNow:
    provider, centre, people = draw.choice("pq"), draw.choice("xy"), draw.choice((1, 2, 5, 10, 0.05))
    skills = {
        name: Skill(
            draw.choice((people, people / 2)),
            draw.choice((1, 30, 60, 600, 3000)) * draw.random() + 0.1,
            draw.choice((0, 0, 0.5, 50)),
        )
        for name in types
        if draw.random() < 0.7
    }
    return TeamNow(team_id, provider, centre, people, skills, waiting=draw.choice((0, 0, 1e-6, 0.3, 50, 500)))


@pytest.mark.parametrize("seed", [*TOO_LITTLE, *LOST, *range(20)])
def test_every_odd_floor_has_a_plan_and_the_next_one_too(seed: int) -> None:
    """Shares of each kind that somebody may do sum to one, whatever comes; an hour later much more or much less comes."""
    demands, teams, bounds, draw = odd_floor(seed)
    found = solve(demands, teams, bounds)
    later = [replace(one, items=one.items * draw.choice((1, 1e-6, 0.99, 1.5, 1e6))) for one in demands]
    again = solve(later, teams, bounds, found.by_kind)
    for shares in (found, again):
        nobody = {one.name for one in shares.relaxed if one.reason == "nobody_eligible"}
        for demand in demands:
            given = shares.by_kind.get(demand.kind, {})
            assert sum(given.values()) == pytest.approx(0.0 if demand.kind.work_type in nobody else 1.0)
