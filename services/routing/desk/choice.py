"""Which waiting item is worth most of an operator's time: the largest generalised cµ index, best first. Pure.

The index is the slope of the delay cost at the item's age and slack, times the operator's learned rate, with a bonus for
staying on the same type. Along a line sorted by latest start the part that slack decides first rises and then falls: what
can still be saved goes before what is late already. So the best item of a line stands at its head or at the steepest
point, or, where what was requested first need not be started first, among the oldest: these are looked at from the oldest
on, until none that is younger could be better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final

from services.routing.delay import closings, terms_by, terms_without
from services.routing.desk.lanes import SECOND, Age, Beginning, Crest, Kind, Lane, Turn
from services.routing.desk.learning import ONE
from services.routing.desk.state import DeskItem, TeamDesk, microseconds
from shared.contracts.routing import HeadConsidered
from shared.contracts.telling import teller
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView

SCAN_MAX: Final = 256  # items looked at per way into a line; further back they wait until the head moves
OLDEST_MAX: Final = 32  # items of a line looked at by age
HOUR: Final = 3600 * SECOND
RISING: Final = 0.1  # of `steep`: so long the bound of a lane holds while its head's slope still rises
RISEN: Final = 1.0  # the same when the head is past the steepest point: what bounds the lane then hardly changes


WHOLE: Final = 1.5 * 2.0**52  # added and taken away again it leaves a whole number
EXACT: Final = 1e11  # below it a product is exact to a hundred-thousandth
NEAR: Final = 0.4999

head_considered: Final = teller(HeadConsidered)


@dataclass(slots=True)
class Head:
    """An item with the terms of its index for one operator.

    Units:   slope in points per second, rate in items per second, slack and age in seconds.
    """

    work_item_id: str
    work_type: str
    slope: float
    rate: float
    slack: float
    age: float
    stays: bool
    index: float

    def told(self, removed_by: str | None = None) -> HeadConsidered:
        """As it travels in the fact."""
        return head_considered(
            work_item_id=self.work_item_id,
            work_type=self.work_type,
            index=rounded(self.index * 3600, 6),
            slope_per_minute=rounded(self.slope * 60, 6),
            rate_per_hour=rounded(self.rate * 3600, 6),
            slack_seconds=rounded(self.slack, 1),
            age_seconds=rounded(self.age, 1),
            stays=self.stays,
            removed_by=removed_by,
        )


@dataclass(slots=True)
class Kinds:
    """The kinds that work types come to in one hour, by work type and urgency; kept until the reference data changes."""

    hour: int
    found: dict[tuple[str, bool], Kind] = field(default_factory=dict)


NOWHERE: Final[Turn] = (-1, -1, "")  # before every turn: a bound is looked into before an item of the same index
UNOPENED: Final = -1

Line = tuple[Lane, Kind, float, float, str]
"""The ordinary, or the urgent, items of one work type as one operator sees them: the lane, its kind, the operator's rate,
that rate with the bonus for staying, and the work type. Units: items per second."""

Entry = tuple[float, Turn, int, Line, int, float]
"""Falling index or a bound of it; turn; order of finding; line; the way on; slope. The way on from an item: the how
manieth of its way it is, negative on one towards earlier starts, 0 where no way leads on. From `NOWHERE`: how many of the
line's oldest have come, or `UNOPENED`."""


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
        now_us, kinds, last = self.now_us, self.kinds, self.desk.operator(operator_id).last_work_type
        queues, pace_of = self.desk.queues, self.desk.paces.of
        descent = Descent(self.items, now_us)
        heap = descent.heap
        for work_type in work_types:
            queue = queues.get(work_type)
            if queue is None:
                continue
            pace = pace_of(operator_id, work_type)
            bonus = self.bonus if work_type == last else 1.0
            for lane in (queue.ordinary, queue.urgent):
                crest = lane.crest
                if crest is None or crest.by is not kinds or not crest.since_us <= now_us <= crest.until_us:
                    if not lane.turn_by_id:
                        continue
                    crest = self._crest(lane, work_type)
                rate = ONE / (crest.standard * pace)
                worth = rate * bonus
                line = (lane, crest.kind, rate, worth, work_type)
                heap.append((-crest.slope * worth, NOWHERE, len(heap), line, UNOPENED, crest.slope))
        heapify(heap)
        return descent

    def head(self, item: DeskItem, operator_id: str) -> Head:
        """The terms of one item's index for the operator."""
        work_type, turn = item.order.work_type, item.turn
        kind = self._kind(work_type, item.order)
        rate = ONE / (kind.standard * self.desk.paces.of(operator_id, work_type))
        stays = self.desk.operator(operator_id).last_work_type == work_type
        slack, age = (turn[0] - self.now_us) / SECOND, max(self.now_us - turn[1], 0) / SECOND
        terms = kind.at_closing if item.order.due_at in kind.closings else kind.usual
        slope, worth = terms.slope(age, slack), rate * (self.bonus if stays else 1.0)
        return Head(turn[2], work_type, slope, rate, slack, age, worth != rate, slope * worth)

    def _crest(self, lane: Lane, work_type: str) -> Crest:
        """What bounds the slopes in the lane, in which something waits, for the next moments."""
        now_us = self.now_us
        first: Turn = lane.turns[0]
        oldest: Age = lane.ages[0]
        kind = self._kind(work_type, self.items[first[2]].order)
        risen = first[0] < now_us + (kind.usual.steepest_us or 0)
        until_us = now_us + int((RISEN if risen else RISING) * SECOND * kind.usual.steep)
        age = max(until_us - oldest[0], 0) / SECOND
        slope = kind.usual.waiting * age + kind.slope_max(first, until_us)
        lane.crest = Crest(kind, kind.standard, self.kinds, first, oldest, now_us, until_us, slope)
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

    __slots__ = ("_come", "_found", "_items", "_now_us", "heap")

    def __init__(self, items: Mapping[str, DeskItem], now_us: int) -> None:
        self.heap: Final[list[Entry]] = []
        self._items: Final = items
        self._now_us: Final = now_us
        self._found = 1_000_000  # beyond the count of lines
        self._come: Final[set[str]] = set()

    def __iter__(self) -> Iterator[Head]:
        while self._settle():
            entry = heappop(self.heap)
            self._come.add(entry[1][2])
            yield self._told(entry)
            self._go_on(entry)

    def runners_up(self, count: int) -> list[Head]:
        """The next best on the other ways, not asked whether they may be given."""
        aside: list[Entry] = []
        turns: list[Turn] = []
        while len(aside) < count and self._settle():
            entry = heappop(self.heap)
            if entry[1] in turns:  # two ways may lead to one item
                self._go_on(entry)
            else:
                aside.append(entry)
                turns.append(entry[1])
        for entry in aside:
            heappush(self.heap, entry)
        return [self._told(entry) for entry in aside]

    def _told(self, entry: Entry) -> Head:
        _, turn, _, (_, _, rate, worth, work_type), _, slope = entry
        slack, age = (turn[0] - self._now_us) / SECOND, max(self._now_us - turn[1], 0) / SECOND
        return Head(turn[2], work_type, slope, rate, slack, age, worth != rate, slope * worth)

    def _settle(self) -> bool:
        """Bring an item that has not come yet to the top; `False` when there is none."""
        heap, come = self.heap, self._come
        while heap:
            turn = heap[0][1]
            if turn is NOWHERE:
                _, _, _, line, way, _ = heappop(heap)
                if way == UNOPENED:
                    self._open(line)
                else:
                    self._open_oldest(line, way)
            elif turn[2] in come:
                self._go_on(heappop(heap))
            else:
                return True
        return False

    def _open(self, line: Line) -> None:
        """Look into a line: at its head; past the steepest point, where what can be saved stands further back, also at
        what stands around that; and at the oldest, unless that is the head."""
        lane, crest = line[0], line[0].crest
        self._push(line, lane.looked(line[1], self._now_us, self._items).beginnings)
        if crest is not None and crest.oldest[1] != crest.first[2]:
            self._push_younger(line, 0)

    def _open_oldest(self, line: Line, aged: int) -> None:
        lane = line[0]
        turn = lane.turn_by_id[lane.ages[aged][1]]
        self._push(line, ((turn, line[1].terms_of(turn, self._items), 0),))
        self._push_younger(line, aged + 1)

    def _go_on(self, entry: Entry) -> None:
        """What follows on the way of an item that has been taken; by age the next has its bound in the heap already."""
        _, turn, _, line, way, _ = entry
        if not 0 < abs(way) < SCAN_MAX:
            return
        step = 1 if way > 0 else -1
        following = line[0].beside(turn, step)
        if following is not None:
            self._push(line, ((following, line[1].terms_of(following, self._items), way + step),))

    def _push(self, line: Line, found: Iterable[Beginning]) -> None:
        heap, now_us, worth = self.heap, self._now_us, line[3]
        for turn, terms, way in found:
            self._found += 1
            age = now_us - turn[1]
            slope = terms.slope(age / SECOND if age > 0 else 0.0, (turn[0] - now_us) / SECOND)
            heappush(heap, (-slope * worth, turn, self._found, line, way, slope))

    def _push_younger(self, line: Line, aged: int) -> None:
        """A bound of what has not come by age; nothing when no more are looked at."""
        lane, kind, _, worth, _ = line
        if aged >= min(OLDEST_MAX, len(lane.turn_by_id)):
            return
        now_us = self._now_us
        requested_us: int = lane.ages[aged][0]
        age = max(now_us - requested_us, 0) / SECOND
        slope = kind.usual.waiting * age + kind.slope_max(lane.turns[0], now_us)
        self._found += 1
        heappush(self.heap, (-slope * worth, NOWHERE, self._found, line, aged, slope))


def rounded(figure: float, digits: int) -> float:
    """As `round(figure, digits)` to the last bit, in a third of the time, which goes by way of decimals.

    Holds:   for one digit and six. A figure so near to the middle of two that the product with a power of ten could
             lie on the wrong side, one too large for that, and nought with its sign are left to `round`.
    """
    scale = 1e6 if digits == 6 else 10.0
    scaled = figure * scale
    whole = scaled + WHOLE - WHOLE
    if whole and -EXACT < scaled < EXACT and -NEAR < scaled - whole < NEAR:
        return whole / scale
    return round(figure, digits)
