"""How a desk obeys reroutes: it lets its queue go in bounded chunks, most urgent first, and takes back what is in hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import merge
from typing import Any, Final

from services.routing.desk.state import DeskItem, TeamDesk
from services.routing.orders import StandingOrders
from shared.contracts.message import Message
from shared.contracts.reroute import RerouteOrder
from shared.contracts.routing import AssignmentRevoked, MovedCount, ReroutesHeeded, WorkReleased
from shared.contracts.telling import teller
from shared.contracts.work import WorkOrder

MOVED_MAX: Final = 2_000  # items that leave in one decision; more wait for the next
MOVED_MIN: Final = 400  # as many leave however busy the floor is: an evacuation comes to its end
MOVED_FIRST: Final = 800
MOVED_STEP: Final = 100  # by so much a chunk grows while the floor keeps up
PACE: Final = 0.05  # from chunk to chunk, in the intervals in which desks tell their load: a second on a real floor
work_released: Final = teller(WorkReleased)
LATE: Final = 0.8  # a chunk whose turn comes so many intervals late finds the floor busy


@dataclass(frozen=True, slots=True)
class Obedience:
    """What one decision does about the orders in force, as facts. It reads the desk and never moves it.

    Holds:   `given` are items that the decision has spoken for already.
    """

    desk: TeamDesk
    orders: StandingOrders
    now: datetime
    given: set[str]
    _movers: dict[tuple[str, str], RerouteOrder | None] = field(default_factory=dict)  # by work type and data class

    def facts(self) -> list[Message]:
        """Recall what is in hand, let a chunk of the queue go, and say whether there is more."""
        if not self.orders:
            return self._heeded({}, None)
        found: list[Message] = []
        moved: dict[str, int] = {}
        for item, order in self._in_hand():
            found.append(self._revoked(item, order))
            self._leave(item, order, found, moved)
        due_at, chunk = self.desk.heed.next_at, self._chunk()
        if due_at is not None and self.now < due_at:
            return found + self._heeded(moved, due_at, self.desk.heed.chunk)
        left = chunk
        for item in self._queued():
            by = self._mover(item.order)
            if by is not None and item.work_item_id not in self.given:
                self._leave(item, by, found, moved)
                left -= 1
            if left <= 0:
                return found + self._heeded(moved, self.now + PACE * self._interval(), chunk)
        return found + self._heeded(moved, None)

    def send_on(self, item: DeskItem, order: RerouteOrder) -> list[Message]:
        """What comes although the order holds it away from here: it goes back at once, and counts as moved like what waited."""
        found, moved, heed = list[Message](), dict[str, int](), self.desk.heed
        self._leave(item, order, found, moved)
        return found + self._heeded(moved, heed.next_at, heed.chunk)

    def _chunk(self) -> int:
        """How many may leave now: more each time, half as many when their turn came late.

        Holds:   what leaves is placed and queued by the same processes that place what comes new, in the order of its
                 coming. So the queue goes no faster than they keep up, and new work waits behind one chunk, not behind
                 the whole queue.
        """
        heed = self.desk.heed
        if heed.next_at is None or heed.chunk is None:
            return MOVED_FIRST
        if self.now - heed.next_at > LATE * self._interval():
            return max(MOVED_MIN, heed.chunk // 2)
        return min(MOVED_MAX, heed.chunk + MOVED_STEP)

    def _in_hand(self) -> Iterator[tuple[DeskItem, RerouteOrder]]:
        for _, operator_id in tuple(self.desk.leases):
            held = self.desk.operators[operator_id].work_item_id
            item = None if held is None else self.desk.items[held]
            order = None if item is None else self.orders.recalling(item.order, self.desk.team_id)
            if item is not None and order is not None and item.work_item_id not in self.given:
                yield item, order

    def _queued(self) -> Iterator[DeskItem]:
        """What waits and may have to leave, the most urgent first: by latest start, requested, id, over work types.

        Holds:   work types that no order touches are passed over whole, so that only an order that narrows a work type
                 (by region, data class, or in its return) looks at items that stay.
        """
        touched = (q for work_type, q in self.desk.queues.items() if self.orders.may_move(work_type, self.desk.team_id))
        for turn in merge(*(queue.turns for queue in touched)):
            yield self.desk.items[turn[2]]

    def _mover(self, work: WorkOrder) -> RerouteOrder | None:
        """The order by which the work leaves; asked once for all work that the orders do not tell apart."""
        key = work.work_type, work.data_class
        if key not in self._movers:
            mover = self.orders.moving(work, self.desk.team_id)
            if not self.orders.alike(work.work_type):
                return mover
            self._movers[key] = mover
        return self._movers[key]

    def _leave(self, item: DeskItem, order: RerouteOrder, found: list[Message], moved: dict[str, int]) -> None:
        self.given.add(item.work_item_id)
        found.append(let_go(item, order, self.desk.team_id, self.now))
        moved[order.reroute_id] = moved.get(order.reroute_id, 0) + 1

    def _revoked(self, item: DeskItem, order: RerouteOrder) -> AssignmentRevoked:
        return AssignmentRevoked(
            work_item_id=item.work_item_id,
            case_id=item.order.case_id,
            at=self.now,
            team_id=self.desk.team_id,
            operator_id=item.operator_id or "",
            attempt=item.attempt,
            reason="rerouted",
            reroute_id=order.reroute_id,
        )

    def _interval(self) -> timedelta:
        return timedelta(seconds=self.orders.reference.limits.load_seconds)

    def _heeded(self, moved: dict[str, int], next_at: datetime | None, chunk: int | None = None) -> list[Message]:
        if not moved and next_at == self.desk.heed.next_at:
            return []
        counts = tuple(MovedCount(reroute_id=name, items=count) for name, count in sorted(moved.items()))
        return [ReroutesHeeded(team_id=self.desk.team_id, at=self.now, moved=counts, next_at=next_at, chunk=chunk)]


def obedience(desk: TeamDesk, boards: Any, now: datetime, given: set[str]) -> list[Message]:
    """What the desk does about the orders on its board now."""
    return Obedience(desk, StandingOrders.of(boards, now), now, given).facts()


def let_go(item: DeskItem, order: RerouteOrder, team_id: str, now: datetime) -> WorkReleased:
    """The item goes back to placement by this order."""
    return work_released(
        work_item_id=item.work_item_id,
        case_id=item.order.case_id,
        at=now,
        team_id=team_id,
        placing=item.placing,
        attempt=item.attempt,
        declined_by=item.declined_by,
        reason="rerouted",
        reroute_id=order.reroute_id,
        draft=item.draft,
    )
