"""Which waiting item is worth most of an operator's time: the largest generalised cµ index, best first. Pure.

The index is the slope of the delay cost at the item's age and slack, times the operator's learned rate, with a bonus for
staying on the same type. Along a line sorted by latest start the part that slack decides first rises and then falls: what
can still be saved goes before what is late already. So the best item of a line stands at its head or at the steepest
point, or, where what was requested first need not be started first, among the oldest: these are looked at from the oldest
on, until none that is younger could be better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final, cast

from sortedcontainers import SortedList

from services.routing.delay import DelayTerms, closings, terms_by, terms_without
from services.routing.desk.learning import ONE
from services.routing.desk.state import DeskItem, TeamDesk, Turn, microseconds
from shared.contracts.routing import HeadConsidered
from shared.reference.board import ReferenceView

SCAN_MAX: Final = 256  # items looked at per way into a line; further back they wait until the head moves
OLDEST_MAX: Final = 32  # items of a line looked at by age
SECOND: Final = 1_000_000  # microseconds
HOUR: Final = 3600 * SECOND


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Kind:
    """The delay terms that the ordinary, or the urgent, items of a work type share in one hour.

    Holds:   an item is due at the closing of the rail when its due instant is one of `closings`, else usually;
             `standard` is the standard time per item, in seconds.
    """

    standard: float

    usual: DelayTerms
    at_closing: DelayTerms
    closings: frozenset[datetime]
    hour: int


@dataclass(slots=True)
class Line:
    """The ordinary, or the urgent, items of one work type, as one operator sees them now.

    Units:   `rate` in items per second; `worth` is the rate with the bonus for staying.
    """

    weighing: Weighing
    turns: SortedList
    ages: SortedList
    kind: Kind
    rate: float
    worth: float

    def slope(self, turn: Turn, item: DeskItem | None = None) -> float:
        """How fast the item's expected cost rises. Units: points per second."""
        kind, weighing = self.kind, self.weighing
        now_us, terms = weighing.now_us, kind.usual
        if kind.closings and (item or weighing.items[turn[2]]).order.due_at in kind.closings:
            terms = kind.at_closing
        age = now_us - turn[1]
        return terms.slope(age / SECOND if age > 0 else 0.0, (turn[0] - now_us) / SECOND)

    def head(self, turn: Turn, item: DeskItem | None = None) -> Head:
        """The item, of the desk unless given, with all terms of its index."""
        now_us, found = self.weighing.now_us, item or self.weighing.items[turn[2]]
        slope, slack, age = self.slope(turn, found), (turn[0] - now_us) / SECOND, max(now_us - turn[1], 0) / SECOND
        return Head(found, slope, self.rate, slack, age, self.worth != self.rate, slope * self.worth)

    def index_max(self) -> float:
        """A bound of the index around the steepest point."""
        return self._bound(self.kind.at_closing.slope_max, 0)

    def aged_max(self, position: int, first: Turn) -> float:
        """A bound of the index of this item by age and of all that are younger."""
        kind, weighing = self.kind, self.weighing
        slack, steepest = (first[0] - weighing.now_us) / SECOND, kind.usual.steepest_us
        most = max(kind.usual.slope(0.0, slack), kind.at_closing.slope(0.0, slack))
        if steepest is not None and first[0] < weighing.now_us + steepest:
            most = max(most, kind.at_closing.slope_max)
        return self._bound(most, position)

    def _bound(self, most: float, position: int) -> float:
        """A bound of the index of what is as old as this item by age, or younger, where slack adds so much at most."""
        age = max(self.weighing.now_us - cast(int, self.ages[position][0]), 0) / SECOND
        return (self.kind.usual.waiting * age + most) * self.worth

    def steepest_position(self) -> int:
        """Where in the line the slope is greatest."""
        steepest = self.kind.usual.steepest_us or 0
        return int(self.turns.bisect_left((self.weighing.now_us + steepest,)))


@dataclass(slots=True)
class Way:
    """One way through a line: from a position, forward or backward, so many items at most."""

    line: Line
    position: int
    step: int
    left: int = SCAN_MAX

    def next(self) -> Turn | None:
        """The next turn on the way, if there is one."""
        turns, position = self.line.turns, self.position
        if self.left <= 0 or not 0 <= position < len(turns):
            return None
        self.position += self.step
        self.left -= 1
        return cast(Turn, turns[position])


@dataclass(slots=True)
class Oldest:
    """The way through a line by age, so many items at most."""

    line: Line
    first: Turn  # the line's head
    position: int = 0

    def next(self) -> Turn | None:
        """The next on the way, if there is one."""
        self.position += 1
        return self.line.weighing.items[self.line.ages[self.position - 1][1]].turn

    def bound(self) -> float | None:
        """What the items to come are worth at most; `None` when no more are looked at."""
        if self.position >= min(OLDEST_MAX, len(self.line.ages)):
            return None
        return self.line.aged_max(self.position, self.first)


NOWHERE: Final[Turn] = (-1, -1, "")  # before every turn: a bound is looked into before an item of the same index

Entry = tuple[float, Turn, int, Line, Way | Oldest | None]
"""Falling index or a bound of it, turn, order of finding; the way on, or none yet: at the head, or around the middle."""


