"""Which case's trace a fact of the desk belongs to."""

from __future__ import annotations

from typing import Final

from services.routing.desk.state import TeamDesk
from shared.contracts.message import Message
from shared.contracts.routing import (
    AssignmentDeclined,
    AssignmentExpired,
    AssignmentRevoked,
    AssignmentTaken,
    DraftSaved,
    WorkAssigned,
    WorkCompleted,
    WorkHeldBack,
    WorkQueued,
    WorkReleased,
    WorkWithdrawn,
)

ABOUT_AN_ITEM: Final[frozenset[type[Message]]] = frozenset(
    {
        WorkAssigned,
        WorkHeldBack,
        AssignmentTaken,
        DraftSaved,
        AssignmentDeclined,
        AssignmentExpired,
        AssignmentRevoked,
        WorkReleased,
        WorkWithdrawn,
        WorkCompleted,
    }
)


def trace(desk: TeamDesk, fact: Message) -> str:
    """The trace that the item's case came with; of a fact about a person, that of the command or alarm behind it."""
    if type(fact) in ABOUT_AN_ITEM:
        item = desk.items.get(fact.work_item_id)  # type: ignore[attr-defined]  # each of these names its item
        return "" if item is None else item.order.traceparent
    return fact.order.traceparent if type(fact) is WorkQueued else ""
