"""A bound that no policy can pass: what a clairvoyant could finish in time who knows all arrivals and sizes.

A linear programme that leaves out every rule that makes the floor harder, so that whatever a policy does on the day is one
of its solutions; docs/balance.md has the proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

import highspy
import numpy as np

from services.routing.simulator.day import Case, Day, Person, Task
from services.routing.solver import new_solver
from shared.contracts.reference import Operator
from shared.reference.board import ReferenceView

INTERVAL: Final = 300.0  # seconds

Shape = tuple[str, float, tuple[tuple[int, str, str, bool, int], ...]]
"""Business type, service level, and of each task: number of its stage, work type, role, whether only the house may do
it, grade."""


@dataclass(frozen=True, slots=True)
class Pool:
    """People with the same qualifications. Units: `speed` by person, standard seconds a second; `slack` per work type."""

    outside: bool
    grade: int
    work_types: frozenset[str]
    people: tuple[Person, ...]

    def able(self, work_type: str, in_house_only: bool, grade_min: int) -> bool:
        """Whether these people may do such a task."""
        return work_type in self.work_types and self.grade >= grade_min and not (in_house_only and self.outside)

    def effort(self, work_type: str) -> float:
        """What a standard second of this type takes at least of the pool's time, in its own units."""
        return min(person.pace_for(work_type) / person.pace_of_all for person in self.people)

    def least(self, work_type: str) -> float:
        """What a standard second of this type takes the fastest of these people. Units: seconds."""
        return min(person.pace_for(work_type) for person in self.people)

    def seconds(self, begin: float, end: float) -> float:
        """The pool's time in an interval, each person's divided by their pace."""
        return sum(
            (person.seconds_until(end) - person.seconds_until(begin)) / person.pace_of_all for person in self.people
        )


def pools_of(day: Day) -> list[Pool]:
    """The day's people by what they may do."""
    view = ReferenceView()
    for entry in day.reference:
        view.fold(entry.key, entry)
    groups: dict[tuple[bool, int, frozenset[str]], list[Person]] = defaultdict(list)
    longest = _longest(day)
    for operator in view.operators.values():
        outside = view.providers[view.teams[operator.team_id].provider_id].outside
        groups[outside, operator.grade, frozenset(operator.work_types)].append(_person(day, operator, longest))
    return [Pool(*qualified, tuple(people)) for qualified, people in groups.items()]


def _longest(day: Day) -> Mapping[str, float]:
    """The longest task of each work type, at pace 1."""
    found: dict[str, float] = defaultdict(float)
    for case in day.cases:
        for task in (
            *(task for _, task in _tasks(case)),
            *([case.arbitration] if case.arbitration is not None else []),
        ):
            work_type = _work_type(case, task)
            found[work_type] = max(found[work_type], task.standard_seconds * task.size)
    return found


def _person(day: Day, operator: Operator, longest: Mapping[str, float]) -> Person:
    """The person with each shift longer by their longest task: what is in hand when it ends is finished."""
    person = day.people.get(operator.id) or Person(operator.id, ())
    overtime = max((longest.get(name, 0.0) * person.pace_for(name) for name in operator.work_types), default=0.0)
    return replace(person, shifts=tuple((begin, end + overtime) for begin, end in person.shifts))


def _work_type(case: Case, task: Task) -> str:
    return f"{task.business_type or case.business_type}/{task.step}"


@dataclass
class _Programme:
    """Columns, rows and entries, as they are found."""

    costs: list[float] = field(default_factory=list)
    tops: list[float] = field(default_factory=list)
    row_tops: list[float] = field(default_factory=list)
    entries: list[tuple[int, int, float]] = field(default_factory=list)  # row, column, value

    def column(self, cost: float, top: float) -> int:
        self.costs.append(cost)
        self.tops.append(top)
        return len(self.costs) - 1

    def row(self, top: float) -> int:
        self.row_tops.append(top)
        return len(self.row_tops) - 1

    def greatest(self) -> float:
        """The greatest value that the costs can reach. Every row is bounded from above, every column from below by 0."""
        rows, columns, values = (np.array(part) for part in zip(*self.entries, strict=True))
        order = np.lexsort((rows, columns))
        programme = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = len(self.costs), len(self.row_tops)
        programme.col_cost_ = -np.array(self.costs)
        programme.col_lower_ = np.zeros(len(self.costs))
        programme.col_upper_ = np.array(self.tops)
        programme.row_lower_ = np.full(len(self.row_tops), -highspy.kHighsInf)
        programme.row_upper_ = np.array(self.row_tops)
        programme.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(len(self.costs) + 1)).astype(np.int32)
        programme.a_matrix_.index_ = rows[order].astype(np.int32)
        programme.a_matrix_.value_ = values[order].astype(float)
        solver = new_solver()
        solver.passModel(programme)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"Expected the bound to be solved, found {solver.getModelStatus()}")
        return -float(solver.getInfo().objective_function_value)


