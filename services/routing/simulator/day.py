"""A day to be played: who is there when, and every case with all that chance decides about it drawn beforehand.

What chance decides hangs on case and person, never on the order in which work is dealt, so that every policy meets the
same day, and a clairvoyant could know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.message import Step
from shared.contracts.reference import ReferenceEntry

Stretches = tuple[tuple[float, float], ...]
"""When somebody is at the desk: from and until. Units: seconds since the day began."""


@dataclass(frozen=True, slots=True)
class Task:
    """One human task of a case.

    Holds:   `business_type` is set when the task's work type is not of the case's own type (tasks of a real log).
    Units:   `standard_seconds` is the standard time; it takes `size` times as long at the hands of a person of pace 1;
             `slip` from 0 to 1: whoever errs in a larger share of their work errs here.
    """

    role: str
    step: Step
    standard_seconds: float
    size: float = 1.0
    slip: float = 1.0
    field: str | None = None
    in_house_only: bool = True
    grade_min: int = 0
    business_type: str | None = None
    data_class: str = "internal"


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the day.

    Holds:   the tasks of a stage may be done side by side, a stage begins when the one before has ended; with `waits_at`
             the first stage is placed at that team already;
             `arbitration` is called when a task of the first stage slipped; with `gives_up` the case is withdrawn at
             that instant, unless somebody has begun with it.
    Units:   instants in seconds since the day began.
    """

    case_id: str
    business_type: str
    arrives: float
    due: float
    stages: tuple[tuple[Task, ...], ...]
    branch_id: str = "branch"
    urgent: bool = False
    arbitration: Task | None = None
    gives_up: float | None = None
    waits_at: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """How one operator works on this day.

    Units:   a task takes `pace` times its standard and size, by work type (`pace_of_all` where none is given); errs in
             a share `errs` of it; shifts as (from, until) in seconds since the day began; what is in hand at the end
             of a shift is finished.
    """

    operator_id: str
    shifts: Stretches
    pace_of_all: float = 1.0
    pace: Mapping[str, float] = field(default_factory=dict)
    errs: float = 0.0

    def pace_for(self, work_type: str) -> float:
        """The pace for one work type."""
        return self.pace.get(work_type, self.pace_of_all)

    def seconds_until(self, until: float) -> float:
        """How long the person is at the desk until an instant."""
        return sum(max(min(end, until) - begin, 0.0) for begin, end in self.shifts)


@dataclass(frozen=True, slots=True)
class Day:
    """Everything that a run begins with. Holds: cases in order of arrival; `closes` ends the paid hours."""

    begins_at: datetime
    closes: float
    reference: tuple[ReferenceEntry, ...]
    people: Mapping[str, Person]
    cases: tuple[Case, ...]

    @property
    def items(self) -> int:
        """How many tasks are known beforehand."""
        return sum(len(stage) for case in self.cases for stage in case.stages)
