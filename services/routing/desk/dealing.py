"""One decision's dealing of items to operators. It reads the desk and never moves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.routing import eligibility
from services.routing.boards import as_of
from services.routing.desk.choice import Head, Weighing
from services.routing.desk.holding import keeps_free
from services.routing.desk.lanes import SECOND
from services.routing.desk.state import PRESENT, DeskItem, DeskOperator, OperatorPhase, TeamDesk, microseconds
from services.routing.eligibility import Rulebook
from services.routing.orders import StandingOrders
from shared.contracts.message import Message
from shared.contracts.reroute import RerouteOrder
from shared.contracts.routing import HeadConsidered, Picked, UnplaceableReason, WorkAssigned
from shared.contracts.telling import teller
from shared.contracts.work import WorkOrder
from shared.runtime.processor import Situation

BARRED_TOLD: Final = 2  # barred heads that travel in the fact, the best ones
RUNNERS_UP_TOLD: Final = 2  # further heads that travel in the fact
PASSED_OVER_TOLD: Final = 2  # people who were ready longer, the longest ready first
LONGEST_READY: Final = "longest ready of those who may do it"
KEPT_FREE: Final = "kept free"

work_assigned: Final = teller(WorkAssigned)


def segregation_breach(desk: TeamDesk, order: WorkOrder, operator_id: str) -> bool:
    """The operator already had another role on the case at this desk.

    Holds:   controls names whom it knows of when it asks for the work; items that it asks for at the same time cannot
             name each other's operators, so the desk remembers.
    """
    had = desk.role_of(order.case_id, operator_id)
    return had is not None and had != order.role


Barred = tuple[Head, str]
"""An item that may not be given to the operator, and what keeps it from them."""

PassedOver = tuple[str, int, str]
"""An operator who was ready longer, since when (in microseconds since 1970), and what kept the item from them."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An item for an operator, and what else was weighed, best first."""

    best: Head
    others: Sequence[Head]
    barred: Sequence[Barred]

    @property
    def why(self) -> str:
        """The choice in one sentence."""
        averted = f"averts most delay cost per minute of work, {self.best.index * 3600:.3g}"
        if not self.others:
            return f"{averted}; nothing else waits that they hold"
        return f"{averted}; the next best {self.others[0].index * 3600:.3g}"

    def told(self) -> tuple[HeadConsidered, ...]:
        """As it travels in the fact."""
        could = [head.told() for head in (self.best, *self.others)]
        return (*could, *[head.told(barrier) for head, barrier in self.barred])


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
    _kept_for: dict[str, str] = field(default_factory=dict)
    _weighing: Weighing | None = None
    _orders: StandingOrders | None = None

    @classmethod
    def of(cls, desk: TeamDesk, situation: Situation) -> Dealing:
        return cls(desk, situation, Rulebook.of(situation.boards))

    @property
    def weighing(self) -> Weighing:
        """How items are weighed now; made when the first is."""
        if self._weighing is None:
            self._weighing = Weighing(self.desk, self.book.reference, self.situation.now)
        return self._weighing

    # ---------------------------------------------------------------- who may

    def hindrance(self, order: WorkOrder, operator_id: str) -> UnplaceableReason | None:
        """What the hard rules have against it."""
        return eligibility.hindrance(order, operator_id, self.desk.team_id, self.book)

    def may_be_given(self, item: DeskItem, operator_id: str) -> bool:
        """Whether the operator may be given the item now."""
        return self.barrier(item, operator_id) is None

    def barrier(self, item: DeskItem, operator_id: str) -> str | None:
        """What keeps the item from the operator now: declined, a second role on its case, or a hard rule."""
        return "declined" if operator_id in item.declined_by else self.firm_barrier(item, operator_id)

    def firm_barrier(self, item: DeskItem, operator_id: str) -> str | None:
        """What keeps the item from the operator even if they ask for it."""
        if self.leaving(item) is not None:
            return "rerouted"
        if self._other_role(item.order, operator_id):
            return "second_role"
        return self.hindrance(item.order, operator_id)

    def _other_role(self, order: WorkOrder, operator_id: str) -> bool:
        return segregation_breach(self.desk, order, operator_id) or self._second_role(order, operator_id)

    def leaving(self, item: DeskItem) -> RerouteOrder | None:
        """The reroute by which the item must not be worked on here any more."""
        acting = self.situation.boards["reroutes"].acting
        return self.orders.moving(item.order, self.desk.team_id) if acting else None

    @property
    def orders(self) -> StandingOrders:
        """The reroutes in force now; looked up once."""
        if self._orders is None:
            self._orders = StandingOrders.of(self.situation.boards, self.situation.now)
        return self._orders

    def _second_role(self, order: WorkOrder, operator_id: str) -> bool:
        if self.just_done is None or self.just_done[0] != operator_id:
            return False
        done = self.just_done[1]
        return done.case_id == order.case_id and done.role != order.role

    # ---------------------------------------------------------------- dealing

    def deal_to(self, operator_id: str) -> None:
        """Give the operator the item with the largest index among those they may do; nothing to who is rather kept free
        for urgent work that is about to come."""
        chosen = self.choose(operator_id)
        if chosen is not None:
            item = self.desk.items[chosen.best.work_item_id]
            if not self._kept_free(item, operator_id, chosen.best):
                self._give(item, operator_id, chosen.why, chosen.told())

    def choose(self, operator_id: str) -> Chosen | None:
        """The item for the operator; nothing for who wraps up, or holds nothing that waits and may be given to them."""
        desk, operator = self.desk, self.book.member(self.desk.team_id, operator_id)
        if not desk.queues or operator is None or desk.operator(operator_id).phase is OperatorPhase.WRAPPING_UP:
            return None
        descent = self.weighing.best_first(operator_id, operator.work_types)
        barred: list[Barred] = []
        for head in descent:
            if head.work_item_id in self.given:
                continue
            barrier = self.barrier(desk.items[head.work_item_id], operator_id)
            if barrier is None:
                return self._best_of(head, descent.runners_up(RUNNERS_UP_TOLD), operator_id, barred)
            if len(barred) < BARRED_TOLD:
                barred.append((head, barrier))
        return None

    def _best_of(self, first: Head, others: Sequence[Head], operator_id: str, barred: Sequence[Barred]) -> Chosen:
        """The best that may be given, the runners-up, and what is better and barred.

        Holds:   where ages and latest starts of a line lie in another order, what stands just behind may be worth more
                 than what came first; of what the fact tells the best is given, so that it can be made again.
        """
        if not others or others[0].index <= first.index:
            return Chosen(first, others, barred)
        best, passed_over, behind = first, list[Barred](), list[Head]()
        for other in others:
            if other.index <= first.index:
                behind.append(other)
            elif (barrier := self._withheld(other.work_item_id, operator_id)) is not None:
                passed_over.append((other, barrier))
            else:
                behind.append(other)
                best = max(best, other, key=lambda head: head.index)
        rest = (head for head in (first, *behind) if head is not best)
        return Chosen(best, sorted(rest, key=lambda head: -head.index), (*passed_over, *barred))

    def _withheld(self, work_item_id: str, operator_id: str) -> str | None:
        return "given" if work_item_id in self.given else self.barrier(self.desk.items[work_item_id], operator_id)

    def deal_out(self, item: DeskItem) -> None:
        """Give the item to whoever has been ready longest and may do it. Ties: by id."""
        passed_over: list[PassedOver] = []
        for since_us, operator_id in self.desk.ready:
            if operator_id in self.busy:
                continue
            barrier = self.barrier(item, operator_id)
            if barrier is None:
                head = self.weighing.head(item, operator_id)
                if not self._kept_free(item, operator_id, head):
                    self._give(item, operator_id, self._why_longest(since_us, passed_over), (head.told(),))
                    return
                barrier = KEPT_FREE
            passed_over.append((operator_id, since_us, barrier))

    def _why_longest(self, since_us: int, passed_over: Sequence[PassedOver]) -> str:
        """Since when they were ready, how many others were, and who was longer and what kept the item from them."""
        ready = self.desk.ready
        others = len(ready) - 1 - sum((self._since_us(one), one) in ready for one in self.busy)
        why = f"{LONGEST_READY}, for {self._ready_for(since_us)}; {others or 'no'} other{'' if others == 1 else 's'} ready"
        if not passed_over:
            return why
        told = [
            f"{one} for {self._ready_for(since)} ({barrier})" for one, since, barrier in passed_over[:PASSED_OVER_TOLD]
        ]
        more = len(passed_over) - len(told)
        return f"{why}; passed over: {', '.join(told)}{f' and {more} more' if more else ''}"

    def _since_us(self, operator_id: str) -> int:
        return microseconds(self.desk.operator(operator_id).since)

    def _ready_for(self, since_us: int) -> str:
        return f"{max(0, self.weighing.now_us - since_us) // SECOND} s"

    def _kept_free(self, item: DeskItem, operator_id: str, head: Head) -> bool:
        """The operator is rather kept free than given the item; told when it is news."""
        if not self.desk.urgent_in_hand or item.order.urgent:
            return False
        kept = keeps_free(self, operator_id, head)
        if kept is None:
            return False
        if self._kept_for.get(operator_id, self.desk.operator(operator_id).kept_for) != kept.after:
            self._kept_for[operator_id] = kept.after
            self.facts.append(kept.told(item, operator_id, self.desk.team_id, self.situation.now))
        return True

    def give_picked(self, item: DeskItem, operator_id: str, picked: Picked) -> None:
        """Give the operator the item that somebody picked for them."""
        head = self.weighing.head(item, operator_id)
        self._give(item, operator_id, f"picked by {picked.picked_by}: {picked.reason}", (head.told(),), picked)

    def _give(
        self,
        item: DeskItem,
        operator_id: str,
        why: str,
        considered: tuple[HeadConsidered, ...],
        picked: Picked | None = None,
    ) -> None:
        order = item.order
        provider = self.book.provider_of(self.desk.team_id)
        if provider is None:
            return
        self.given.add(item.work_item_id)
        self.busy.add(operator_id)
        lease = timedelta(seconds=self.book.reference.limits.offer_lease_seconds)
        self.facts.append(
            work_assigned(
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
                considered=considered,
                picked=picked,
                boards=as_of(self.situation),
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
        if self.leaving(item) is not None or self._served(item):
            return None  # it leaves by the order, in its turn, or it will be given to somebody
        team_reason = eligibility.team_hindrance(item.order, self.desk.team_id, self.book)
        if team_reason is not None:
            return team_reason
        since = self.situation.now - grace
        if item.since > since:
            return None
        if any(self.may_be_given(item, operator.operator_id) for operator in self._gone_since(since)):
            return None
        barred = any(self.hindrance(item.order, operator_id) is None for operator_id in self.desk.present)
        return "all_excluded" if barred else "nobody_present"

    def _served(self, item: DeskItem) -> bool:
        """Somebody is present who may be given the item."""
        operators, order = self.desk.operators, item.order
        for operator_id, operator in eligibility.allowed(order, self.desk.team_id, self.book).items():
            known = operators.get(operator_id)
            if known is None or known.phase not in PRESENT or operator_id in item.declined_by:
                continue
            if not eligibility.excluded(order, operator) and not self._other_role(order, operator_id):
                return True
        return False

    def with_another_role(self, item: DeskItem) -> tuple[str, ...]:
        """Who is present and kept from the item by nothing but another role on its case, by id."""
        return tuple(
            sorted(
                one
                for one in self.desk.present
                if self.hindrance(item.order, one) is None and self._other_role(item.order, one)
            )
        )

    def _gone_since(self, since: datetime) -> Iterator[DeskOperator]:
        for operator in self.desk.operators.values():
            if operator.phase not in PRESENT and operator.since > since:
                yield operator
