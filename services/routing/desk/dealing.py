"""One decision's dealing of items to operators. It reads the desk and never moves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.routing import eligibility
from services.routing.desk.state import PRESENT, DeskItem, DeskOperator, Queue, TeamDesk, Turn, instant
from services.routing.eligibility import Rulebook
from shared.contracts.message import Message
from shared.contracts.routing import UnplaceableReason, WorkAssigned
from shared.contracts.work import WorkOrder
from shared.runtime.processor import Situation

SCAN_MAX: Final = 256  # items looked at per work type and operator; further back they wait until the head moves


def segregation_breach(desk: TeamDesk, order: WorkOrder, operator_id: str) -> bool:
    """The operator already had another role on the case at this desk.

    Holds:   controls names whom it knows of when it asks for the work; items that it asks for at the same time cannot
             name each other's operators, so the desk remembers.
    """
    had = desk.role_of(order.case_id, operator_id)
    return had is not None and had != order.role


@dataclass(slots=True)
class Dealing:
    """What one decision has dealt so far: what it gave away, and what it did, counts for what it does next.

    Holds:   `given` are items, `busy` operators, that this decision has spoken for already.
    """

    desk: TeamDesk
    situation: Situation
    book: Rulebook
    facts: list[Message] = field(default_factory=list)
    given: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    just_done: tuple[str, WorkOrder] | None = None

    @classmethod
    def of(cls, desk: TeamDesk, situation: Situation) -> Dealing:
        return cls(desk, situation, Rulebook.of(situation.boards))

    # ---------------------------------------------------------------- who may

    def hindrance(self, order: WorkOrder, operator_id: str) -> UnplaceableReason | None:
        """What the hard rules have against it."""
        return eligibility.hindrance(order, operator_id, self.desk.team_id, self.book)

    def may_be_given(self, item: DeskItem, operator_id: str) -> bool:
        """Whether the operator may be given the item now: not declined, no second role, no hard rule against it."""
        return (
            operator_id not in item.declined_by
            and not segregation_breach(self.desk, item.order, operator_id)
            and not self._second_role(item.order, operator_id)
            and self.hindrance(item.order, operator_id) is None
        )

    def _second_role(self, order: WorkOrder, operator_id: str) -> bool:
        if self.just_done is None or self.just_done[0] != operator_id:
            return False
        done = self.just_done[1]
        return done.case_id == order.case_id and done.role != order.role

    # ---------------------------------------------------------------- dealing

    def deal_to(self, operator_id: str) -> None:
        """Give the operator the item that must start first among those they may do. Ties: requested first, then id."""
        best = min(self._firsts(operator_id), default=None)
        if best is not None:
            item = self.desk.items[best[2]]
            self._give(item, operator_id, f"must start first, by {instant(best[0]):%H:%M:%S}, of what they may do")

    def deal_out(self, item: DeskItem) -> None:
        """Give the item to whoever has been ready longest and may do it. Ties: by id."""
        for _, operator_id in self.desk.ready:
            if operator_id not in self.busy and self.may_be_given(item, operator_id):
                self._give(item, operator_id, "longest ready of those who may do it")
                return

    def _firsts(self, operator_id: str) -> Iterator[Turn]:
        operator = self.book.member(self.desk.team_id, operator_id)
        if operator is None:
            return
        for work_type in operator.work_types:
            queue = self.desk.queues.get(work_type)
            first = None if queue is None else self._first_of(queue, operator_id)
            if first is not None:
                yield first

    def _first_of(self, queue: Queue, operator_id: str) -> Turn | None:
        turn: Turn
        for turn in queue.turns.islice(0, SCAN_MAX):
            work_item_id = turn[2]
            if work_item_id not in self.given and self.may_be_given(self.desk.items[work_item_id], operator_id):
                return turn
        return None

    def _give(self, item: DeskItem, operator_id: str, why: str) -> None:
        order = item.order
        provider = self.book.provider_of(self.desk.team_id)
        if provider is None:
            return
        self.given.add(item.work_item_id)
        self.busy.add(operator_id)
        lease = timedelta(seconds=self.book.reference.limits.offer_lease_seconds)
        self.facts.append(
            WorkAssigned(
                work_item_id=item.work_item_id,
                case_id=order.case_id,
                at=self.situation.now,
                team_id=self.desk.team_id,
                provider_id=provider.id,
                operator_id=operator_id,
                business_type=order.business_type,
                step=order.step,
                attempt=item.attempt + 1,
                requested_at=order.requested_at,
                lease_until=self.situation.now + lease,
                why=why,
            )
        )

    def deal_to_all_ready(self) -> None:
        """Look again for everybody who is ready."""
        for _, operator_id in self.desk.ready:
            if operator_id not in self.busy:
                self.deal_to(operator_id)

    # ------------------------------------------------------------ nobody there

    def reason_to_release(self, item: DeskItem, grace: timedelta) -> UnplaceableReason | None:
        """Why the item should go back to placement; `None` while somebody is, or lately was, there for it.

        Holds:   nobody of the team may do it: at once, with the nearest miss; somebody may, but nobody who may has
                 been present for `grace`: `nobody_present`, or `all_excluded` when those present declined it or had
                 another role on the case.
        """
        team_reason = eligibility.team_hindrance(item.order, self.desk.team_id, self.book)
        if team_reason is not None:
            return team_reason
        since = self.situation.now - grace
        if item.since > since:
            return None
        if any(self.may_be_given(item, operator.operator_id) for operator in self._there_since(since)):
            return None
        barred = any(self.hindrance(item.order, operator_id) is None for operator_id in self.desk.present)
        return "all_excluded" if barred else "nobody_present"

    def _there_since(self, since: datetime) -> Iterator[DeskOperator]:
        for operator_id in self.desk.present:
            yield self.desk.operators[operator_id]
        for operator in self.desk.operators.values():
            if operator.phase not in PRESENT and operator.since > since:
                yield operator
