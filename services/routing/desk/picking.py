"""A certain item for a certain operator, because somebody says so. The hard rules hold as at any assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.routing.desk import guards, presence
from services.routing.desk.dealing import Dealing
from services.routing.desk.state import ItemPhase, OperatorPhase, TeamDesk
from shared.contracts.routing import Picked, PickWork
from shared.runtime.processor import Event, Facts, Rejection, Situation

Rule = Callable[[TeamDesk, Any, Situation], Facts | Rejection]


def pick(desk: TeamDesk, command: PickWork, situation: Situation) -> Facts | Rejection:
    """Give the operator the item, whatever its index. What they are only offered goes back and to somebody else.

    Holds:   who declined the item may pick it after all; no other bar is lifted.
    """
    item = desk.items.get(command.work_item_id)
    if item is None or item.phase is not ItemPhase.QUEUED:
        return guards.queue_breach(item, command)
    dealing = Dealing.of(desk, situation)
    barrier = dealing.firm_barrier(item, command.operator_id)
    if barrier is not None:
        return guards.pick_breach(item.order, command, barrier)
    offered = presence.hand_of(desk, command.operator_id)
    if offered is not None:
        dealing.facts.append(presence.given_back(desk, offered, command.operator_id, "picked another", situation))
    dealing.give_picked(item, command.operator_id, _picked(command))
    if offered is not None:
        dealing.deal_out(offered)
    return dealing.facts


def hand_full(desk: TeamDesk, command: PickWork, situation: Situation) -> Rejection:
    """Nobody has two items in hand."""
    held = desk.operator(command.operator_id).work_item_id
    return Rejection("hand_full", f"Expected empty hands, found {command.operator_id} at work on {held}.")


def _picked(command: PickWork) -> Picked:
    return Picked(
        picked_by=command.picked_by,
        reason=command.reason,
        command_id=command.command_id,
        fingerprint=guards.fingerprint_of(command),
    )


PICKING_RULES: Final[Mapping[tuple[OperatorPhase, type[Event]], Rule]] = {
    (OperatorPhase.OFF, PickWork): presence.absent,
    (OperatorPhase.AWAY, PickWork): presence.absent,
    (OperatorPhase.PAUSED, PickWork): presence.absent,
    (OperatorPhase.READY, PickWork): pick,
    (OperatorPhase.OFFERED, PickWork): pick,
    (OperatorPhase.WORKING, PickWork): hand_full,
    (OperatorPhase.WRAPPING_UP, PickWork): hand_full,
}