def on_time_bound(day: Day) -> float:
    """No policy finishes a greater share of this day's cases in time."""
    if not day.cases:
        return 1.0
    programme = _Programme()
    pools = pools_of(day)
    room: dict[tuple[int, int], int] = {}
    for (shape, _), cases in _classes(day.cases).items():
        least = [_least_by_stage(case, pools) for case in cases]
        accepted = [
            programme.column(1.0, 1.0 if sum(seconds) <= case.due - case.arrives else 0.0)
            for case, seconds in zip(cases, least, strict=True)
        ]
        for position, (stage, work_type, _, in_house_only, grade_min) in enumerate(shape[2]):
            tasks = [_tasks(case)[position][1] for case in cases]
            needed = programme.row(0.0)
            for column, task in zip(accepted, tasks, strict=True):
                programme.entries.append((needed, column, task.standard_seconds * task.size))
            for number, pool in enumerate(pools):
                if pool.able(work_type, in_house_only, grade_min):
                    effort = pool.effort(work_type)
                    for interval in _window(cases, least, stage):
                        row = room.get((number, interval))
                        if row is None:
                            seconds = pool.seconds(interval * INTERVAL, (interval + 1) * INTERVAL)
                            row = room[number, interval] = programme.row(seconds)
                        given = programme.column(0.0, highspy.kHighsInf)
                        programme.entries += [(needed, given, -1.0), (row, given, effort)]
    return programme.greatest() / len(day.cases)


def _tasks(case: Case) -> list[tuple[int, Task]]:
    """The case's tasks with the numbers of their stages."""
    return [(number, task) for number, stage in enumerate(case.stages) for task in stage]


def _least_by_stage(case: Case, pools: Sequence[Pool]) -> list[float]:
    """What each stage takes at least: its longest task, at the hands of the fastest who may do it. Units: seconds."""
    least = [0.0] * len(case.stages)
    for number, task in _tasks(case):
        work_type = _work_type(case, task)
        able = [pool.least(work_type) for pool in pools if pool.able(work_type, task.in_house_only, task.grade_min)]
        least[number] = max(least[number], task.standard_seconds * task.size * min(able, default=float("inf")))
    return least


def _window(cases: Sequence[Case], least: Sequence[Sequence[float]], stage: int) -> range:
    """The intervals in which a task of the stage can be under way, of a case of these that is in time."""
    pairs = [(case, seconds) for case, seconds in zip(cases, least, strict=True) if sum(seconds) < float("inf")]
    begin = min((case.arrives + sum(seconds[:stage]) for case, seconds in pairs), default=0.0)
    end = max((case.due - sum(seconds[stage + 1 :]) for case, seconds in pairs), default=0.0)
    return range(int(begin // INTERVAL), ceil(end / INTERVAL))


def _classes(cases: Sequence[Case]) -> Mapping[tuple[Shape, int], list[Case]]:
    """Cases that need the same and come in the same interval, in order of arrival."""
    found: dict[tuple[Shape, int], list[Case]] = defaultdict(list)
    for case in cases:
        needs = tuple(
            (stage, _work_type(case, task), task.role, task.in_house_only, task.grade_min)
            for stage, task in _tasks(case)
        )
        level = round((case.due - case.arrives) / INTERVAL)
        found[(case.business_type, level, needs), int(case.arrives // INTERVAL)].append(case)
    return found


def bounds(days: Iterable[Day]) -> list[float]:
    """The bound of each day."""
    return [on_time_bound(day) for day in days]
