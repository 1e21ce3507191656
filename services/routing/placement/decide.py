"""Placement's decisions: every phase of an item and every event that may meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal

from services.routing.boards import as_of
from services.routing.eligibility import Rulebook
from services.routing.placement.choice import Choice, Sight, choose, detail_of
from services.routing.placement.state import Phase, PlacedItem, held_by
from shared.contracts.audit import WorkCancelled, WorkRequested, WorkSettled
from shared.contracts.message import Message
from shared.contracts.reference import FloorLimits
from shared.contracts.routing import (
    ItemFact,
    PlacementDeferred,
    WorkClosed,
    WorkPlaced,
    WorkRecalled,
    WorkReleased,
    WorkUnplaceable,
)
from shared.contracts.telling import retold, teller
from shared.contracts.vendor import InspectionRequested, InspectionSettled
from shared.contracts.work import Draft, WorkOrder
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Event, Facts, Rejection, Situation, TimerFired

WAITED_OUT: Final = frozenset({"nobody_present", "rerouted"})
"""Reasons that time alone may end: somebody signs on, or an order ends by its own clock."""
JITTER_SHARE: Final = 0.2  # spread of the next try, so that items that began to wait together do not come together

BARRED_TRIES: Final = 10
"""After so many tries in vain, some minutes, who had another role on the case is asked again: they may have given it up."""

work_placed: Final = teller(WorkPlaced)

Rule = Callable[[PlacedItem, Any, Situation], Facts]


def request(item: PlacedItem, event: WorkRequested | InspectionRequested, situation: Situation) -> Facts:
    """A new item: find it a team."""
    return place(event.order, 0, 0, None, situation)


def place(
    order: WorkOrder,
    placings: int,
    attempt: int,
    avoid: str | None,
    situation: Situation,
    draft: Draft | None = None,
    barred: tuple[str, ...] = (),
) -> Facts:
    """Choose a team, or let the item wait with its reason. What was keyed of it so far goes with it.

    Holds:   `barred`, who had another role on the case when their desk gave the item back, count at no team.
    """
    choice = _choose(order, placings, avoid, situation, barred)
    if choice.team_id is not None:
        return (_placed(order, placings, attempt, avoid, choice, situation, draft, barred),)
    return (_unplaceable(order, placings, attempt, avoid, choice, situation, draft, barred),)


def try_again(item: PlacedItem, event: TimerFired, situation: Situation) -> Facts:
    """A board changed or the next try is due. Only a change of what keeps it waiting, or a due try, is worth a fact."""
    order, due = _order_of(item), item.next_try_at is not None and item.next_try_at <= situation.now
    barred = () if due and item.tries >= BARRED_TRIES else item.barred
    choice = _choose(order, item.placing, item.released_by, situation, barred)
    if choice.team_id is not None:
        return (_placed(order, item.placing, item.attempt, item.released_by, choice, situation, item.draft, barred),)
    if (choice.reason, held_by(choice.considered)) != (item.reason, item.held_by):
        return (
            _unplaceable(order, item.placing, item.attempt, item.released_by, choice, situation, item.draft, barred),
        )
    if due:
        return (_deferred(item, order, situation),)
    return ()


def take_back(item: PlacedItem, event: WorkReleased, situation: Situation) -> Facts:
    """The desk gave the item back: place it again, elsewhere if possible. Late news of an old placing is ignored."""
    if stale_placing(item, event):
        return ()
    attempt = max(item.attempt, event.attempt)
    barred = tuple(sorted({*item.barred, *event.barred}))
    return place(_order_of(item), item.placing, attempt, event.team_id, situation, event.draft, barred)


def stale_placing(item: PlacedItem, event: WorkReleased) -> bool:
    """The release speaks of a placing that is over."""
    return event.placing != item.placing or event.team_id != item.team_id


def recall(item: PlacedItem, event: WorkCancelled, situation: Situation) -> Facts:
    """The process no longer needs the item: take it back from its team, then forget it."""
    if item.team_id is None:
        raise InvariantError(f"Expected a placed item to have a team, found none for {item.work_item_id}")
    recalled = WorkRecalled(
        team_id=item.team_id,
        work_item_id=item.work_item_id,
        case_id=event.case_id,
        placing=item.placing,
        reason=event.reason,
    )
    return (recalled, *cancel(item, event, situation))


def cancel(item: PlacedItem, event: WorkCancelled, situation: Situation) -> Facts:
    """The process no longer needs an item that lies at no desk."""
    return (_closed(event.work_item_id, event.case_id, "cancelled", situation.now),)


def settle(item: PlacedItem, event: WorkSettled, situation: Situation) -> Facts:
    """The process took, or refused, the one result: nothing more will come of the item."""
    return (_closed(event.work_item_id, event.case_id, event.outcome, situation.now),)


def settle_inspection(item: PlacedItem, event: InspectionSettled, situation: Situation) -> Facts:
    """Supervision took the inspection's result."""
    return (_closed(event.work_item_id, event.case_id, "accepted", situation.now),)


def ignore(item: PlacedItem, event: Event, situation: Situation) -> Facts:
    """Heard before, or no longer of interest."""
    return ()


