"""Which waiting item is worth most of an operator's time: the largest generalised cµ index, best first. Pure.

The index is the slope of the delay cost at the item's age and slack, times the operator's learned rate, with a bonus for
staying on the same type. Along a line sorted by latest start the part that slack decides first rises and then falls: what
can still be saved goes before what is late already. So the best item of a line stands at its head or at the steepest
point, or, where what was requested first need not be started first, among the oldest: these are looked at from the oldest
on, until none that is younger could be better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, cast

from services.routing.delay import closings, terms_by, terms_without
from services.routing.desk.lanes import Crest, Kind, Lane, Turn
from services.routing.desk.learning import ONE
from services.routing.desk.state import DeskItem, TeamDesk, microseconds
from shared.contracts.routing import HeadConsidered
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView

SCAN_MAX: Final = 256  # items looked at per way into a line; further back they wait until the head moves
OLDEST_MAX: Final = 32  # items of a line looked at by age
SECOND: Final = 1_000_000  # microseconds
HOUR: Final = 3600 * SECOND
RISING: Final = 0.05  # of `steep`: so long the bound of a lane holds while its head's slope still rises
RISEN: Final = 1.0  # the same when the head is past the steepest point: what bounds the lane then hardly changes


@dataclass(slots=True)
class Head:
    """An item with the terms of its index for one operator.

    Units:   slope in points per second, rate in items per second, slack and age in seconds.
    """

    item: DeskItem
    slope: float
    rate: float
    slack: float
    age: float
    stays: bool
    index: float

    def told(self, removed_by: str | None = None) -> HeadConsidered:
        """As it travels in the fact."""
        return HeadConsidered(
            work_item_id=self.item.work_item_id,
            work_type=self.item.order.work_type,
            index=_short(self.index * 3600),
            slope_per_minute=_short(self.slope * 60),
            rate_per_hour=_short(self.rate * 3600),
            slack_seconds=round(self.slack, 1),
            age_seconds=round(self.age, 1),
            stays=self.stays,
            removed_by=removed_by,
        )


@dataclass(slots=True)
class Line:
    """The ordinary, or the urgent, items of one work type, as one operator sees them now.

    Units:   `rate` in items per second; `worth` is the rate with the bonus for staying.
    """

    weighing: Weighing
    lane: Lane
    kind: Kind
    rate: float
    worth: float
    aged: int = 0  # items come by age so far

    def slope(self, turn: Turn, item: DeskItem | None = None) -> float:
        """How fast the item's expected cost rises. Units: points per second."""
        kind, weighing = self.kind, self.weighing
        now_us, terms = weighing.now_us, kind.usual
        if kind.closings and (item or weighing.items[turn[2]]).order.due_at in kind.closings:
            terms = kind.at_closing
        age = now_us - turn[1]
        return terms.slope(age / SECOND if age > 0 else 0.0, (turn[0] - now_us) / SECOND)

    def head(self, turn: Turn, slope: float, item: DeskItem | None = None) -> Head:
        """The item, of the desk unless given, with all terms of its index."""
        now_us, found = self.weighing.now_us, item or self.weighing.items[turn[2]]
        slack, age = (turn[0] - now_us) / SECOND, max(now_us - turn[1], 0) / SECOND
        return Head(found, slope, self.rate, slack, age, self.worth != self.rate, slope * self.worth)

    def of_younger(self) -> float | None:
        """A bound of the slope of what has not come by age; `None` when no more are looked at."""
        if self.aged >= min(OLDEST_MAX, len(self.lane.ages)):
            return None
        now_us = self.weighing.now_us
        age = max(now_us - cast(int, self.lane.ages[self.aged][0]), 0) / SECOND
        return self.kind.usual.waiting * age + self.kind.slope_max(self.lane.turns[0], now_us)


