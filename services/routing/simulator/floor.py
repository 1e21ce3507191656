"""The floor in virtual time: cases arrive, a way of dealing gives out their tasks, people do them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from services.routing.simulator.agenda import Agenda
from services.routing.simulator.day import Case, Day, Task
from shared.contracts.telling import teller
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView
from shared.runtime.errors import InvariantError

PATIENCE: Final = 1800.0  # seconds without anything done or to come, after which what is still open will never be done

work_order: Final = teller(WorkOrder)


class Start(NamedTuple):
    """Somebody begins with an item now."""

    work_item_id: str
    operator_id: str


Starts = Sequence[Start]


class Dealing(Protocol):
    """A way of dealing work: told of everything that happens on the floor, it says who begins with what.

    Holds:   an operator is started on at most one item at a time, an item once; what is not started waits inside.
    """

    def opens(self, floor: Floor) -> None:
        """The day begins; `floor` tells the time and takes wakings."""

    def arrives(self, order: WorkOrder, waits_at: str | None = None) -> Starts:
        """An item to be done; with `waits_at` it is placed at that team already."""

    def withdrawn(self, order: WorkOrder) -> Starts:
        """An item that nobody has begun with is not wanted any more."""

    def comes(self, operator_id: str) -> Starts:
        """An operator is at the desk."""

    def goes(self, operator_id: str) -> Starts:
        """An operator with empty hands leaves."""

    def ends(self, work_item_id: str, operator_id: str, leaves: bool) -> Starts:
        """An operator has done an item and, when it `leaves`, goes home."""


@dataclass(slots=True)
class Item:
    """One task under way. Units: instants in seconds since the day began."""

    order: WorkOrder
    task: Task
    case: CaseCourse
    requested: float
    began: float | None = None
    ended: float | None = None
    operator_id: str | None = None


@dataclass(slots=True)
class CaseCourse:
    """How far a case is."""

    case: Case
    stages: list[tuple[Task, ...]]
    stage: int = 0
    open: int = 0
    slipped: bool = False
    ended: float | None = None
    withdrawn: bool = False
    did: dict[str, str] = field(default_factory=dict)  # operator → role
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Played:
    """What the day was like. Holds: a case that has not `ended` was left over."""

    day: Day
    cases: Sequence[CaseCourse]
    busy_seconds: dict[str, float]

    @property
    def items(self) -> Sequence[Item]:
        """Every item that was requested."""
        return [item for course in self.cases for item in course.items]


class Floor:
    """One run over one day.

    Holds:   every item is in exactly one place: waiting in the dealing, in one hand, done, or withdrawn; breaking that
             is an `InvariantError`. What nobody does for `PATIENCE` after the day has closed, the last case and the last
             person have come and the last hand is empty, is left over: nobody who is there may do it.
    """

    def __init__(self, day: Day, dealing: Dealing, tell: Callable[[int], None] = lambda done: None) -> None:
        self.day: Final = day
        self.agenda: Final = Agenda()
        self.reference: Final = ReferenceView()
        for entry in day.reference:
            self.reference.fold(entry.key, entry)
        self.dealing: Final = dealing
        self.items: Final[dict[str, Item]] = {}
        self._tell = tell
        self._done = 0
        self._in_hand: Final[dict[str, str]] = {}
        self._shift_end: Final[dict[str, float]] = {}
        self._busy: Final[dict[str, float]] = dict.fromkeys(day.people, 0.0)
        self._open: Final[dict[str, Item]] = {}
        self._sure_until = day.closes
        self._now = 0.0, day.begins_at

    @property
    def now(self) -> datetime:
        """The instant on the floor's clock."""
        if self._now[0] != self.agenda.now:
            self._now = self.agenda.now, self.at(self.agenda.now)
        return self._now[1]

    def at(self, seconds: float) -> datetime:
        """The instant so many seconds after the day began."""
        return self.day.begins_at + timedelta(seconds=seconds)

    def wake(self, when: float, ask: Callable[[], Starts]) -> None:
        """Ask the dealing again at an instant."""
        self.agenda.at(when, self._ask, ask)

    def play(self, until: float = float("inf")) -> Played:
        """Let the day happen, until nothing more comes of it."""
        courses = [CaseCourse(case, list(case.stages)) for case in self.day.cases]
        self.dealing.opens(self)
        for person in self.day.people.values():
            for begin, end in person.shifts:
                self._enter(begin, self._come, person.operator_id, end)
        self._arrivals = iter(courses)
        self._next_case()
        self.agenda.run(until)
        return Played(self.day, courses, self._busy)

    @property
    def at_rest(self) -> bool:
        """Nothing will come, and nothing is open or nothing will come of it: wakings may end."""
        return self._coming is None and (not self._open or self.agenda.now > self._sure_until + PATIENCE)

    def _enter(self, when: float, act: Callable[..., None], *given: object) -> None:
        """Something that is sure to happen on the floor, other than a waking."""
        self._sure_until = max(self._sure_until, when)
        self.agenda.at(when, act, *given)

    # ------------------------------------------------------------------- cases

    def _next_case(self) -> None:
        self._coming = next(self._arrivals, None)
        if self._coming is not None:
            self._enter(self._coming.case.arrives, self._arrive, self._coming)

    def _arrive(self, course: CaseCourse) -> None:
        self._next_case()
        self._begin_stage(course)
        if course.case.gives_up is not None:
            self._enter(course.case.gives_up, self._give_up, course)

    def _begin_stage(self, course: CaseCourse) -> None:
        tasks = course.stages[course.stage]
        course.open = len(tasks)
        for task in tasks:
            item = Item(self._order(course, task), task, course, self.agenda.now)
            course.items.append(item)
            self.items[item.order.work_item_id] = item
            self._open[item.order.work_item_id] = item
        waits_at = course.case.waits_at if course.stage == 0 else None
        for item in course.items[-len(tasks) :]:
            self._start(self.dealing.arrives(item.order, waits_at))

    def _order(self, course: CaseCourse, task: Task) -> WorkOrder:
        case = course.case
        later = sum((max(t.standard_seconds for t in stage) for stage in course.stages[course.stage + 1 :]), 0.0)
        return work_order(
            work_item_id=f"{case.case_id}/{task.role}/{task.field}" if task.field else f"{case.case_id}/{task.role}",
            case_id=case.case_id,
            business_type=task.business_type or case.business_type,
            step=task.step,
            role=task.role,
            field=task.field,
            grade_min=task.grade_min,
            in_house_only=task.in_house_only,
            data_class=task.data_class,
            excluded_operators=tuple(sorted(o for o, role in course.did.items() if role != task.role)),
            branch_id=case.branch_id,
            urgent=case.urgent,
            standard_seconds=float(task.standard_seconds),
            later_seconds=later,
            requested_at=self.now,
            due_at=self.at(case.due),
        )

    def _give_up(self, course: CaseCourse) -> None:
        if course.ended is not None or any(item.began is not None for item in course.items):
            return
        course.withdrawn, course.ended = True, self.agenda.now
        for item in course.items:
            del self._open[item.order.work_item_id]
            self._start(self.dealing.withdrawn(item.order))

    # ------------------------------------------------------------------ people

    def _come(self, operator_id: str, until: float) -> None:
        self._shift_end[operator_id] = until
        if until != float("inf"):
            self._enter(until, self._leave, operator_id)
        if operator_id not in self._in_hand:
            self._start(self.dealing.comes(operator_id))

    def _leave(self, operator_id: str) -> None:
        if operator_id not in self._in_hand and self._over(operator_id):
            self._start(self.dealing.goes(operator_id))

    def _over(self, operator_id: str) -> bool:
        return self._shift_end[operator_id] <= self.agenda.now

    # -------------------------------------------------------------------- work

    def _ask(self, ask: Callable[[], Starts]) -> None:
        self._start(ask())

    def _start(self, starts: Starts) -> None:
        for work_item_id, operator_id in starts:
            self._begin(self._open[work_item_id], operator_id)

    def _begin(self, item: Item, operator_id: str) -> None:
        work_item_id = item.order.work_item_id
        if operator_id in self._in_hand or item.began is not None:
            raise InvariantError(f"Expected {operator_id} free and {work_item_id} waiting, found one of them taken")
        did = item.case.did.setdefault(operator_id, item.task.role)
        if did != item.task.role:
            raise InvariantError(f"Expected {operator_id} in one role on {item.order.case_id}, found {did} and more")
        item.began, item.operator_id = self.agenda.now, operator_id
        self._in_hand[operator_id] = work_item_id
        pace = self.day.people[operator_id].pace_for(item.order.work_type)
        seconds = item.task.standard_seconds * item.task.size * pace
        self._busy[operator_id] += seconds
        self._enter(self.agenda.now + seconds, self._finish, item, operator_id)

    def _finish(self, item: Item, operator_id: str) -> None:
        work_item_id, course = item.order.work_item_id, item.case
        del self._in_hand[operator_id], self._open[work_item_id]
        item.ended = self.agenda.now
        course.slipped |= item.task.slip < self.day.people[operator_id].errs
        starts = self.dealing.ends(work_item_id, operator_id, self._over(operator_id))
        self._done += 1
        self._tell(self._done)
        self._start(starts)
        course.open -= 1
        if course.open == 0:
            self._end_stage(course)

    def _end_stage(self, course: CaseCourse) -> None:
        if course.stage == 0 and course.slipped and course.case.arbitration is not None:
            course.stages.insert(1, (course.case.arbitration,))
        course.stage += 1
        if course.stage < len(course.stages):
            self._begin_stage(course)
        else:
            course.ended = self.agenda.now
