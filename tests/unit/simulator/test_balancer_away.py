"""A balancer that is killed in the middle of a simulated day: work goes on by the last plan, and the next goes on from it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import accumulate

import pytest

from services.routing.balancer.arrivals import Arrivals
from services.routing.boards import PLAN_BOARD, PlanView
from services.routing.kinds import Kind
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.day import Day
from services.routing.simulator.floor import Floor, Played, Starts
from services.routing.simulator.real import RealDealing

QUARTER = 900.0
KILLED = 9.5 * 3600.0


def a_day(until: float = 10.5 * 3600.0) -> Day:
    """A small centre's first hours."""
    day = bank_day(PROFILES["small-centre"], 0.9, 3)
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
            for part in view.plan.work if view.plan is not None else ():
                self._arrivals.resume(Kind.told(part), part.recent_per_hour, floor.now)
        return super()._plan()


def begun(played: Played) -> Counter[int]:
    """Items begun by quarter of an hour."""
    return Counter(int(item.began // QUARTER) for item in played.items if item.began is not None)


@pytest.mark.parametrize("minutes", [1, 9, 60])
def test_work_flows_on_while_the_balancer_is_dead(minutes: int) -> None:
    """For a moment, for as long as its last plan is good, for longer: by no quarter of an hour has less been begun so far.

    Not in each quarter alone: where one day has begun more, less is left to begin in the next.
    """
    day = a_day()
    with_it = begun(Floor(day, RealDealing()).play())
    without = begun(Floor(day, Killed(KILLED, KILLED + 60 * minutes)).play())
    hour = range(int(KILLED // QUARTER), int(KILLED // QUARTER) + 4)
    so_far, so_far_without = (list(accumulate(day[quarter] for quarter in hour)) for day in (with_it, without))
    assert all(with_it[quarter] > 200 for quarter in hour)
    assert all(less >= 0.95 * more for more, less in zip(so_far, so_far_without, strict=True))
    assert so_far_without[-1] >= 0.98 * so_far[-1]


def test_a_solver_without_an_answer_leaves_the_last_plan_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the balancer does: the day goes on, and everybody is served."""

    def refuses(*given: object) -> None:
        raise ArithmeticError("Expected an optimal plan, found none")

    monkeypatch.setattr("services.routing.simulator.real.make_plan", refuses)
    played = Floor(a_day(until=9.0 * 3600.0), RealDealing()).play()
    assert len(played.cases) > 10
    assert all(course.ended is not None for course in played.cases)
