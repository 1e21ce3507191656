"""Plan after plan, as in life: shares stand still while arrivals are steady, and follow when they change."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.routing.balancer.app import BOARDS
from services.routing.balancer.arrivals import CHANCES, QUARTERS, Arrivals
from services.routing.balancer.planner import FloorNow, calendar_of, make_plan
from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from services.routing.kinds import Kind
from shared.contracts.reference import Centre, Provider, Team
from shared.contracts.routing import ArrivalsLearned, CapacityByWorkType, LoadSnapshot, PlanMade
from shared.reference.board import REFERENCE_BOARD

SINCE = datetime(2026, 5, 4, 2, 0, tzinfo=UTC)
KINDS = tuple(Kind(f"{name}/entry") for name in "uvwxyz")
WATCHED = 3600  # seconds before the first plan
SETTLED = 30  # plans
SEEDS = range(12)
MOVED_MAX = 0.01
SLACKS = (4.0, 17.0, 19.0, 20.0, 22.0, 240.0)  # minutes, of what comes, by chance: some of it is urgent

Shares = Mapping[tuple[Kind, str], float]


class Floor:
    """Twelve teams of six people, each with three of six work types; a plan whenever it is asked, from the last one."""

    def __init__(self, draw: random.Random) -> None:
        self.boards: dict[str, Any] = {spec.name: spec.empty() for spec in BOARDS}
        self.arrivals = Arrivals(SINCE)
        for entry in (
            Provider(id="bank", label="Bank", outside=False, data_classes=("internal",)),
            Centre(id="n", label="North", city="-"),
            *(Team(id=f"t{n}", label=f"T{n}", centre_id="n", provider_id="bank") for n in range(12)),
        ):
            REFERENCE_BOARD.fold(self.boards["reference"], entry.key, entry)
        for n in range(12):
            capacity = tuple(
                CapacityByWorkType(work_type=kind.work_type, present=draw.randint(2, 6), learned_seconds=60.0)
                for kind in draw.sample(KINDS, 3)
            )
            present = tuple(f"t{n}-{person}" for person in range(6))
            load = LoadSnapshot(
                team_id=f"t{n}", at=SINCE, version=1, queued=(), in_hand=0, present=present, capacity=capacity
            )
            LOAD_BOARD.fold(self.boards["load"], load.key, load)

    def expected(self, kind: Kind, now: datetime) -> float:
        """What arrivals alone would tell."""
        return self.arrivals.coming(kind, now, calendar_of(self.boards["reference"]))

    def plan(self, now: datetime) -> PlanMade:
        """The next plan, which is then the last one."""
        made = make_plan(FloorNow.of(self.boards, now), self.arrivals, self.boards["plan"], "b", 1.0)
        PLAN_BOARD.fold(self.boards["plan"], made.key, made)
        return made


def shares(plan: PlanMade) -> Shares:
    return {(Kind.told(part), one.team_id): one.share for part in plan.work for one in part.shares}


def moved(before: Shares, after: Shares) -> float:
    """The share that differs most."""
    return max(abs(before.get(pair, 0.0) - after.get(pair, 0.0)) for pair in {*before, *after})


def steadily(per_hour: float, begin: float, seconds: float) -> Iterator[float]:
    """Instants, evenly spaced. Units: seconds."""
    every = 3600 / per_hour
    count = int(begin // every) + 1
    while count * every <= begin + seconds:
        yield count * every
        count += 1


def by_chance(draw: random.Random, per_hour: float, begin: float, seconds: float) -> Iterator[float]:
    """Instants of a Poisson stream. Units: seconds."""
    at = begin + draw.expovariate(per_hour / 3600)
    while at <= begin + seconds:
        yield at
        at += draw.expovariate(per_hour / 3600)


def hear(floor: Floor, instants: Mapping[Kind, Iterator[float]]) -> None:
    """Let the instants of all kinds be heard in their order."""
    for at, kind in sorted((at, kind) for kind, mine in instants.items() for at in mine):
        floor.arrivals.heard(kind, SINCE + timedelta(seconds=at), SLACKS[int(1000 * at) % len(SLACKS)])


def plans_of(floor: Floor, begin: int, seconds: Sequence[Mapping[Kind, Iterator[float]]]) -> list[PlanMade]:
    """A plan each second, after what that second brings."""
    made = []
    for number, instants in enumerate(seconds, 1):
        hear(floor, instants)
        made.append(floor.plan(SINCE + timedelta(seconds=begin + number)))
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_with_evenly_spaced_arrivals_the_shares_settle(seed: int) -> None:
    """Each kind at a rate of its own: no share differs by 1 % from the plan before, nor from plan 30."""
    draw = random.Random(seed)
    floor = Floor(draw)
    rates = {kind: draw.uniform(200, 800) for kind in KINDS}
    hear(floor, {kind: steadily(rate, 0, WATCHED) for kind, rate in rates.items()})
    made = plans_of(
        floor,
        WATCHED,
        [{kind: steadily(rate, WATCHED + n, 1) for kind, rate in rates.items()} for n in range(120)],
    )
    told = [shares(plan) for plan in made[SETTLED - 1 :]]
    assert max(moved(one, other) for one, other in pairwise(told)) < MOVED_MAX
    assert max(moved(told[0], other) for other in told) < MOVED_MAX


@pytest.mark.parametrize("per_hour", [40, 400, 4000])
@pytest.mark.parametrize("seed", SEEDS)
def test_with_steady_arrivals_by_chance_the_shares_settle(seed: int, per_hour: int) -> None:
    """A Poisson stream of one rate, little and much: no share differs by 1 % from the plan before, nor from plan 30."""
    draw = random.Random(seed)
    floor = Floor(draw)
    hear(floor, {kind: by_chance(draw, per_hour, 0, WATCHED) for kind in KINDS})
    made = plans_of(
        floor,
        WATCHED,
        [{kind: by_chance(draw, per_hour, WATCHED + n, 1) for kind in KINDS} for n in range(120)],
    )
    told = [shares(plan) for plan in made[SETTLED - 1 :]]
    assert max(moved(one, other) for one, other in pairwise(told)) < MOVED_MAX
    assert max(moved(told[0], other) for other in told) < MOVED_MAX


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("times", [0.0, 2.0])
def test_a_real_change_is_followed_within_minutes(seed: int, times: float) -> None:
    """One kind doubles, or ends: in three minutes the plan expects another rate, and it is never further off than chance."""
    draw = random.Random(seed)
    floor = Floor(draw)
    rates = dict.fromkeys(KINDS, 400.0)
    hear(floor, {kind: steadily(rate, 0, WATCHED) for kind, rate in rates.items()})
    floor.plan(SINCE + timedelta(seconds=WATCHED))
    rates[KINDS[0]] *= times
    expected = []
    for begin in range(WATCHED, WATCHED + 1800, 60):
        hear(floor, {kind: steadily(rate, begin, 60) for kind, rate in rates.items() if rate})
        now = SINCE + timedelta(seconds=begin + 60)
        (part,) = (part for part in floor.plan(now).work if Kind.told(part) == KINDS[0])
        expected.append(part.coming_per_hour)
        strays = CHANCES * (2 * floor.expected(KINDS[0], now)) ** 0.5
        assert part.coming_per_hour == pytest.approx(floor.expected(KINDS[0], now), abs=1.01 * strays + 0.01)
    assert next(minute for minute, rate in enumerate(expected, 1) if abs(rate - expected[0]) > 20) <= 3
    assert abs(expected[14] - 400) > 0.5 * abs(400 * times - 400)


def test_a_spike_that_the_profile_knows_is_expected_at_once() -> None:
    """From 03:15 on five times as much comes: the first plan that sees another quarter of it expects it."""
    floor = Floor(random.Random(1))
    calendar = calendar_of(floor.boards["reference"])
    spike = [calendar.slot(SINCE + timedelta(minutes=minutes))[1] for minutes in (75, 90, 105)]
    profile = tuple(500.0 if slot in spike else 100.0 for slot in range(QUARTERS))
    for kind in KINDS:
        learned = ArrivalsLearned(day_kind="working", at=SINCE, per_hour=profile, **kind._asdict())
        floor.arrivals.remember(learned)
    hear(floor, {kind: steadily(100, 0, WATCHED - 1) for kind in KINDS})
    before, after = (floor.plan(SINCE + timedelta(seconds=WATCHED + second)) for second in (-1, 0))
    assert before.work[0].coming_per_hour == pytest.approx(300, rel=0.05)
    assert after.work[0].coming_per_hour == pytest.approx(400, rel=0.05)