class Weighing:
    """How one decision weighs items: the desk, the reference data and the instant. Reads only."""

    __slots__ = ("bonus", "desk", "items", "now", "now_us", "reference")

    def __init__(self, desk: TeamDesk, reference: ReferenceView, now: datetime) -> None:
        self.desk: Final = desk
        self.items: Final = desk.items
        self.reference: Final = reference
        self.now: Final = now
        self.now_us: Final = microseconds(now)
        self.bonus: Final = 1.0 + reference.limits.stay_bonus

    def best_first(self, operator_id: str, work_types: Iterable[str]) -> Descent:
        """The waiting items of these work types, by falling index. Ties: latest start, requested, id."""
        descent, last = Descent(), self.desk.operator(operator_id).last_work_type
        queues, pace_of = self.desk.queues, self.desk.paces.of
        for work_type in work_types:
            queue = queues.get(work_type)
            if queue is not None:
                pace = pace_of(operator_id, work_type)
                bonus = self.bonus if work_type == last else 1.0
                for urgent, lane in ((False, queue.ordinary), (True, queue.urgent)):
                    if lane.turns:
                        first: Turn = lane.turns[0]
                        kind = self._kind(work_type, urgent, first[2])
                        rate = ONE / (kind.standard * pace)
                        descent.join(Line(self, lane.turns, lane.ages, kind, rate, rate * bonus), first)
        heapify(descent.heap)
        return descent

    def head(self, item: DeskItem, operator_id: str) -> Head:
        """The terms of one item's index for the operator."""
        work_type, urgent = item.order.work_type, item.order.urgent
        kind = self._kind(work_type, urgent, item.work_item_id, item)
        rate = ONE / (kind.standard * self.desk.paces.of(operator_id, work_type))
        stays = self.desk.operator(operator_id).last_work_type == work_type
        nothing = SortedList()
        return Line(self, nothing, nothing, kind, rate, rate * (self.bonus if stays else 1.0)).head(item.turn, item)

    def _kind(self, work_type: str, urgent: bool, work_item_id: str, item: DeskItem | None = None) -> Kind:
        key, hour = ("kind", work_type, urgent), self.now_us // HOUR
        known = cast(Kind | None, self.reference.derived.get(key))
        if known is not None and known.hour == hour:
            return known
        order = (item or self.items[work_item_id]).order
        template, standard = self.reference.business_types.get(order.business_type), order.standard_seconds
        if template is None:
            terms = terms_without(order)
            return Kind(standard, terms, terms, frozenset(), hour)
        at = closings(template, self.reference.limits.time_zone, self.now)
        standard = self.reference.standard_seconds(work_type) or standard
        usual, at_closing = terms_by(template, urgent)
        kind = Kind(standard, usual, at_closing if at else usual, at, hour)
        self.reference.derived[key] = kind
        return kind


class Descent:
    """Goes through several lines at once, always on from the largest index. Each item comes once."""

    __slots__ = ("_come", "_ways", "heap")

    def __init__(self) -> None:
        self.heap: Final[list[Entry]] = []
        self._ways = 1_000_000  # beyond the count of lines
        self._come: Final[set[str]] = set()

    def join(self, line: Line, first: Turn) -> None:
        """Let a line take part: its head; past the steepest point, where what can be saved stands further back, also a
        bound of what stands around that; and a bound of the oldest, unless that is the head. The heap becomes one when all
        have joined."""
        heap, steepest = self.heap, line.kind.usual.steepest_us
        heap.append((-line.slope(first) * line.worth, first, len(heap), line, None))
        if steepest is not None and first[0] < line.weighing.now_us + steepest:
            heap.append((-line.index_max(), NOWHERE, len(heap), line, None))
        if line.ages[0][1] != first[2]:
            heap.append((-line.aged_max(0, first), NOWHERE, len(heap), line, Oldest(line, first)))

    def __iter__(self) -> Iterator[Head]:
        while self._settle():
            _, turn, _, line, way = heappop(self.heap)
            self._come.add(turn[2])
            yield line.head(turn)
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
        return [entry[3].head(entry[1]) for entry in aside]

    def _settle(self) -> bool:
        """Bring an item that has not come yet to the top; `False` when there is none."""
        while self.heap:
            _, turn, _, line, way = self.heap[0]
            if turn is not NOWHERE and turn[2] not in self._come:
                return True
            heappop(self.heap)
            if turn is not NOWHERE:
                self._go_on(line, way)
            elif isinstance(way, Oldest):
                self._push(line, way.next(), way)
                self._push_bound(way)
            else:
                middle = line.steepest_position()
                for into in (Way(line, middle - 1, -1), Way(line, middle, 1)):
                    self._push(line, into.next(), into)
        return False

    def _go_on(self, line: Line, way: Way | Oldest | None) -> None:
        """What follows on the way of an item that has been taken; by age the next has its bound in the heap already."""
        if not isinstance(way, Oldest):
            onward = way or Way(line, 1, 1, SCAN_MAX - 1)
            self._push(line, onward.next(), onward)

    def _push(self, line: Line, turn: Turn | None, way: Way | Oldest) -> None:
        if turn is not None:
            self._ways += 1
            heappush(self.heap, (-line.slope(turn) * line.worth, turn, self._ways, line, way))

    def _push_bound(self, way: Oldest) -> None:
        bound = way.bound()
        if bound is not None:
            self._ways += 1
            heappush(self.heap, (-bound, NOWHERE, self._ways, way.line, way))


def _short(figure: float) -> float:
    return round(figure, 6)
