"""A balancer that is killed in the middle of a simulated day: work goes on by the last plan, and the next goes on from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.routing.balancer.arrivals import Arrivals
from services.routing.boards import PLAN_BOARD, PlanView
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.day import Day
from services.routing.simulator.floor import Floor, Played, Starts
from services.routing.simulator.real import RealDealing

QUARTER = 900.0
KILLED = 9.5 * 3600.0
LOOKED_AT = 10.5 * 3600.0  # until then
DAYS = (3, 4, 5, 6)


def a_day(seed: int = 3, until: float = LOOKED_AT) -> Day:
    """A small centre's first hours."""
    day = bank_day(PROFILES["small-centre"], 0.9, seed)
    return replace(day, cases=tuple(case for case in day.cases if case.arrives < until))


class Killed(RealDealing):
    """Ours, whose balancer is dead between two instants; the one that follows knows what the boards tell and no more."""

    def __init__(self, begin: float, end: float) -> None:
        super().__init__()
        self._begin, self._end = begin, end

    def _plan(self) -> Starts:
        floor = self._floor
        if self._begin <= floor.agenda.now < self._end:
            floor.wake(self._end, self._plan)
            return ()
        if floor.agenda.now == self._end:
            view: PlanView = self._boards[PLAN_BOARD.name]
            self._arrivals = Arrivals(floor.now)
            if view.plan is not None:
                self._arrivals.resume(view.plan, heard_since=view.in_force(floor.now).plan is not None)
        return super()._plan()


def begun(played: Played) -> Counter[int]:
    """Items begun by quarter of an hour."""
    return Counter(int(item.began // QUARTER) for item in played.items if item.began is not None)


def begun_in_all(dealing: Callable[[], RealDealing]) -> Counter[int]:
    """The same over several days: on one alone, who has begun more in a quarter has less left for the next."""
    return sum((begun(Floor(a_day(seed), dealing()).play(LOOKED_AT)) for seed in DAYS), Counter())


@pytest.fixture(scope="module")
def with_it() -> Counter[int]:
    """Days on which the balancer lives."""
    return begun_in_all(RealDealing)


@pytest.mark.parametrize("minutes", [1, 9, 60])
def test_work_flows_on_while_the_balancer_is_dead(minutes: int, with_it: Counter[int]) -> None:
    """For a moment, for as long as its last plan is good, for longer: no dip in what is begun in a quarter of an hour."""
    without = begun_in_all(lambda: Killed(KILLED, KILLED + 60 * minutes))
    hour = range(int(KILLED // QUARTER), int(KILLED // QUARTER) + 4)
    assert all(with_it[quarter] > 200 * len(DAYS) and without[quarter] >= 0.9 * with_it[quarter] for quarter in hour)
    assert sum(without[quarter] for quarter in hour) >= 0.98 * sum(with_it[quarter] for quarter in hour)


def test_a_solver_without_an_answer_leaves_the_last_plan_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the balancer does: the day goes on, and everybody is served."""

    def refuses(*given: object, **named: object) -> None:
        raise ArithmeticError("Expected an optimal plan, found none")

    monkeypatch.setattr("services.routing.simulator.real.make_plan", refuses)
    played = Floor(a_day(until=9.0 * 3600.0), RealDealing()).play()
    assert len(played.cases) > 10
    assert all(course.ended is not None for course in played.cases)