@dataclass(slots=True)
class Way:
    """One way through a line: from a position, forward or backward, so many items at most."""

    line: Line
    position: int
    step: int
    left: int = SCAN_MAX

    def next(self) -> Turn | None:
        """The next turn on the way, if there is one."""
        turns, position = self.line.lane.turns, self.position
        if self.left <= 0 or not 0 <= position < len(turns):
            return None
        self.position += self.step
        self.left -= 1
        return cast(Turn, turns[position])


@dataclass(slots=True)
class Kinds:
    """The kinds that work types come to in one hour, by work type and urgency; kept until the reference data changes."""

    hour: int
    found: dict[tuple[str, bool], Kind] = field(default_factory=dict)


NOWHERE: Final[Turn] = (-1, -1, "")  # before every turn: a bound is looked into before an item of the same index

Onward = Way | Callable[["Line"], None] | None
Entry = tuple[float, Turn, int, Line, Onward, float]
"""Falling index or a bound of it; turn; order of finding; the way on, or how a bound is looked into; the slope."""


class Weighing:
    """How one decision weighs items: the desk, the reference data and the instant. Reads only, but for what lanes keep."""

    __slots__ = ("bonus", "desk", "items", "kinds", "now", "now_us", "reference")

    def __init__(self, desk: TeamDesk, reference: ReferenceView, now: datetime) -> None:
        self.desk: Final = desk
        self.items: Final = desk.items
        self.reference: Final = reference
        self.now: Final = now
        self.now_us: Final = microseconds(now)
        self.bonus: Final = 1.0 + reference.limits.stay_bonus
        self.kinds: Final = _kinds(reference, self.now_us // HOUR)

    def best_first(self, operator_id: str, work_types: Iterable[str]) -> Descent:
        """The waiting items of these work types, by falling index. Ties: latest start, requested, id."""
        descent, last = Descent(), self.desk.operator(operator_id).last_work_type
        queues, pace_of, heap, look = self.desk.queues, self.desk.paces.of, descent.heap, descent.open
        for work_type in work_types:
            queue = queues.get(work_type)
            if queue is not None:
                pace = pace_of(operator_id, work_type)
                bonus = self.bonus if work_type == last else 1.0
                for lane in (queue.ordinary, queue.urgent):
                    crest = self._crest(lane, work_type)
                    if crest is not None:
                        rate = ONE / (crest.kind.standard * pace)
                        line = Line(self, lane, crest.kind, rate, rate * bonus)
                        heap.append((-crest.slope * line.worth, NOWHERE, len(heap), line, look, crest.slope))
        heapify(heap)
        return descent

    def head(self, item: DeskItem, operator_id: str) -> Head:
        """The terms of one item's index for the operator."""
        work_type, turn = item.order.work_type, item.turn
        kind = self._kind(work_type, item.order)
        rate = ONE / (kind.standard * self.desk.paces.of(operator_id, work_type))
        stays = self.desk.operator(operator_id).last_work_type == work_type
        line = Line(self, Lane(), kind, rate, rate * (self.bonus if stays else 1.0))
        return line.head(turn, line.slope(turn, item), item)

    def _crest(self, lane: Lane, work_type: str) -> Crest | None:
        """What bounds the slopes in the lane now, as found before if that still holds; `None` where nothing waits."""
        known, now_us = lane.crest, self.now_us
        if known is not None and known.by is self.kinds and known.since_us <= now_us <= known.until_us:
            return known
        if not lane.turns:
            return None
        first, oldest = lane.turns[0], lane.ages[0]
        kind = self._kind(work_type, self.items[first[2]].order)
        risen = first[0] < now_us + (kind.usual.steepest_us or 0)
        until_us = now_us + int((RISEN if risen else RISING) * SECOND * kind.usual.steep)
        age = max(until_us - oldest[0], 0) / SECOND
        slope = kind.usual.waiting * age + kind.slope_max(first, until_us)
        lane.crest = Crest(kind, self.kinds, first, oldest, now_us, until_us, slope)
        return lane.crest

    def _kind(self, work_type: str, order: WorkOrder) -> Kind:
        key = work_type, order.urgent
        known = self.kinds.found.get(key)
        if known is not None:
            return known
        template, standard = self.reference.business_types.get(order.business_type), order.standard_seconds
        if template is None:
            terms = terms_without(order)
            return Kind(standard, terms, terms, frozenset())
        at = closings(template, self.reference.limits.time_zone, self.now)
        standard = self.reference.standard_seconds(work_type) or standard
        usual, at_closing = terms_by(template, order.urgent)
        found = self.kinds.found[key] = Kind(standard, usual, at_closing if at else usual, at)
        return found


def _kinds(reference: ReferenceView, hour: int) -> Kinds:
    known: Kinds | None = reference.derived.get(__name__)
    if known is None or known.hour != hour:
        known = reference.derived[__name__] = Kinds(hour)
    return known


class Descent:
    """Goes through several lines at once, always on from the largest index. Each item comes once.

    Holds:   of a line that nobody has looked into yet, the heap has a bound.
    """

    __slots__ = ("_come", "_ways", "heap")

    def __init__(self) -> None:
        self.heap: Final[list[Entry]] = []
        self._ways = 1_000_000  # beyond the count of lines
        self._come: Final[set[str]] = set()

    def __iter__(self) -> Iterator[Head]:
        while self._settle():
            _, turn, _, line, way, slope = heappop(self.heap)
            self._come.add(turn[2])
            yield line.head(turn, slope)
            self._go_on(line, way)

    def runners_up(self, count: int) -> list[Head]:
        """The next best on the other ways, not asked whether they may be given."""
        aside: list[Entry] = []
        while len(aside) < count and self._settle():
            entry = heappop(self.heap)
            if any(entry[1] == other[1] for other in aside):  # two ways may lead to one item
                self._go_on(entry[3], entry[4])
            else:
                aside.append(entry)
        for entry in aside:
            heappush(self.heap, entry)
        return [line.head(turn, slope) for _, turn, _, line, _, slope in aside]

    def _settle(self) -> bool:
        """Bring an item that has not come yet to the top; `False` when there is none."""
        heap = self.heap
        while heap:
            _, turn, _, line, way, _ = heap[0]
            if turn is not NOWHERE and turn[2] not in self._come:
                return True
            heappop(heap)
            if callable(way):
                way(line)
            else:
                self._go_on(line, way)
        return False

    def open(self, line: Line) -> None:
        """Look into a line: at its head; past the steepest point, where what can be saved stands further back, also at
        what stands around that; and at the oldest, unless that is the head."""
        lane, steepest = line.lane, line.kind.usual.steepest_us
        first, peak = lane.turns[0], line.weighing.now_us + (steepest or 0)
        self._push(line, first, Way(line, 1, 1, SCAN_MAX - 1))
        if steepest is not None and first[0] < peak:
            middle = int(lane.turns.bisect_left((peak,)))
            self._go_on(line, Way(line, middle - 1, -1))
            self._go_on(line, Way(line, middle, 1))
        if lane.ages[0][1] != first[2]:
            self._push_bound(line, line.of_younger(), self._open_oldest)

    def _open_oldest(self, line: Line) -> None:
        oldest = line.weighing.items[line.lane.ages[line.aged][1]].turn
        line.aged += 1
        self._push(line, oldest, None)
        self._push_bound(line, line.of_younger(), self._open_oldest)

    def _go_on(self, line: Line, way: Onward) -> None:
        """What follows on the way of an item that has been taken; by age the next has its bound in the heap already."""
        turn = way.next() if isinstance(way, Way) else None
        if turn is not None:
            self._push(line, turn, way)

    def _push(self, line: Line, turn: Turn, way: Onward) -> None:
        self._ways += 1
        slope = line.slope(turn)
        heappush(self.heap, (-slope * line.worth, turn, self._ways, line, way, slope))

    def _push_bound(self, line: Line, slope: float | None, look: Callable[[Line], None]) -> None:
        if slope is not None:
            self._ways += 1
            heappush(self.heap, (-slope * line.worth, NOWHERE, self._ways, line, look, slope))


def _short(figure: float) -> float:
    return round(figure, 6)
