"""Where one work item is, as placement knows it, and how facts move it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from services.routing.boards import somebody_for
from services.routing.rows import row
from shared.contracts.message import Message
from shared.contracts.routing import (
    Candidate,
    PlacementDeferred,
    UnplaceableReason,
    WorkClosed,
    WorkPlaced,
    WorkRecalled,
    WorkUnplaceable,
)
from shared.contracts.telling import WrittenOnce
from shared.contracts.work import Draft, WorkOrder, beside_order
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Alarm, DocumentTable

WAITED_FOR: Final = frozenset({"reference", "standing", "reroutes"})
"""The boards whose change may make an unplaceable item placeable."""


class Phase(StrEnum):
    """Where an item is, seen from placement."""

    NEW = "new"
    PLACED = "placed"
    WAITING = "waiting"
    CLOSED = "closed"


@row
class PlacedItem:
    """One work item.

    Holds:   `placing` counts placings from 1 and names the current one; `attempt` counts attempts used up at desks;
             `next_try_at` is set while the item waits because nobody is present; a closed item keeps no order;
             `held_by` are the reroutes that kept a team from it when it was last found to be unplaceable;
             `barred` are people who were there for it and had another role on its case.
    """

    work_item_id: str
    phase: Phase = Phase.NEW
    order: WorkOrder | None = None
    team_id: str | None = None
    placing: int = 0
    attempt: int = 0
    released_by: str | None = None
    reason: UnplaceableReason | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    outcome: Literal["accepted", "refused", "cancelled"] | None = None
    draft: Draft | None = None  # while it waits: what was keyed of it at its last desk
    held_by: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()


def new_item(work_item_id: str) -> PlacedItem:
    """An item that placement has not heard of."""
    return PlacedItem(work_item_id)


class PlacementTable(DocumentTable[PlacedItem]):
    """One row per item; the order is written out once for the row and for the fact that tells it."""

    def __init__(self) -> None:
        super().__init__("placement", PlacedItem, new_item)

    def write(self, state: PlacedItem) -> Mapping[str, bytes | None]:
        """As any document, byte for byte."""
        order = state.order
        if order is None:
            return super().write(state)
        if PlacedItem(state.work_item_id, Phase.PLACED, order, state.team_id, state.placing, state.attempt) != state:
            rest = self._adapter.serializer.to_json(state, exclude={"order"})
            return {"": beside_order(order, rest, b',"team_id":')}
        placed = _PLACED.of((state.team_id, state.placing, state.attempt), lambda: self._placed(state))
        told = order.to_json()
        return {"": b'%b,"phase":"placed","order":%b%b' % (told[: told.index(b',"case_id":')], told, placed)}

    def _placed(self, state: PlacedItem) -> bytes:
        """What stands behind the order in the row of an item that lies at a desk; before it stands the item's id, as in it."""
        rest = self._adapter.serializer.to_json(state, exclude={"order"})
        return rest[rest.index(b',"team_id":') :]


_PLACED: Final = WrittenOnce[bytes](256)


def apply(item: PlacedItem, fact: Message) -> PlacedItem:
    """Fold one fact into the item. The only function that moves it."""
    if type(fact) is WorkPlaced:  # nearly every fact: asked before the patterns, which take long to look at a model
        return PlacedItem(
            item.work_item_id,
            Phase.PLACED,
            fact.order,
            fact.team_id,
            placing=fact.placing,
            attempt=fact.attempt,
            barred=fact.barred,
        )
    match fact:
        case WorkUnplaceable():
            return PlacedItem(
                item.work_item_id,
                Phase.WAITING,
                fact.order,
                placing=fact.placings,
                attempt=fact.attempt,
                released_by=fact.released_by,
                reason=fact.reason,
                tries=1,
                next_try_at=fact.next_try_at,
                draft=fact.draft,
                held_by=held_by(fact.considered),
                barred=fact.barred,
            )
        case PlacementDeferred():
            return replace(item, tries=fact.tries, next_try_at=fact.next_try_at)
        case WorkRecalled():
            return replace(item, team_id=None)
        case WorkClosed():
            return PlacedItem(item.work_item_id, Phase.CLOSED, placing=item.placing, outcome=fact.outcome)
        case _:
            raise InvariantError(f"Expected a fact of placement, found {fact.kind_name()}")


def held_by(considered: Iterable[Candidate]) -> tuple[str, ...]:
    """The reroutes that kept the item from a team, by id."""
    return tuple(sorted({team.reroute_id for team in considered if team.reroute_id is not None}))


def trace(item: PlacedItem, fact: Message) -> str:
    """The trace that the item's case came with, from the order that the fact brings or the item keeps."""
    if type(fact) is WorkPlaced:  # nearly every fact: a model is slow to ask what it is
        return fact.order.traceparent
    order = fact.order if isinstance(fact, WorkUnplaceable) else item.order
    return "" if order is None else order.traceparent


def alarms(item: PlacedItem) -> Mapping[str, Alarm]:
    """A waiting item is tried again when a board changes, and where it waits for people as soon as one has come.

    Holds:   its next try is for what no desk tells: somebody who was busy with another step of the case, a lost record.
    """
    if item.phase is not Phase.WAITING:
        return {}
    if item.next_try_at is None or item.order is None:
        return {"try": Alarm(None, WAITED_FOR)}
    return {"try": Alarm(item.next_try_at, _waited_for(item.order.work_type))}


@lru_cache(maxsize=1024)
def _waited_for(work_type: str) -> frozenset[str]:
    return WAITED_FOR | {somebody_for(work_type)}