RULES: Final[Mapping[tuple[Phase, type[Event]], Rule]] = {
    (Phase.NEW, WorkRequested): request,
    (Phase.NEW, InspectionRequested): request,
    (Phase.NEW, WorkCancelled): cancel,
    (Phase.NEW, WorkSettled): settle,
    (Phase.NEW, InspectionSettled): settle_inspection,
    (Phase.NEW, WorkReleased): ignore,
    (Phase.NEW, TimerFired): ignore,
    (Phase.PLACED, WorkRequested): ignore,
    (Phase.PLACED, InspectionRequested): ignore,
    (Phase.PLACED, WorkCancelled): recall,
    (Phase.PLACED, WorkSettled): settle,
    (Phase.PLACED, InspectionSettled): settle_inspection,
    (Phase.PLACED, WorkReleased): take_back,
    (Phase.PLACED, TimerFired): ignore,
    (Phase.WAITING, WorkRequested): ignore,
    (Phase.WAITING, InspectionRequested): ignore,
    (Phase.WAITING, WorkCancelled): cancel,
    (Phase.WAITING, WorkSettled): settle,
    (Phase.WAITING, InspectionSettled): settle_inspection,
    (Phase.WAITING, WorkReleased): ignore,
    (Phase.WAITING, TimerFired): try_again,
    (Phase.CLOSED, WorkRequested): ignore,
    (Phase.CLOSED, InspectionRequested): ignore,
    (Phase.CLOSED, WorkCancelled): ignore,
    (Phase.CLOSED, WorkSettled): ignore,
    (Phase.CLOSED, InspectionSettled): ignore,
    (Phase.CLOSED, WorkReleased): ignore,
    (Phase.CLOSED, TimerFired): ignore,
}


def decide(item: PlacedItem, event: Event, situation: Situation) -> Facts | Rejection:
    """The facts that follow from one event. Pure."""
    return RULES[item.phase, type(event)](item, event, situation)


def refuse(item: PlacedItem, event: Event, rejection: Rejection, situation: Situation) -> Facts:
    """Placement takes no commands from people, so that there is nothing to refuse."""
    raise InvariantError(f"Expected placement to refuse nothing, found {rejection.code}: {rejection.detail}")


def key(event: Message) -> str | None:
    """The work item that the event is about; placement's own facts on the shared topic are not its business."""
    return event.key if type(event) in INTERESTS else None


def owner(fact: Message) -> str | None:
    """The work item that a fact of placement is about."""
    match fact:
        case WorkPlaced():
            return fact.order.work_item_id
        case WorkRecalled() | ItemFact():
            return fact.work_item_id
        case _:
            return None


INTERESTS: Final[frozenset[type[Event]]] = frozenset(event for _, event in RULES if event is not TimerFired)


def _choose(
    order: WorkOrder, placings: int, avoid: str | None, situation: Situation, barred: tuple[str, ...] = ()
) -> Choice:
    sight = Sight.of(situation.boards, situation.now, situation.observed)
    if barred:
        order = retold(order, excluded_operators=tuple(sorted({*order.excluded_operators, *barred})))
    return choose(order, placings + 1, avoid, sight)


def _placed(
    order: WorkOrder,
    placings: int,
    attempt: int,
    avoid: str | None,
    choice: Choice,
    situation: Situation,
    draft: Draft | None,
    barred: tuple[str, ...],
) -> WorkPlaced:
    if choice.team_id is None:
        raise InvariantError(f"Expected a team for {order.work_item_id}, found none")
    return work_placed(
        team_id=choice.team_id,
        placing=placings + 1,
        attempt=attempt,
        order=order,
        placed_at=situation.now,
        considered=choice.considered,
        draw_seed=choice.seed,
        plan_made_at=choice.plan_made_at,
        avoided=avoid,
        late_seconds=choice.late_seconds,
        boards=as_of(situation),
        draft=draft,
        barred=barred,
    )


def _unplaceable(
    order: WorkOrder,
    placings: int,
    attempt: int,
    released_by: str | None,
    choice: Choice,
    situation: Situation,
    draft: Draft | None,
    barred: tuple[str, ...],
) -> WorkUnplaceable:
    reason = choice.reason or "nobody_present"
    return WorkUnplaceable(
        work_item_id=order.work_item_id,
        case_id=order.case_id,
        at=situation.now,
        reason=reason,
        detail=detail_of(reason, order, barred),
        considered=choice.considered,
        order=order,
        placings=placings,
        attempt=attempt,
        released_by=released_by,
        next_try_at=_next_try_at(order.work_item_id, 1, situation) if barred or reason in WAITED_OUT else None,
        boards=as_of(situation),
        draft=draft,
        barred=barred,
    )


def _deferred(item: PlacedItem, order: WorkOrder, situation: Situation) -> PlacementDeferred:
    tries = item.tries + 1
    return PlacementDeferred(
        work_item_id=item.work_item_id,
        case_id=order.case_id,
        at=situation.now,
        tries=tries,
        next_try_at=_next_try_at(item.work_item_id, tries, situation),
    )


def _next_try_at(work_item_id: str, tries: int, situation: Situation) -> datetime:
    limits = Rulebook.of(situation.boards).reference.limits
    return next_try_at(work_item_id, tries, situation.now, limits)


def next_try_at(work_item_id: str, tries: int, now: datetime, limits: FloorLimits) -> datetime:
    """When to try again: doubling from the least to the greatest interval, spread by a hash of the item."""
    interval = min(limits.retry_seconds_min * 2.0 ** min(tries - 1, 16), limits.retry_seconds_max)
    digest = blake2b(f"{work_item_id}/{tries}".encode(), digest_size=4).digest()
    spread = int.from_bytes(digest) / 2**32
    return now + timedelta(seconds=interval * (1.0 + JITTER_SHARE * spread))


def _closed(
    work_item_id: str, case_id: str, outcome: Literal["accepted", "refused", "cancelled"], now: datetime
) -> WorkClosed:
    return WorkClosed(work_item_id=work_item_id, case_id=case_id, at=now, outcome=outcome)


def _order_of(item: PlacedItem) -> WorkOrder:
    if item.order is None:
        raise InvariantError(f"Expected an open item to keep its order, found none for {item.work_item_id}")
    return item.order
